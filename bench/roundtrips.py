"""Round trips a request, counted between the application and PostgreSQL, with and without tenancy."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.cost import REFERENCE, UNCHECKED, Addresses
from bench.endpoints import Addressee, Writing
from bench.fleet import Fleet
from bench.ground import Ground
from bench.load import Plan
from bench.processes import BenchError, ServerProcess, run_load
from bench.proxy import FlightCounter, counting_proxy
from bench.report import plain_table
from bench.rounds import Pace
from bench.servers import plain_server, product_server
from tenancy.tenant import StrategyName

TITLE = "Round trips a request"
CLINICS = 3
WARM_UPS = 30
COUNTED = 60
SECONDS_MAX = 20.0
SOCKET_NAME = ".s.PGSQL.5432"
FIRST_NUMBER = 200_000


async def measure_round_trips(ground: Ground, fleet: Fleet) -> dict[str, str]:
    """Return the report's section by title."""
    counter = FlightCounter()
    with tempfile.TemporaryDirectory(prefix="clinic-proxy-") as directory:
        server = Path(ground.postgres.host) / f".s.PGSQL.{ground.postgres.port}"
        async with counting_proxy(Path(directory) / SOCKET_NAME, server, counter):
            rows = await _count_all(ground, fleet, counter, _through(ground, directory))
    head = ["", "read", "write", "to the registry, both together"]
    return {TITLE: plain_table(head, rows)}


def _through(ground: Ground, directory: str) -> dict[str, str]:
    """Return the settings that make a server use the proxy as its PostgreSQL."""
    password = ground.postgres.administrator["password"]
    return {
        "CLINIC_DATABASE_URL": f"postgresql://postgres:{password}@localhost:5432/postgres?host={directory}",
        "CLINIC_SECRET_KEY": ground.settings.secret_key,
        "CLINIC_ROLE_SECRET": ground.settings.role_secret,
    }


async def _count_all(
    ground: Ground, fleet: Fleet, counter: FlightCounter, environ: dict[str, str]
) -> list[list[str]]:
    addresses = Addresses(ground, fleet)
    rows = []
    for checks in (False, True):
        name = REFERENCE if checks else UNCHECKED
        async with plain_server(
            ground, name="counted", workers=1, checks_login=checks, environ=environ
        ) as server:
            first = FIRST_NUMBER * (1 + checks)
            rows.append(await _count(name, server, addresses.of_plain(CLINICS), counter, first))
    async with product_server(ground, name="counted", workers=1, environ=environ) as server:
        for strategy in StrategyName:
            clinics = addresses.of_product(strategy, CLINICS)
            rows.append(await _count(strategy.value, server, clinics, counter, FIRST_NUMBER))
    return rows


async def _count(
    name: str,
    server: ServerProcess,
    addressees: Sequence[Addressee],
    counter: FlightCounter,
    first_number: int,
) -> list[str]:
    alone = Pace(seconds=SECONDS_MAX, connections=1)
    writing = Writing(server.port, addressees, first_number=first_number)
    reads = await _flights(server, counter, lambda count: _reads(server, addressees, count))
    writes = await _flights(server, counter, lambda count: writing.plan(count, alone))
    registry = _to_registry(reads) + _to_registry(writes)
    return [name, _per_request(reads), _per_request(writes), f"{registry / COUNTED:g}"]


def _to_registry(flights: dict[str, int]) -> int:
    return flights.get("clinic_registry", 0)


def _per_request(flights: dict[str, int]) -> str:
    return f"{(sum(flights.values()) - _to_registry(flights)) / COUNTED:g}"


async def _flights(
    server: ServerProcess, counter: FlightCounter, plan: Callable[[int], Plan]
) -> dict[str, int]:
    """Return the flights of `COUNTED` requests one after another, after enough others to have everything prepared."""
    await _run_whole(server, plan(WARM_UPS))
    counter.reset()
    await _run_whole(server, plan(COUNTED))
    return dict(counter.flights)


async def _run_whole(server: ServerProcess, plan: Plan) -> None:
    outcome = await run_load(plan)
    if outcome.answered != len(plan.order):
        raise BenchError(f"{outcome.statuses}: {outcome.problems}\n{server.tail()}")


def _reads(server: ServerProcess, addressees: Sequence[Addressee], count: int) -> Plan:
    return Plan(
        port=server.port,
        requests=[addressee.agenda() for addressee in addressees],
        order=[position % len(addressees) for position in range(count)],
        repeat=False,
        connections=1,
        seconds=SECONDS_MAX,
    )
