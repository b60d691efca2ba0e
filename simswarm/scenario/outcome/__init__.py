"""What is left of a run: its result, its bundle, and how two of them differ."""
