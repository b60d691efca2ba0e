"""Planted bugs: each is one rule of the protocol left out, at one place.

Reading order: `patch` (how one is planted), then the groups `elections`, `replication`,
`durability`. Ids are those of the catalogue of published consensus bugs; where a rule has no
public instance the number is ours (E22 and on, R17 and on, D14 and on, L14).

    from simswarm.hunt.mutants import planted
    with planted("R06"):
        ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simswarm.base.errors import InvalidSpec
from simswarm.hunt.mutants.durability import DURABILITY
from simswarm.hunt.mutants.elections import ELECTIONS
from simswarm.hunt.mutants.patch import Mutant, Patch
from simswarm.hunt.mutants.replication import REPLICATION

MUTANTS: dict[str, Mutant] = {
    mutant.id: mutant for mutant in sorted((*ELECTIONS, *REPLICATION, *DURABILITY), key=str)
}

__all__ = ["MUTANTS", "Mutant", "Patch", "mutant", "planted"]


def mutant(id: str) -> Mutant:
    """A mutant by its id.

    Raises:
        InvalidSpec: there is none.
    """
    found = MUTANTS.get(id.upper())
    if found is None:
        raise InvalidSpec(f"hunt: no mutant {id!r}; there are {', '.join(MUTANTS)}")
    return found


@contextmanager
def planted(id: str) -> Iterator[None]:
    """Plant a mutant in this process for a while; an empty id plants nothing."""
    patch = Patch()
    try:
        if id:
            mutant(id).plant(patch)
        yield
    finally:
        patch.undo()
