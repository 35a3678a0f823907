"""Two servers, a clinic at work between them, and what may befall its mover; in the end, what must hold whatever befell."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
from msgspec import structs
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError

from aftermath import Aftermath
from app.postgres import EmbeddedServer
from app.preparation import prepare_server, tenancy_options
from app.settings import Settings
from domain.operations.models import TenantSetting
from echo import Echo
from fault_cases import OF_THE_MOVER, Case, Seen
from killable_servers import KILLABLE, MAIN, SECOND, add_server
from mover_process import MoverProcess, Orders
from moves import contents, mover_of, placement_of
from servers import running_server, throw_away_directory
from set_ups import provisioner_of, seed, wanted
from severed import SeverableWay
from tenancy.errors import TenancyError
from tenancy.modes import Mode
from tenancy.mover.errors import MoveStateError
from tenancy.registry.move_models import MoveRow
from tenancy.registry.moves import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName, TenantId
from workload import Workload

OPERATOR = PlatformActor()
TAKE_OVER_S_MAX: Final = 60.0
CHILD_S_MAX: Final = 45.0
DOWN_S: Final = 0.5
PACE_S: Final = 0.08
STOPPED_S: Final = 3.0
SLOW_S: Final = 4.0
ANSWER_DELAY_S: Final = 0.2
GONE_S_MAX: Final = 10.0
HEALTHY_S: Final = 0.2

BROUGHT_ABOUT = (
    TenancyError,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # now and then, of a connection that is lost while it is given back
    OSError,
    TimeoutError,
)
"""What a client may see when its server is killed."""


class FaultGround:
    """Two servers and everything on them."""

    def __init__(
        self, tenancy: Tenancy, stale: Tenancy, servers: dict[str, EmbeddedServer], room: Path
    ) -> None:
        self.tenancy = tenancy
        self.stale = stale
        self._servers = servers
        self._room = room
        self._aftermath = Aftermath(tenancy, stale, servers)
        self._neighbours: list[Placement] = []
        self._ways_made = 0

    async def prepare(self) -> None:
        """Give the clinics that are moved neighbours in each pool."""
        for server in self._servers:
            neighbour = await self.clinic(StrategyName.ROW, server)
            await Workload(self.tenancy, neighbour).prepare()
            self._neighbours.append(await placement_of(self.tenancy, neighbour))

    async def clinic(self, strategy: StrategyName, server: str) -> TenantId:
        made = await provisioner_of(self.tenancy).create(wanted(strategy, server=server), seed)
        return made.id

    async def run(self, case: Case) -> Seen:
        """Let it happen; raise where something that must hold does not."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        tenant_id = await self.clinic(case.way.source, case.way.source_server)
        origin = await placement_of(self.tenancy, tenant_id)
        beside = [await contents(self.tenancy, placement) for placement in self._neighbours]
        workload, echo = Workload(self.tenancy, tenant_id), Echo(self.tenancy, tenant_id)
        await workload.prepare()
        await echo.prepare()
        async with self.stale.session(tenant_id, Mode.READ) as session:
            await session.scalar(select(TenantSetting.version).limit(1))
        if case.fault.startswith("kill_"):
            workload.tolerated = echo.tolerated = BROUGHT_ABOUT
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(workload.run(stop, writers=2, readers=1, pause_s=PACE_S))
            group.create_task(echo.run(stop))
            try:
                said, record = await self._befall(case, tenant_id, origin)
                workload.tolerated = echo.tolerated = ()
                before, heard = len(workload.acknowledged), echo.heard
                await asyncio.sleep(HEALTHY_S)
                await self._until(lambda: len(workload.acknowledged) > before + 2)
                await self._until(lambda: echo.heard > heard)
            finally:
                stop.set()
        await self._aftermath.check(tenant_id, origin, record)
        await workload.check()
        for placement, before_it in zip(self._neighbours, beside, strict=True):
            assert await contents(self.tenancy, placement) == before_it
        return Seen(
            ended=record.status,
            process_said=said,
            acknowledged=len(workload.acknowledged),
            unknown=len(workload.unknown),
            longest_write_ms=max(workload.write_ms),
            seconds=loop.time() - began,
        )

    async def _befall(
        self, case: Case, tenant_id: TenantId, origin: Placement
    ) -> tuple[str | None, MoveRecord]:
        way = await self._severable(case)
        orders = Orders(
            options=self.tenancy.options,
            tenant_id=tenant_id,
            strategy=case.way.target,
            server=case.way.target_server,
            goal=case.goal,
            phase=case.phase,
            occurrence=case.occurrence,
            fault=case.fault if case.fault in OF_THE_MOVER else "wait",
            is_late=case.is_late,
            detours={} if way is None else {way.address.name: way.address},
        )
        process = MoverProcess(orders)
        try:
            assert await process.until_hit(CHILD_S_MAX), f"was not hit: {process.said}"
            struck = asyncio.get_running_loop().time()
            await self._strike(case, process, way)
            if case.fault != "stop" and not case.fault.startswith(("hush_", "half_")):
                await process.until_ended(CHILD_S_MAX)
            record = await self._take_over(process, case, origin)
            if case.fault == "stop":
                await asyncio.sleep(struck + STOPPED_S - asyncio.get_running_loop().time())
                process.signal(signal.SIGCONT)
            if way is not None:
                way.cut()
            await process.until_ended(CHILD_S_MAX)
            return process.said, record
        finally:
            process.close()
            if way is not None:
                await way.close()

    async def _severable(self, case: Case) -> SeverableWay | None:
        if not case.fault.startswith(("cut_", "hush_", "half_", "slow_")):
            return None
        directory = self._room / f"way{self._ways_made}"
        self._ways_made += 1
        directory.mkdir()
        way = SeverableWay(self._struck(case).address, directory)
        await way.open()
        return way

    def _struck(self, case: Case) -> EmbeddedServer:
        is_source = case.fault.endswith("_source")
        return self._servers[case.way.source_server if is_source else case.way.target_server]

    async def _strike(self, case: Case, process: MoverProcess, way: SeverableWay | None) -> None:
        if case.fault in OF_THE_MOVER:
            return
        if case.fault.startswith("kill_"):
            server = self._struck(case)
            os.kill(server._known().pid, signal.SIGKILL)
            process.go()
            await asyncio.sleep(DOWN_S)
            await asyncio.to_thread(server.revive)
            return
        assert way is not None
        match case.fault.partition("_")[0]:
            case "cut":
                way.cut()
            case "half":
                way.halve()
            case "slow":
                way.slow(ANSWER_DELAY_S)
            case _:
                way.hush()
        process.go()
        if case.fault.startswith("slow_"):
            await asyncio.sleep(SLOW_S)
            way.heal()

    async def _take_over(self, process: MoverProcess, case: Case, origin: Placement) -> MoveRecord:
        """Go on as another server process would, until the move has ended; the dead one's heartbeat has stopped."""
        assert process.move_id is not None
        taker = mover_of(self.tenancy, worker=f"taker of {process.move_id}")
        if case.goal == "abort":
            with suppress(MoveStateError):  # it was decided, or has ended
                await taker.want(process.move_id, "abort", actor=OPERATOR)
        record = await self._persist(taker, process.move_id, origin, stays=False)
        if not record.status.is_ended:
            assert record.status is MoveStatus.GRACE, record.status
            await self._aftermath.refuses_old_epoch(origin)
            wanted_now = "rollback" if case.goal == "rollback" else "finish"
            await taker.want(record.id, wanted_now, actor=OPERATOR)
            record = await self._persist(taker, process.move_id, origin, stays=True)
        assert record.status.is_ended, record.status
        return record

    async def _persist(
        self, taker: Any, move_id: Any, origin: Placement, *, stays: bool
    ) -> MoveRecord:
        deadline = asyncio.get_running_loop().time() + TAKE_OVER_S_MAX
        while True:
            record: MoveRecord = await taker.move(move_id)
            if record.status.is_ended:
                return record
            await self._expire_heartbeat(move_id)
            try:
                async with asyncio.timeout_at(deadline):
                    return await taker.work(move_id, stays=stays)
            except BROUGHT_ABOUT:
                record = await taker.move(move_id)
                if record.status.is_ended:
                    return record
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.3)

    async def _expire_heartbeat(self, move_id: Any) -> None:
        async with self.tenancy.registry_engine.begin() as connection:
            await connection.execute(
                update(MoveRow).where(MoveRow.id == move_id).values(worker=None, heartbeat_at=None)
            )

    async def sweep(self) -> None:
        """Remove what a case that failed has left, so that the next one is judged by itself."""
        async with self.tenancy.registry_engine.begin() as connection:
            await connection.execute(
                update(MoveRow)
                .where(MoveRow.ended_at.is_(None))
                .values(status=MoveStatus.ABORTED.value, ended_at=func.now(), worker=None)
            )
        for server in self._servers.values():
            administrator = await asyncpg.connect(**server.administrator)
            try:
                await administrator.execute(
                    "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = 'clinic_mover'"
                )
                await administrator.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                )
            finally:
                await administrator.close()

    async def _until(self, holds: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + GONE_S_MAX
        while not holds():
            assert asyncio.get_running_loop().time() < deadline, "the clinic does not go on"
            await asyncio.sleep(0.05)


@asynccontextmanager
async def fault_ground(settings: Settings) -> AsyncIterator[FaultGround]:
    """Yield two servers that may be killed; the registry is on the first."""
    with (
        throw_away_directory() as first,
        throw_away_directory() as other,
        throw_away_directory() as room,
        running_server(first, name=MAIN, tuning=KILLABLE) as main,
        running_server(other, name=SECOND, tuning=KILLABLE) as second,
    ):
        await prepare_server(settings, main)
        options = tenancy_options(settings, main.address)
        await add_server(settings, main, second)
        stale = Tenancy(structs.replace(options, cache_s_max=3600.0))
        try:
            async with Tenancy(options) as tenancy:
                ground = FaultGround(tenancy, stale, {MAIN: main, SECOND: second}, room)
                await ground.prepare()
                yield ground
        finally:
            await stale.close()
