"""The protocol model's steps to the decision, and those that give a move up."""

from collections.abc import Iterator

from protocol_act import (
    ATTEMPTS_MAX,
    Act,
    Step,
    Steps,
    applied,
    decision,
    fenced,
    sent,
    taken_back,
    unready,
)
from protocol_world import Data, Flaw, Row


def _registers(act: Act) -> Iterator[Step]:
    world = act.world
    if act.is_locked_by_row("a"):
        return
    if (world.a.state, world.a.epoch) != ("active", 1):
        yield "is too late", act.then("asks", 0)
    elif max(world.a.attempt, world.b.attempt) < ATTEMPTS_MAX:
        mine = max(world.a.attempt, world.b.attempt) + 1
        yield (
            "registers at the source",
            act.then("claims", mine, a=world.a._replace(attempt=mine)),
        )


def _claims(act: Act) -> Iterator[Step]:
    world = act.world
    if world.b.state == "active" or world.b.attempt >= act.me.attempt:
        yield "is not let in at the target", act.then("asks", 0)
    else:
        is_left = act.flaw is Flaw.TAKES_SOURCE_ONLY and world.b.attempt
        loading = Row("loading", 1, world.b.attempt if is_left else act.me.attempt)
        yield (
            "registers at the target",
            act.then("copies", b=loading, removed=world.removed - {"b"}),
        )


def _copies(act: Act) -> Iterator[Step]:
    """Empty the target and fill it with what a snapshot of the source shows."""
    if act.is_mine("b") and (act.world.b.state == "loading" or act.flaw is Flaw.NO_TARGET_ATTEMPT):
        written = act.world.forth.written
        yield "copies", act.then("streams", forth=Data(written, written, written), back=Data())


def _streams(act: Act) -> Iterator[Step]:
    yield from applied(act, "forth", "b", "streams")
    yield from fenced(act, "a", "drains")


def _drains(act: Act) -> Iterator[Step]:
    world = act.world
    yield from applied(act, "forth", "b", "drains")
    is_drained = world.forth.position == world.forth.written or act.flaw is Flaw.READY_EARLY
    if is_drained and act.is_mine("b") and world.b.state == "loading":
        ready = world.b._replace(state="ready", epoch=2)
        yield "makes the target ready", act.then("decides", b=ready, back=Data())


def _decides(act: Act) -> Iterator[Step]:
    yield from decision(act, "a", 1, "unreadies")


def _aborts(act: Act) -> Iterator[Step]:
    world = act.world
    if act.flaw is Flaw.ABORTS_UNREGISTERED:
        yield "does not register", act.then("fences out", max(world.a.attempt, world.b.attempt) + 1)
    elif not act.is_locked_by_row("a"):
        if (world.a.state, world.a.epoch) != ("active", 1):
            yield "cannot abort", act.then("asks", 0)
        elif (mine := max(world.a.attempt, world.b.attempt) + 1) <= ATTEMPTS_MAX:
            yield (
                "registers to abort",
                act.then("fences out", mine, a=world.a._replace(attempt=mine)),
            )


def _fences_out(act: Act) -> Iterator[Step]:
    row, mine = act.world.b, act.me.attempt
    if row.state == "active" or (row.attempt >= mine and act.flaw is not Flaw.DROPS_ANYWAY):
        yield "is not let in at the target", act.then("asks", 0)
    else:
        fenced = {"b": Row("loading", 1, mine)} if row.attempt < mine else {}
        yield "fences the target out", act.then("drops", **fenced)


def _drops(act: Act) -> Iterator[Step]:
    """Remove the target and its row, which are held under the attempt meanwhile."""
    if act.is_mine("b") or act.flaw is Flaw.DROPS_ANYWAY:
        removed = act.world.removed | {"b"}
        yield "drops the target", act.then("done", b=Row("none", 0, 0), removed=removed)
    else:
        yield "finds the target taken", act.then("asks", 0)


FORWARD_STEPS: dict[str, Steps] = {
    "registers": _registers,
    "claims": _claims,
    "copies": _copies,
    "streams": _streams,
    "drains": _drains,
    "decides": _decides,
    "sent a": sent("a", "follows", "unreadies"),
    "unreadies": taken_back("a", "b", Row("loading", 1, 0), "unreadies"),
    "unreadies!": unready("b", "loading", 1, "streams"),
    "aborts": _aborts,
    "fences out": _fences_out,
    "drops": _drops,
}
