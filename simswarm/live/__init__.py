"""The real world: asyncio, sockets, files, Docker, and the driver of nodes in it."""
