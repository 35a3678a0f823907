"""A mover in a process of its own, which does at a phase what a fault wants: dies, stops, fails, or waits for a word.

The processes are forked from a server that has imported everything already; a fault costs its own time alone.
"""

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from contextlib import nullcontext, suppress
from multiprocessing.connection import Connection
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from moves import mover_of
from tenancy.mover.mover import Mover, MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy, TenancyOptions
from tenancy.tenant import Server, StrategyName, TenantId

WORD_S_MAX: Final = 60.0
GIVEN_UP_AT: Final = Phase.CAUGHT_UP
"""Where a move has made everything that an abort has to remove."""

OPERATOR = PlatformActor()


class InjectedError(Exception):
    """What a fault test lets happen inside the mover."""


class Orders(Struct, frozen=True, kw_only=True):
    """What a mover process is to do, and what is to happen to it on the way."""

    options: TenancyOptions
    tenant_id: TenantId
    strategy: StrategyName
    server: str
    goal: str
    """`grace`, `finish`, `rollback` or `abort`."""
    phase: Phase
    occurrence: int = 1
    fault: str = "kill"
    """`kill`, `stop`, `raise`, or `wait` for a word of the parent."""
    is_late: bool = False
    """Strike only once the goal is asked for: some phases are passed on the way there, too."""
    detours: dict[str, Server] = {}
    """Servers that are reached another way: through a proxy. The registry is not among them."""


class DetouredTenancy(Tenancy):
    """A tenancy that reaches some servers through a proxy."""

    def __init__(self, options: TenancyOptions, detours: dict[str, Server]) -> None:
        super().__init__(options)
        self._detours = detours

    async def _server(self, name: str) -> Server:
        return self._detours.get(name) or await super()._server(name)


class _Fault:
    """Counts the phases and strikes at the wanted one, once."""

    def __init__(self, orders: Orders, parent: Connection) -> None:
        self._orders = orders
        self._parent = parent
        self._seen: Counter[Phase] = Counter()
        self._is_armed = not orders.is_late

    def arm(self) -> None:
        """The goal is asked for: strike from now on."""
        self._is_armed = True

    def reached(self, phase: Phase) -> None:
        if not self._is_armed:
            if self._orders.goal == "abort" and phase is GIVEN_UP_AT:
                raise InjectedError(phase.value)
            return
        self._seen[phase] += 1
        if phase is not self._orders.phase or self._seen[phase] != self._orders.occurrence:
            return
        self._parent.send(("at", phase.value))
        match self._orders.fault:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise":
                raise InjectedError(phase.value)
            case _:
                if self._parent.poll(WORD_S_MAX):
                    self._parent.recv()


async def _work(orders: Orders, parent: Connection) -> str:
    fault = _Fault(orders, parent)
    async with DetouredTenancy(orders.options, dict(orders.detours)) as tenancy:
        mover = mover_of(tenancy, worker=f"process {os.getpid()}", reached=fault.reached)
        request = MoveRequest(
            tenant_id=orders.tenant_id, strategy=orders.strategy, server=orders.server
        )
        move_id = (await mover.start(request, actor=OPERATOR)).id
        parent.send(("move", move_id))
        fault.reached(Phase.PLANNED)
        return await _bring(mover, move_id, orders, fault)


async def _bring(mover: Mover, move_id: UUID, orders: Orders, fault: _Fault) -> str:
    """Work on a move until it stands where it is to stand; return its status."""
    gives_up = orders.goal == "abort" and orders.is_late
    with suppress(InjectedError) if gives_up else nullcontext():
        await mover.work(move_id, stays=False)
    record = await mover.move(move_id)
    goes_on = orders.goal in {"finish", "rollback"} or gives_up
    if goes_on and not record.status.is_ended:
        await mover.want(move_id, orders.goal, actor=OPERATOR)
        fault.arm()
        record = await mover.work(move_id)
    return record.status.value


def _main(orders: Orders, parent: Connection) -> None:
    try:
        said: Any = ("end", asyncio.run(_work(orders, parent)))
    except BaseException as error:  # noqa: BLE001  # told to the parent, whatever it is
        said = ("error", f"{type(error).__name__}: {error}")
    parent.send(said)


class MoverProcess:
    """The parent's side of one mover process."""

    _fork = multiprocessing.get_context("forkserver")
    _fork.set_forkserver_preload(["mover_process"])

    def __init__(self, orders: Orders) -> None:
        self._here, there = self._fork.Pipe()
        self._process = self._fork.Process(target=_main, args=(orders, there), daemon=True)
        self._process.start()
        there.close()
        self.move_id: UUID | None = None
        self.was_hit = False
        self.said: str | None = None

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    async def until_hit(self, wait_s_max: float) -> bool:
        """Return True when the phase of the fault is reached, False when the process ended without."""
        await asyncio.to_thread(self._listen, wait_s_max, stops_at_hit=True)
        return self.was_hit

    async def until_ended(self, wait_s_max: float) -> str | None:
        """Return what the process said at its end, None when it just died; raise when it does not end."""
        await asyncio.to_thread(self._listen, wait_s_max, stops_at_hit=False)
        await asyncio.to_thread(self._process.join, wait_s_max)
        if self._process.exitcode is None:
            raise TimeoutError
        return self.said

    def go(self) -> None:
        """Let it go on after the phase."""
        self._here.send("go")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def close(self) -> None:
        """Let nothing of it be left."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._process.close()
        self._here.close()

    def _listen(self, wait_s_max: float, *, stops_at_hit: bool) -> None:
        try:
            while self._here.poll(wait_s_max):
                kind, value = self._here.recv()
                if kind == "move":
                    self.move_id = value
                elif kind == "at":
                    self.was_hit = True
                    if stops_at_hit:
                        return
                else:
                    self.said = f"{kind} {value}"
                    return
        except (EOFError, ConnectionResetError):
            return
        raise TimeoutError
