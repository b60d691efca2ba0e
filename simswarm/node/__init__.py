"""One machine of the swarm: `Node.boot`, `Node.step`, and the routing of inputs to its parts.

`node` is the whole; `join` gets a machine into the swarm, `identity` says who may send what. The
last two change when certificates become real; nothing else has to.
"""

from simswarm.node.node import Node

__all__ = ["Node"]
