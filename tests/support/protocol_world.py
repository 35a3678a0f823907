"""The world of the protocol model: two homes, a journal, workers and movers; and what must hold in every state of it.

Home `a` is where a move starts, home `b` where it leads to. Epoch 1 is before the move, 2 after it, 3 after a way back.
"""

from enum import StrEnum
from typing import NamedTuple

SERVABLE = frozenset({"active", "ready"})
UNFENCED = 0


class Flaw(StrEnum):
    """One guard taken out of the protocol; each must be found."""

    STALE_CHECK = "the home is read before the lock is granted"
    NO_TARGET_ATTEMPT = "writes at the target do not ask for the attempt"
    NO_SOURCE_CAS = "the decision does not ask for the attempt"
    DECIDES_ELSEWHERE = "the decision is sent on another connection than the lock"
    READY_EARLY = "the target is ready before the stream is drained"
    UNREADY_BLINDLY = "`ready` is taken back without asking the source under the fence"
    PURGES_AT_ONCE = "the old home is removed without waiting for readers"
    TAKES_SOURCE_ONLY = "a take-over leaves the attempt at the target alone"
    SKIPS_ADJACENT = "a commit that begins where the last one ended is skipped"
    ABORTS_UNREGISTERED = "an abort takes no attempt at the source"
    UNREADY_FIRST = "`ready` of another attempt is taken back before its attempt is"
    DROPS_ANYWAY = "an abort drops the target that a later attempt has taken"
    PURGES_UNCHECKED = "a purge does not ask for the attempt"


class Row(NamedTuple):
    """One row of `tenancy.tenant_home`."""

    state: str
    epoch: int
    attempt: int


class Data(NamedTuple):
    """What one home has committed in its epoch, and what the other has of it, applied up to a position."""

    written: int = 0
    there: int = 0
    position: int = 0


class Fence(NamedTuple):
    """The held transaction of one attempt, 0 for none; once its commit is sent nobody can take it back."""

    attempt: int = UNFENCED
    is_sent: bool = False


class Worker(NamedTuple):
    """One process' belief about the clinic's place, and how far its transaction is."""

    at: str = "idle"
    home: str = "a"
    epoch: int = 1
    seen: Row | None = None


class Mover(NamedTuple):
    """One process that works on the move."""

    at: str = "asks"
    attempt: int = 0


class World(NamedTuple):
    """One state of everything."""

    a: Row = Row("active", 1, 0)
    b: Row = Row("none", 0, 0)
    forth: Data = Data()
    back: Data = Data()
    fence_a: Fence = Fence()
    fence_b: Fence = Fence()
    removed: frozenset[str] = frozenset()
    journal: str = "open"
    writers: tuple[Worker, ...] = ()
    readers: tuple[Worker, ...] = ()
    movers: tuple[Mover, ...] = (Mover(), Mover())

    def row(self, home: str) -> Row:
        """Return the row of a home."""
        return self.a if home == "a" else self.b

    def fence(self, home: str) -> Fence:
        """Return the exclusive lock at a home."""
        return self.fence_a if home == "a" else self.fence_b

    def is_written_at(self, home: str) -> bool:
        """Return whether a transaction holds the shared lock at a home."""
        return any(w.at in {"locked", "inside"} and w.home == home for w in self.writers)

    def serving(self) -> list[tuple[str, int]]:
        """Return the homes that take the clinic in, with an epoch that somebody can hold; one, if all is well."""
        found = []
        if self.a.state == "active" or (self.a.state == "ready" and self.b.state == "moved"):
            found.append(("a", self.a.epoch))
        if self.b.state == "active" or (self.b.state == "ready" and self.a.epoch > 1):
            found.append(("b", self.b.epoch))
        return found


def broken(world: World) -> str | None:
    """Return what a state violates."""
    serving = world.serving()
    if len(serving) != 1:
        return f"I1: {len(serving)} homes serve"
    home, epoch = serving[0]
    arrived = {2: world.forth, 3: world.back}.get(epoch)
    if arrived is not None and arrived.there != arrived.written:
        return "I3: a home serves without every acknowledged write of the one before"
    if home in world.removed:
        return "I4: the rows of the serving home were removed"
    for reader in world.readers:
        if reader.at == "inside" and reader.home in world.removed:
            return "I9: rows were removed under a reader"
    return None


def broken_step(before: World, after: World) -> str | None:
    """Return what a step from one state to another violates."""
    for home in ("a", "b"):
        was, now = before.row(home), after.row(home)
        if now.state != "none" and now.attempt < was.attempt:
            return "I6: an attempt came back to life"
    if len(after.serving()) == 1 and after.serving()[0][1] < before.serving()[0][1]:
        return "I6: the clinic's epoch went back"
    return None
