"""The control API as the leader serves it: what users may ask for, and how they are refused.

Reading order: `validation` (what a spec must be), `imagename`, `services`, `nodes`, `cluster` (one
frozen write a request), `listing` (reads), `api` (which request is which, and the answers).
"""

from simswarm.manager.controlapi.api import ControlApi

__all__ = ["ControlApi"]
