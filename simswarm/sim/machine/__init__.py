"""What a simulated machine has: clock, disk, timers, and an engine with containers."""
