"""What a mover of the protocol model does, step by step as `tenancy.mover` does it, and what the servers do on their own.

Each step is one transaction.
"""

from collections.abc import Iterator

from protocol_act import ATTEMPTS_MAX, Act, Step, Steps
from protocol_forward import FORWARD_STEPS
from protocol_settled import SETTLED_STEPS
from protocol_world import UNFENCED, Fence, Flaw, World


def mover_steps(world: World, number: int, flaw: Flaw | None) -> Iterator[Step]:
    """Yield what one mover can do next, and that it dies."""
    act = Act(world, number, flaw)
    for label, after in _STEPS.get(act.me.at, _nothing)(act):
        yield f"mover {number} {label}", after
    if act.me.at != "asks":
        fences = {
            f"fence_{home}": Fence()
            for home in ("a", "b")
            if world.fence(home) == Fence(act.me.attempt)
        }
        yield f"mover {number} dies and starts again", act.then("asks", 0, **fences)


def server_steps(world: World) -> Iterator[Step]:
    """Yield what the servers do on their own: end a fence, or carry out a commit that was sent."""
    for home, epoch in (("a", 2), ("b", 3)):
        fence = world.fence(home)
        if fence.attempt != UNFENCED:
            yield (
                f"the server ends the fence at {home}",
                world._replace(**{f"fence_{home}": Fence()}),
            )
        if fence.is_sent:
            moved = world.row(home)._replace(state="moved", epoch=epoch)
            yield (
                f"the commit at {home} is done",
                world._replace(**{f"fence_{home}": Fence(), home: moved}),
            )


def _nothing(_act: Act) -> Iterator[Step]:
    yield from ()


def _asks(act: Act) -> Iterator[Step]:
    """Ask the homes where the move stands."""
    world = act.world
    if not act.is_settled("a"):
        return
    if (world.a.state, world.a.epoch) == ("active", 1):
        yield from _undecided(act)
    elif act.is_settled("b") and world.journal in {"grace", "finishing"}:
        yield from _decided(act)


def _undecided(act: Act) -> Iterator[Step]:
    journal = act.world.journal
    if journal in {"open", "kept open"}:
        yield "sees no decision", act.then("registers")
    if journal == "open":
        yield "is to abort", act.then("aborts", journal="aborting")
    if journal == "aborting":
        yield "goes on aborting", act.then("aborts")


def _decided(act: Act) -> Iterator[Step]:
    world = act.world
    known = max(world.a.attempt, world.b.attempt)
    if known >= ATTEMPTS_MAX:
        return
    if act.flaw is Flaw.UNREADY_FIRST and (world.a.state, world.b.state) == ("ready", "active"):
        # In two steps: what was seen, then what is done about it.
        yield "sees an undecided way back", act.then("takes back first", world.a.attempt)
    else:
        yield "takes over", act.then("takes a", known + 1)


_STEPS: dict[str, Steps] = {"asks": _asks} | FORWARD_STEPS | SETTLED_STEPS
