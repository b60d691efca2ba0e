"""Whether a history of client operations is linearizable: could one register have said all this?

Reading order: `model` (operations, and what a register makes of them), `partition` (a history cut
by key and put in order), `search` (is there an order that explains it?), `window` (where there is
none, the shortest piece that shows it), `checking` (the verdict on a whole history), `reading`
(NDJSON) and `picture` (text). It knows nothing of simswarm's own runs: any history will do.

    from simswarm.check.history import check, Register, Operation
    verdict = check(operations, Register())
    python -m simswarm.check.history FILE
"""

from simswarm.check.history.checking import Verdict, check
from simswarm.check.history.model import Operation, Register

__all__ = ["Operation", "Register", "Verdict", "check"]
