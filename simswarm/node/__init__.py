"""One machine of the swarm: `Node.boot`, `Node.step`, and the routing of inputs to its parts."""
