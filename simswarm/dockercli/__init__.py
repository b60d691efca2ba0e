"""Docker command lines as control requests."""
