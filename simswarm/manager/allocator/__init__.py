"""What a task needs from the whole swarm before it can be placed: addresses, ports.

Source: swarmkit manager/allocator.
"""

from simswarm.manager.allocator.allocator import Allocator

__all__ = ["Allocator"]
