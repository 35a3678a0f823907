"""Moves need no superuser: an administrator grants once what the table for operators says, and nothing more."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from app.postgres.external import MAJOR_MIN
from app.settings import Settings
from house import House, open_house
from moves import contents, end_open_moves, mover_of, placement_of
from second_server import SecondServer, installed_majors, second_server, server_of_binaries
from tenancy.bootstrap import roles_script
from tenancy.credentials import Credentials
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.tenant import StrategyName
from workload import Workload

ROW, SCHEMA, DATABASE = StrategyName
OPERATOR = PlatformActor()
# Both together are all six directions; by whether the release is the oldest.
WAYS = {True: (ROW, SCHEMA, DATABASE, ROW), False: (DATABASE, SCHEMA, ROW, DATABASE)}
OLDEST, EMBEDDED = str(MAJOR_MIN), "18"
ADMINISTRATOR: Final = "managed_administrator"

# From 16 on an administrator who is no superuser, as managed services have one, may pass on what he has himself.
DELEGATED = f"""
CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS PASSWORD '{{password}}';
GRANT SET ON PARAMETER session_replication_role TO {ADMINISTRATOR} WITH GRANT OPTION;
GRANT pg_signal_backend TO {ADMINISTRATOR} WITH ADMIN OPTION;
"""
# On 15 a superuser runs the printed script once; the URL's user then needs to log in and no more.
POWERLESS = f"CREATE ROLE {ADMINISTRATOR} LOGIN PASSWORD '{{password}}';"

ATTRIBUTES = {
    "SUPERUSER": "rolsuper",
    "CREATEROLE": "rolcreaterole",
    "CREATEDB": "rolcreatedb",
    "REPLICATION": "rolreplication",
    "BYPASSRLS": "rolbypassrls",
    "LOGIN": "rolcanlogin",
}
OTHER_POWERS = {
    "SET ON PARAMETER session_replication_role": (
        "has_parameter_privilege($1, 'session_replication_role', 'SET')"
    ),
    "member of clinic_owner": "pg_has_role($1, 'clinic_owner', 'MEMBER')",
    "member of pg_signal_backend": "pg_has_role($1, 'pg_signal_backend', 'MEMBER')",
    "CREATE ON DATABASE clinic_pool": "has_database_privilege($1, 'clinic_pool', 'CREATE')",
}
# Inherited: the migrator acts for the owner, and so may do what only the owner was granted.
BY_MEMBERSHIP = {("clinic_migrator", "member of pg_signal_backend")}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            OLDEST,
            marks=pytest.mark.skipif(
                MAJOR_MIN not in installed_majors(),
                reason=f"PostgreSQL {OLDEST} is not installed (/usr/lib/postgresql/{OLDEST}/bin, pg_config)",
            ),
        ),
        EMBEDDED,
    ],
    ids="postgresql-{}".format,
)
def server(request: pytest.FixtureRequest) -> Iterator[SecondServer]:
    """A server of the oldest and of the newest release, with logical WAL."""
    if request.param == EMBEDDED:
        with second_server("main", max_connections="200", max_locks_per_transaction="512") as own:
            yield own
        return
    with server_of_binaries(installed_majors()[MAJOR_MIN]) as oldest:
        yield oldest


@pytest.fixture(scope="module")
async def superuser(server: SecondServer) -> AsyncIterator[asyncpg.Connection]:
    """Grants what is needed once, and looks; no part of what is tested."""
    connection = await asyncpg.connect(**server.administrator)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
def logins() -> Iterator[list[Mapping[str, str]]]:
    """What the server said of every connection that the application made: `is_superuser`, `session_authorization`."""
    seen: list[Mapping[str, str]] = []
    connect = asyncpg.connect

    async def recording(*args: Any, **arguments: Any) -> Any:
        connection = await connect(*args, **arguments)
        seen.append(
            {
                name: getattr(connection.get_settings(), name)
                for name in ("is_superuser", "session_authorization")
            }
        )
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", recording)
        yield seen


@pytest.fixture(scope="module")
async def house(
    server: SecondServer,
    superuser: asyncpg.Connection,
    settings: Settings,
    logins: list[Mapping[str, str]],
) -> AsyncIterator[House]:
    """The application on a server whose only known user is no superuser."""
    password = secrets.token_urlsafe(16)
    if superuser.get_server_version().major == MAJOR_MIN:
        await superuser.execute(roles_script(Credentials(settings.role_secret)))
        await superuser.execute(POWERLESS.format(password=password))
    else:
        await superuser.execute(DELEGATED.format(password=password))
    url = server._replace(
        administrator={**server.administrator, "user": ADMINISTRATOR, "password": password}
    ).url
    logins.clear()
    async with open_house(settings, url) as opened:
        yield opened


async def test_a_clinic_at_work_is_moved_three_ways_and_back(
    house: House,
    superuser: asyncpg.Connection,
    logins: list[Mapping[str, str]],
):
    tenancy, way = house.tenancy, WAYS[superuser.get_server_version().major == MAJOR_MIN]
    clinic, neighbour = await house.clinic(way[0]), await house.clinic(way[0])
    beside = await contents(tenancy, await placement_of(tenancy, neighbour.tenant_id))
    workload, stop, mover = Workload(tenancy, clinic.tenant_id), asyncio.Event(), mover_of(tenancy)
    await workload.prepare()
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop, writers=2, readers=1, pause_s=0.05))
        try:
            for strategy in way[1:]:
                request = MoveRequest(tenant_id=clinic.tenant_id, strategy=strategy)
                started = await mover.start(request, actor=OPERATOR)
                moved = await mover.work(started.id, stays=False)
                assert moved.status is MoveStatus.GRACE
                assert (await placement_of(tenancy, clinic.tenant_id)).strategy is strategy
            await mover.want(started.id, "rollback", actor=OPERATOR)
            assert (await mover.work(started.id)).status is MoveStatus.ROLLED_BACK
        finally:
            stop.set()
    await workload.check()
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is way[-2]
    assert await contents(tenancy, await placement_of(tenancy, neighbour.tenant_id)) == beside
    assert (await clinic.get("/api/v1/branches")).status_code == 200
    await end_open_moves(tenancy)
    assert await superuser.fetchval("SELECT count(*) FROM pg_replication_slots") == 0
    assert_no_superuser(logins)


async def test_a_clinic_is_moved_offline(house: House, logins: list[Mapping[str, str]]):
    tenancy, mover = house.tenancy, mover_of(house.tenancy)
    clinic = await house.clinic(SCHEMA)
    held = await contents(tenancy, await placement_of(tenancy, clinic.tenant_id))
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW, is_offline=True)
    started = await mover.start(request, actor=OPERATOR)
    assert (await mover.work(started.id)).status is MoveStatus.FINISHED
    assert await contents(tenancy, await placement_of(tenancy, clinic.tenant_id)) == held
    assert_no_superuser(logins)


def assert_no_superuser(logins: list[Mapping[str, str]]) -> None:
    assert {"clinic_app", "clinic_mover", "clinic_migrator"} <= {
        login["session_authorization"] for login in logins
    }
    assert {login["is_superuser"] for login in logins} == {"off"}


@pytest.mark.usefixtures("house")
async def test_the_table_for_operators_names_every_power_and_no_other(
    superuser: asyncpg.Connection, repository: Path
):
    found = set()
    for role in await superuser.fetch(
        "SELECT * FROM pg_roles WHERE rolname LIKE 'clinic\\_%' ORDER BY rolname"
    ):
        name = role["rolname"]
        found |= {(name, power) for power, column in ATTRIBUTES.items() if role[column]}
        for power, question in OTHER_POWERS.items():
            if power != f"member of {name}" and await superuser.fetchval(
                f"SELECT {question}", name
            ):
                found.add((name, power))
    assert documented(repository) == found - BY_MEMBERSHIP


def documented(repository: Path) -> set[tuple[str, str]]:
    """The first two columns of the table under "Least privileges"."""
    text = (repository / "docs/operators.md").read_text(encoding="utf-8")
    section = text.partition("### Least privileges\n")[2].partition("\n#")[0]
    pairs = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", section, re.MULTILINE)
    assert len(pairs) == len(set(pairs))
    return set(pairs)
