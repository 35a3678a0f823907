"""What can go wrong in a move. The docstring is the message; no status codes here."""

from tenancy.errors import TenancyError


class MoveError(TenancyError):
    """The move cannot go on."""


class MoveRefusedError(MoveError):
    """The move cannot be started."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.data = {"reasons": list(reasons)}


class MoveInProgressError(MoveError):
    """The clinic is being moved already."""


class UnknownMoveError(MoveError):
    """There is no such move."""


class MoveStateError(MoveError):
    """The move is not in a state that allows this."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.data = {"reason": str(self)}


class WayBackGoneError(MoveStateError):
    """The clinic cannot go back to its old home any more."""


class AttemptLostError(MoveError):
    """Another process has taken over this move."""


class NotDrainedError(MoveError):
    """The fence was held as long as it may be and the stream had not caught up; the clinic goes on at its old home."""


class FenceBusyError(MoveError):
    """The clinic's fence was not free within the time a move may wait for it."""


class MismatchError(MoveError):
    """The rows at the new home are not those of the old one."""

    def __init__(self, tables: tuple[str, ...]) -> None:
        super().__init__(f"rows differ in {', '.join(tables)}")
        self.tables = tables


class StreamError(MoveError):
    """The stream of changes holds something that this release does not understand."""


class TablesChangedError(MoveError):
    """The clinic's tables were changed while it was being moved; move it again once they are as they are to be."""


class SlotLostError(MoveError):
    """The server has dropped the changes that the stream still needed (max_slot_wal_keep_size)."""


class TooManyWatchersError(MoveError):
    """Too many are watching moves at this process; look at the move itself, or try again in a moment."""
