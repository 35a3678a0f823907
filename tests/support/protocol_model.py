"""Every interleaving of the move's protocol as it is built: breadth first, with a crash or a time-out at any step.

Two movers, each a zombie of the other whenever it sleeps, work on one move while writers and readers with stale beliefs
use the clinic.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from protocol_movers import mover_steps, server_steps
from protocol_workers import ForbiddenCommitError, Step, reader_steps, writer_steps
from protocol_world import Data, Flaw, Mover, Row, Worker, World, broken, broken_step

STATES_MAX = 2_000_000


class Found(NamedTuple):
    """How much was looked at, and the shortest way to a violation, if there is one."""

    states: int
    violation: str | None
    trace: tuple[str, ...]


def _undecided(journal: str, writers: int) -> World:
    return World(journal=journal, writers=(Worker(),) * writers)


def _decided(writers: int, readers: int) -> World:
    """Return the world right after the decision; nobody has been told, and one mover knows of it."""
    return World(
        a=Row("moved", 2, 1),
        b=Row("ready", 2, 1),
        forth=Data(1, 1, 1),
        journal="grace",
        writers=(Worker(),) * writers,
        readers=(Worker(),) * readers,
        movers=(Mover("follows", 1), Mover()),
    )


SCENES = {
    "on the way": _undecided("kept open", 1),
    "given up": _undecided("open", 0),
    "way back": _decided(1, 0),
    "read while removed": _decided(0, 1),
}
"""Parts of the protocol that are looked at apart, so that each is small enough to be looked at wholly."""


def explore(start: World, flaw: Flaw | None = None) -> Found:
    """Look at every state that can be reached."""
    came_from: dict[World, tuple[str, World] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        violation = broken(world)
        try:
            for label, after in () if violation else _steps(world, flaw):
                if after in came_from:
                    continue
                came_from[after] = (label, world)
                violation = violation or broken_step(world, after)
                waiting.append(after)
        except ForbiddenCommitError as error:
            violation = str(error)
        if violation:
            return Found(len(came_from), violation, _trace(came_from, world))
        assert len(came_from) < STATES_MAX
    return Found(len(came_from), None, ())


def _steps(world: World, flaw: Flaw | None) -> Iterator[Step]:
    for number in range(len(world.writers)):
        yield from writer_steps(world, number, flaw)
    for number in range(len(world.readers)):
        yield from reader_steps(world, number)
    for number in range(len(world.movers)):
        yield from mover_steps(world, number, flaw)
    yield from server_steps(world)


def _trace(came_from: dict[World, tuple[str, World] | None], world: World) -> tuple[str, ...]:
    labels = []
    while (step := came_from[world]) is not None:
        labels.append(step[0])
        world = step[1]
    return tuple(reversed(labels))
