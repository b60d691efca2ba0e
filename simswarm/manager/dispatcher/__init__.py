"""The managers' side of every agent: who is alive, what it should run, what it reports.

Reading order: `sessions` (who is in touch), `status` (what is written, and how it is batched),
`assignments` (what a node is sent), `dispatcher` (the control loop that ties them).
"""

from simswarm.manager.dispatcher.dispatcher import Dispatcher

__all__ = ["Dispatcher"]
