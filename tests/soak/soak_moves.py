"""Moves one clinic again and again while it and two others work, through real server processes: `just soak-moves N`.

A program, not a test. The servers are `clinic serve` with two workers, the mover is a process of its own, the clients
speak HTTP. What was seen is printed and written to `docs/soak-moves.md`; a failed or refused request, or a write that
is not there exactly once, makes it end with an error.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from msgspec import Struct
from soak_report import Moved, report
from sqlalchemy import func, select
from traffic import Answer, Connection, Traffic

from app.cli.workplace import Workplace, run_job
from app.settings import Settings
from domain.organisation.identity_documents import make_valid
from domain.organisation.models import Person
from moves import mover_of
from served import SignedUp, environment, serving
from servers import throw_away_directory
from tenancy.modes import Mode
from tenancy.mover.attempt import INSIDE_THE_PAUSE
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.registry.records import PlatformActor
from tenancy.tenant import StrategyName, TenantId

REPORT = Path(__file__).resolve().parents[2] / "docs" / "soak-moves.md"
ROW, SCHEMA, DATABASE = StrategyName
# Every direction once in six moves.
ROUND: Final = (SCHEMA, DATABASE, ROW, DATABASE, SCHEMA, ROW)
NAMESPACES: Final = ("clinic", "scheduling", "ai", "notifications")
NEW_PATIENTS_SHARE: Final = 0.1
"""Of the writes; the others change what is there, so that the clinic does not grow without end."""

PATIENT_WRITERS: Final = 8
"""Each changes a patient of its own."""

MOVES_A_CLINIC: Final = 48
"""Then comes the next one: each write leaves an audit event, so a clinic under such a load grows by the second."""

READERS: Final = 8
OTHER_RATE: Final = 20.0
FAMILY = "Soak"


async def keep_moving(workplace: Workplace, tenant_id: TenantId, moves: int) -> None:
    """Move the clinic `moves` times; print a line of JSON for each."""
    times: dict[Phase, float] = {}

    def reached(phase: Phase) -> None:
        times[phase] = time.monotonic()

    await workplace.tenancy.open()
    mover = mover_of(workplace.tenancy, worker=f"soak {os.getpid()}", reached=reached)
    before: StrategyName = ROW
    for strategy in itertools.islice(itertools.cycle(ROUND), moves):
        began_at = time.monotonic()
        request = MoveRequest(tenant_id=tenant_id, strategy=strategy)
        record = await mover.start(request, actor=PlatformActor())
        record = await mover.work(record.id, stays=False)
        moved = {
            "direction": f"{before.value} to {strategy.value}",
            "began_at": began_at,
            "locked_at": times[Phase.LOCKED],
            "decided_at": times[Phase.DECIDED],
            "ended_at": time.monotonic(),
            "pause_ms": record.report["pause_ms"],
            "cut_overs": record.report["cut_overs"],
            "rows": sum(table["rows"] for table in record.report["tables"].values()),
            "steps": {
                phase.value: round((times[phase] - times[Phase.LOCKED]) * 1000, 2)
                for phase in INSIDE_THE_PAUSE
            },
        }
        print(json.dumps(moved), flush=True)
        before = strategy


async def moves_of(data_dir: Path, tenant_id: TenantId, moves: int) -> list[Moved]:
    """Let another process move the clinic; return what it tells."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--mover",
        str(tenant_id),
        str(moves),
        env=environment(data_dir, {"PYTHONPATH": os.environ["PYTHONPATH"]}),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    moved = []
    async for line in process.stdout:
        moved.append(Moved(**json.loads(line)))
        print(f"{len(moved)}: {moved[-1].direction}, {moved[-1].pause_ms} ms", flush=True)
    if await process.wait() != 0:
        print("the mover ended with an error", file=sys.stderr)
    return moved


class Soak:
    """One run."""

    def __init__(
        self, port: int, clinics: Sequence[SignedUp], *, writes: float, reads: float
    ) -> None:
        self._port = port
        self._clinic, *self._others = clinics
        self._writes = writes
        self._reads = reads
        self.traffic = Traffic()
        self._numbers = itertools.count(1)

    def _connection(self, clinic: SignedUp) -> Connection:
        return Connection(self._port, clinic.headers)

    def _patient(self) -> tuple[str, str, Any]:
        number = next(self._numbers)
        body = {
            "given_names": "José",
            "family_name": FAMILY,
            "birth_date": "1990-05-17",
            "identifiers": [
                {"kind": "dni", "country": "PE", "value": make_valid("dni", "PE", number)}
            ],
        }
        return "POST", "/api/v1/patients", body

    def _tasks(self) -> Iterator[Any]:
        traffic, clinic = self.traffic, self._clinic
        yield traffic.repeat(
            "write", self._connection(clinic), self._writes * NEW_PATIENTS_SHARE, self._patient
        )
        each = self._writes * (1 - NEW_PATIENTS_SHARE) / (len(NAMESPACES) + PATIENT_WRITERS)
        for namespace in NAMESPACES:
            yield traffic.settings("write", self._connection(clinic), namespace, each)
        for _ in range(PATIENT_WRITERS):
            yield self._changing_patient(self._connection(clinic), each)
        for _ in range(READERS):
            yield traffic.repeat("read", self._connection(clinic), self._reads / READERS, _branches)
        for other in self._others:
            yield traffic.repeat("other", self._connection(other), OTHER_RATE, _branches)
            yield traffic.settings("other", self._connection(other), "clinic", OTHER_RATE / 2)

    async def _changing_patient(self, connection: Connection, rate: float) -> None:
        answer = await self.traffic.once("write", connection, *self._patient())
        path = f"/api/v1/patients/{json.loads(answer)['id']}"
        await self.traffic.versions(
            "write", connection, "PATCH", path, {"do_not_contact": True}, rate
        )

    async def run(self, moving: Any, *, quiet_s: float) -> tuple[list[Moved], float]:
        """Let everybody work, first for a while without a move; return the moves and when they began."""
        async with asyncio.TaskGroup() as group:
            for task in self._tasks():
                group.create_task(task)
            try:
                await asyncio.sleep(quiet_s)
                moves_begin = time.monotonic()
                moved = await moving
            finally:
                self.traffic.stop.set()
        return moved, moves_begin


def _branches() -> tuple[str, str]:
    return "GET", "/api/v1/branches"


async def exactly_once(workplace: Workplace, tenant_id: TenantId, acknowledged: int) -> str:
    """Return what differs between the acknowledged new patients and those that are there, empty if nothing does."""
    async with workplace.tenancy.session(tenant_id, Mode.READ) as session:
        there = await session.scalar(
            select(func.count()).select_from(Person).where(Person.family_name == FAMILY)
        )
    return "" if there == acknowledged else f"{acknowledged} patients acknowledged, {there} there"


class Seen(Struct):
    """What all rounds of a soak have seen."""

    answers: list[Answer] = []
    moved: list[Moved] = []
    moves_begin: float = 0.0
    missing: str = ""


async def soak(port: int, data_dir: Path, options: argparse.Namespace) -> Seen:
    """Set the clinics up and move one after another, each so many times."""
    seen, ends = Seen(), time.monotonic() + options.minutes * 60
    run_settings = Settings.from_environment(environment(data_dir, {}))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        others = [await SignedUp(http, f"soakbeside{n}").sign_up() for n in range(2)]
        while len(seen.moved) < options.moves and time.monotonic() < ends:
            clinic = await SignedUp(http, f"soak{len(seen.moved)}").sign_up()
            tenant_id = TenantId(clinic.tenant_id)
            run = Soak(port, [clinic, *others], writes=options.writes, reads=options.reads)
            moves = min(MOVES_A_CLINIC, options.moves - len(seen.moved))
            moved, begin = await run.run(
                moves_of(data_dir, tenant_id, moves), quiet_s=0 if seen.moved else options.quiet
            )
            seen.moves_begin = seen.moves_begin or begin
            seen.moved += moved
            seen.answers += run.traffic.answers
            acknowledged = sum(a.kind == "write" and a.status == 201 for a in run.traffic.answers)
            seen.missing += await asyncio.to_thread(
                run_job, run_settings, lambda w, t=tenant_id, n=acknowledged: exactly_once(w, t, n)
            )
            if seen.missing or len(moved) < moves:
                break
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("moves", type=int, nargs="?", default=60)
    parser.add_argument("--writes", type=float, default=200.0, help="a second")
    parser.add_argument("--reads", type=float, default=200.0, help="a second")
    parser.add_argument("--quiet", type=float, default=20.0, help="seconds without a move first")
    parser.add_argument("--minutes", type=float, default=180.0, help="begin no clinic after that")
    parser.add_argument("--report", type=Path, default=REPORT)
    options = parser.parse_args()
    with (
        throw_away_directory() as data_dir,
        serving(data_dir, CLINIC_ACCESS_TOKEN_MINUTES="1440") as served,
    ):
        seen = asyncio.run(soak(served.port, data_dir, options))
    text = report(seen.answers, seen.moved, seen.moves_begin, seen.missing)
    options.report.write_text(text)
    print(text)
    failed = any(answer.problem for answer in seen.answers)
    sys.exit(failed or bool(seen.missing) or len(seen.moved) < options.moves)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--mover"]:
        from uuid import UUID

        tenant, count = TenantId(UUID(sys.argv[2])), int(sys.argv[3])
        run_job(Settings.from_environment(os.environ), lambda w: keep_moving(w, tenant, count))
    else:
        main()
