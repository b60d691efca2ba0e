"""Stack files: Compose content to service specs, as `docker stack deploy` converts it.

Reading order: `files` (the format), `convert` (what it becomes).
"""
