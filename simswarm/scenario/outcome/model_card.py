"""What a result says of the model behind it: what it leaves out, and which inputs are guesses.

The whole card is `docs/model-card.md`.
"""

from __future__ import annotations

from collections.abc import Iterable

CARD = "docs/model-card.md"

NOT_MODELLED = (
    "joining with certificates and tokens (nodes are admitted by name)",
    "overlay networks, published ports and client traffic",
    "volumes, secrets and configs",
    "changes of the manager set (promote, demote, join as manager)",
    "Raft snapshots and log compaction",
    "CPU and memory use of containers (only what they reserve)",
)


def guessed_inputs(profile: str, unlisted_images: Iterable[str]) -> list[str]:
    """Inputs that nobody measured for this run.

    Args:
        profile: The network profile.
        unlisted_images: Images that the scenario's `images` doesn't describe.
    """
    guesses = [f"network '{profile}': a profile of the model, not a measured network"]
    guesses.extend(
        f"image {image}: not listed under 'images', so pull 2s, start 500ms, healthy at once"
        for image in sorted(unlisted_images)
    )
    return guesses
