"""simswarm: a deterministic simulator of Docker Swarm mode on its real control-plane logic."""

__version__ = "0.1.0"
