"""What exists in a swarm: specs, objects, the ladder of task states, resources, constraints.

Reading order: `taskstate`, `specs`, `objects`, `resources`, `constraints`, `defaults`.
Source: swarmkit api/types.proto, api/specs.proto, api/objects.proto.
"""
