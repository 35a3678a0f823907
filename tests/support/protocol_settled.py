"""The protocol model's steps after the decision: follow, go back, remove what was left."""

from collections.abc import Iterator

from protocol_act import (
    Act,
    Step,
    Steps,
    applied,
    decision,
    fenced,
    sent,
    taken_back,
    takes,
    unready,
)
from protocol_world import Flaw, Row


def _takes_back_first(act: Act) -> Iterator[Step]:
    world, changes = act.world, {}
    if world.a.state == "ready" and act.is_mine("a"):
        changes["a"] = world.a._replace(state="moved", epoch=2)
    known = max(world.a.attempt, world.b.attempt)
    yield "takes back the other's ready", act.then("takes a", known + 1, **changes)


def _asks_again(act: Act) -> Iterator[Step]:
    """With the attempt at both homes nobody else can change where the move stands."""
    world = act.world
    if not (act.is_settled("a") and act.is_settled("b")):
        return
    if world.b.state == "moved":
        yield "finds it rolled back", act.then("reopens")
    elif world.a.state == "ready":
        yield "finds a way back undecided", act.then("refreezes!")
    else:
        yield "finds it decided", act.then("follows")


def _follows(act: Act) -> Iterator[Step]:
    world = act.world
    if world.b.state == "ready" and act.is_mine("b"):
        yield "activates the target", act.then("follows", b=world.b._replace(state="active"))
    yield from applied(act, "back", "a", "follows")
    if world.journal == "grace":
        yield from fenced(act, "b", "drains back")
        yield "is to finish", act.then("purges a", journal="finishing")
    elif world.journal == "finishing":
        yield "goes on finishing", act.then("purges a")


def _drains_back(act: Act) -> Iterator[Step]:
    world = act.world
    yield from applied(act, "back", "a", "drains back")
    is_drained = world.back.position == world.back.written or act.flaw is Flaw.READY_EARLY
    if is_drained and act.is_mine("a") and world.a.state == "moved":
        yield (
            "makes the source ready",
            act.then("decides back", a=world.a._replace(state="ready", epoch=3)),
        )


def _decides_back(act: Act) -> Iterator[Step]:
    yield from decision(act, "b", 2, "refreezes")


def _reopens(act: Act) -> Iterator[Step]:
    world, changes = act.world, {}
    if world.a.state == "ready" and act.is_mine("a"):
        changes["a"] = world.a._replace(state="active")
    yield "activates the source", act.then("purges b", **changes)


def _purges(home: str, epoch: int) -> Steps:
    def steps(act: Act) -> Iterator[Step]:
        """Wait until nobody can read there, look whether the home was left."""
        is_read = any(
            r.at in {"locked", "inside"} and (r.home, r.epoch) == (home, epoch)
            for r in act.world.readers
        )
        if is_read and act.flaw is not Flaw.PURGES_AT_ONCE:
            return
        if _is_left(act, home):
            yield f"may remove {home}", act.then(f"removes {home}")
        else:
            yield "finds that the home was not left", act.then("asks", 0)

    return steps


def _removes(home: str) -> Steps:
    def steps(act: Act) -> Iterator[Step]:
        """Remove the rows; the home's row is held under the attempt meanwhile."""
        if _is_left(act, home):
            yield f"removes {home}", act.then("done", removed=act.world.removed | {home})
        else:
            yield "finds that the home was not left", act.then("asks", 0)

    return steps


def _is_left(act: Act, home: str) -> bool:
    if act.flaw is Flaw.PURGES_UNCHECKED:
        return True
    return act.world.row(home).state == "moved" and act.is_mine(home)


SETTLED_STEPS: dict[str, Steps] = {
    "takes back first": _takes_back_first,
    "takes a": takes("a", "takes b"),
    "takes b": takes("b", "asks again"),
    "asks again": _asks_again,
    "follows": _follows,
    "drains back": _drains_back,
    "decides back": _decides_back,
    "sent b": sent("b", "reopens", "refreezes"),
    "refreezes": taken_back("b", "a", Row("moved", 2, 0), "refreezes"),
    "refreezes!": unready("a", "moved", 2, "follows"),
    "reopens": _reopens,
    "purges a": _purges("a", 1),
    "purges b": _purges("b", 2),
    "removes a": _removes("a"),
    "removes b": _removes("b"),
}
