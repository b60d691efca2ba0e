"""The vocabulary: what every layer above speaks, and the only package all of them may import.

Reading order: `values` (what a frozen value is), `time`, `entropy`, `ids`, `effects` (the
boundary between protocol and world), `engine` (what may be asked of a container engine),
`records` (what a disk holds), `errors` (who must act), `trace` (what is observed).
"""
