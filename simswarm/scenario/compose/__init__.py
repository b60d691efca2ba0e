"""Stack files: Compose content to service specs, as `docker stack deploy` converts it.

Reading order: `files` (the format), `convert` (what it becomes), `ignored`, `interpolate`, `read`.
"""

from simswarm.scenario.compose.read import ReadStack, read_stack

__all__ = ["ReadStack", "read_stack"]
