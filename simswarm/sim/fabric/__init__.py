"""The simulated network: links, streams, faults on them, and profiles of both."""
