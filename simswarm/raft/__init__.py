"""Raft: agreeing on one log although machines and networks fail.

Start with `README.md`; then `messages`, `log`, `quorum`, `progress`, `raft` and its role files,
`rawnode`. Knows only `simswarm.base`.
"""
