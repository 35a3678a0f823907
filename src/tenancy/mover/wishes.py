"""What may be asked of a move that is not ended, and what to do instead where it may not."""

from collections.abc import Mapping
from typing import Final

from tenancy.registry.move_records import MoveStatus

WISHES: Final[Mapping[str, frozenset[MoveStatus]]] = {
    "abort": frozenset({MoveStatus.RUNNING, MoveStatus.ABORTING}),
    "rollback": frozenset({MoveStatus.GRACE, MoveStatus.ROLLING_BACK}),
    "finish": frozenset({MoveStatus.GRACE, MoveStatus.FINISHING}),
}
"""Where a move may stand for each of them."""

_INSTEAD: Final[Mapping[str, Mapping[MoveStatus, str]]] = {
    "abort": {MoveStatus.GRACE: "it is decided: `rollback` brings the clinic back"},
    "rollback": {MoveStatus.RUNNING: "it is not decided yet: `abort` gives it up"},
    "finish": {
        MoveStatus.RUNNING: "it has no way back to give up yet: wait until it has, or `abort` it"
    },
}
_MEANWHILE: Final[Mapping[MoveStatus, str]] = {
    MoveStatus.ROLLING_BACK: "the clinic is going back: wait for the end",
    MoveStatus.FINISHING: "its way back is given up: once it has ended, move the clinic again",
    MoveStatus.ABORTING: "it is being given up: once it has ended, move the clinic again",
}


def refusal(wanted: str, status: MoveStatus) -> str | None:
    """Return why this cannot be asked of a move that stands there, with what can be done; None if it can."""
    if status in WISHES[wanted]:
        return None
    why = _INSTEAD[wanted].get(status) or _MEANWHILE[status]
    return f"the move is {status.value}; {why}"
