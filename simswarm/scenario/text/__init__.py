"""The text of a scenario file: positions, errors with their places, settings of single values."""
