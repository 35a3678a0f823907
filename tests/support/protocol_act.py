"""One mover in one state of the protocol model's world, and the steps that both directions of a move have."""

from collections.abc import Callable, Iterator

from protocol_world import UNFENCED, Data, Fence, Flaw, Mover, Row, World

ATTEMPTS_MAX = 3
Step = tuple[str, World]
Steps = Callable[["Act"], Iterator[Step]]


class Act:
    """One mover in one state of the world."""

    def __init__(self, world: World, number: int, flaw: Flaw | None) -> None:
        self.world = world
        self.number = number
        self.me = world.movers[number]
        self.flaw = flaw

    def then(self, at: str, attempt: int | None = None, **changes) -> World:
        """Return the world with this mover at its next place and with what it changed."""
        movers = list(self.world.movers)
        movers[self.number] = Mover(at, self.me.attempt if attempt is None else attempt)
        return self.world._replace(movers=tuple(movers), **changes)

    def is_mine(self, home: str) -> bool:
        if home == "b" and self.flaw is Flaw.NO_TARGET_ATTEMPT:
            return True
        if home == "b" and self.flaw is Flaw.TAKES_SOURCE_ONLY:
            return 0 < self.world.b.attempt <= self.me.attempt
        return self.world.row(home).attempt == self.me.attempt

    def is_settled(self, home: str) -> bool:
        """Whether the shared lock is granted: no cut-over is under way there."""
        return self.world.fence(home).attempt == UNFENCED

    def is_locked_by_row(self, home: str) -> bool:
        """Whether another transaction has changed the row and not ended: updates of it wait."""
        return self.world.fence(home).is_sent


def applied(act: Act, which: str, home: str, place: str) -> Iterator[Step]:
    """Apply the next transaction, unless its position says that it was."""
    data: Data = getattr(act.world, which)
    if data.position < data.written and act.is_mine(home):
        is_fresh = act.flaw is not Flaw.SKIPS_ADJACENT
        done = data._replace(there=data.there + is_fresh, position=data.position + 1)
        yield f"applies at {home}", act.then(place, **{which: done})


def fenced(act: Act, home: str, place: str) -> Iterator[Step]:
    if act.is_settled(home) and not act.world.is_written_at(home):
        yield (
            f"takes the fence at {home}",
            act.then(place, **{f"fence_{home}": Fence(act.me.attempt)}),
        )


def decision(act: Act, home: str, epoch: int, otherwise: str) -> Iterator[Step]:
    row, fence = act.world.row(home), act.world.fence(home)
    is_held = fence == Fence(act.me.attempt) or act.flaw is Flaw.DECIDES_ELSEWHERE
    is_allowed = act.is_mine(home) or act.flaw is Flaw.NO_SOURCE_CAS
    if is_held and is_allowed and (row.state, row.epoch) == ("active", epoch):
        sent = Fence(act.me.attempt, is_sent=True)
        yield f"sends the decision at {home}", act.then(f"sent {home}", **{f"fence_{home}": sent})
    else:
        freed = {f"fence_{home}": Fence()} if fence == Fence(act.me.attempt) else {}
        yield "cannot decide", act.then(otherwise, **freed)


def sent(home: str, after: str, otherwise: str) -> Steps:
    def steps(act: Act) -> Iterator[Step]:
        """Hear of the decision, or hear nothing."""
        if act.world.row(home).state == "moved" and act.is_mine(home):
            yield "hears of the decision", act.then(after)
        yield "hears nothing", act.then(otherwise)

    return steps


def taken_back(from_home: str, home: str, back_to: Row, after: str) -> Steps:
    def steps(act: Act) -> Iterator[Step]:
        """Take back `ready`, once the home that decides was seen undecided under its fence."""
        decides = act.world.row(from_home)
        is_blind = act.flaw is Flaw.UNREADY_BLINDLY
        if not is_blind and not act.is_settled(from_home):
            return
        if decides.state != "active" or decides.attempt != act.me.attempt:
            yield "finds it decided or lost", act.then("asks", 0)
            return
        yield "sees it undecided", act.then(f"{after}!")

    return steps


def unready(home: str, state: str, epoch: int, after: str) -> Steps:
    def steps(act: Act) -> Iterator[Step]:
        row = act.world.row(home)
        changes = {}
        if row.state == "ready" and act.is_mine(home):
            changes[home] = row._replace(state=state, epoch=epoch)
        yield "takes back ready", act.then(after, **changes)

    return steps


def takes(home: str, after: str) -> Steps:
    def steps(act: Act) -> Iterator[Step]:
        row, mine = act.world.row(home), act.me.attempt
        if act.is_locked_by_row(home):
            return
        if row.attempt >= mine:
            yield f"is refused at {home}", act.then("asks", 0)
        else:
            yield f"takes {home}", act.then(after, **{home: row._replace(attempt=mine)})
            if home == "b" and act.flaw is Flaw.TAKES_SOURCE_ONLY:
                yield "leaves the target", act.then(after)

    return steps
