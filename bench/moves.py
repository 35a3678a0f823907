"""How fast a move copies, verifies and compares a large clinic, against `pg_dump | psql` of the same schema."""

import subprocess
import time
from asyncio import to_thread
from statistics import median

from app.postgres.account import server_account
from app.postgres.binaries import find_binaries
from app.preparation import tenancy_options
from bench.ground import Ground
from bench.report import plain_table, verdict
from tenancy.mover.mover import Mover, MoveRequest, make_mover
from tenancy.platform import NewTenant, PlatformOptions, make_platform
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import Home, StrategyName, TenantId

TITLE = "Moving a clinic of 1,000,000 rows"
OPERATOR = PlatformActor()
COPY_DATABASE = "bench_copy"
ROUNDS_MAX = 9

# Past triggers and policies, ids in the order of time as the application makes them; half of it a log, half of it rows with many indexes.
FILL = """
SET session_replication_role = replica; SET search_path = "{schema}", extensions;
INSERT INTO audit_event (tenant_id, id, at, actor_kind, action, entity_type, entity_id, details)
  SELECT '{tenant}', uuidv7(), now() - n * interval '1 second', 'user', 'update', 'patient', gen_random_uuid(),
         jsonb_build_object('field', 'phone', 'n', n) FROM generate_series(1, 500000) n;
INSERT INTO person (tenant_id, id, given_names, family_name, phone, version)
  SELECT '{tenant}', uuidv7(), 'Nombre ' || n, 'Apellido ' || n % 5000, '+51' || 900000000 + n, 1
    FROM generate_series(1, 250000) n;
INSERT INTO person_identifier (tenant_id, id, person_id, kind, country, value, is_primary)
  SELECT '{tenant}', uuidv7(), p.id, 'dni', 'PE', lpad(row_number() OVER ()::text, 8, '0'), true FROM person p
   WHERE p.tenant_id = '{tenant}';
VACUUM ANALYZE audit_event; VACUUM ANALYZE person; VACUUM ANALYZE person_identifier;
"""


async def measure_moves(ground: Ground, rounds: int) -> dict[str, str]:
    """Return the report's section: medians of interleaved rounds, and the ratios within them."""
    tenancy = Tenancy(tenancy_options(ground.settings, ground.postgres.address))
    async with tenancy:
        tenant_id = await _large_clinic(ground, tenancy)
        mover = make_mover(tenancy)
        seconds: dict[str, list[float]] = {}
        for _ in range(min(rounds, ROUNDS_MAX)):
            for name, step in (
                ("pg_dump -n | psql", None),
                ("schema to database", StrategyName.DATABASE),
                ("database to row", StrategyName.ROW),
                ("row to schema", StrategyName.SCHEMA),
            ):
                await ground.settle()
                took = (
                    await _dump_and_restore(ground, tenancy, tenant_id)
                    if step is None
                    else await _move(mover, tenant_id, step)
                )
                seconds.setdefault(name, []).append(took)
    return {TITLE: _table(seconds)}


async def _large_clinic(ground: Ground, tenancy: Tenancy) -> TenantId:
    options = PlatformOptions(
        base_domains=("localhost",),
        signup_policy="open",
        signup_strategy=StrategyName.SCHEMA,
    )

    async def nothing(_session: TenantSession) -> None:
        """Leave the clinic empty: the rows come past the application."""

    request = NewTenant(
        name="Large",
        slug="bench-large",
        admin_email="admin@large.example",
        plan="empresa",
        strategy=StrategyName.SCHEMA,
    )
    record = await make_platform(tenancy, options).create(request, nothing)
    assert record.placement is not None
    home = record.placement.home
    connection = await ground.administrator(home.database)
    try:
        for statement in FILL.format(schema=home.schema, tenant=record.id).split(";"):
            if statement.strip():
                await connection.execute(statement)
    finally:
        await connection.close()
    return TenantId(record.id)


async def _move(mover: Mover, tenant_id: TenantId, strategy: StrategyName) -> float:
    """Return the seconds until the clinic serves at its new home, every row compared; then the old one goes."""
    request = MoveRequest(tenant_id=tenant_id, strategy=strategy)
    started_at = time.perf_counter()
    record = await mover.start(request, actor=OPERATOR)
    await mover.work(record.id, stays=False)
    took = time.perf_counter() - started_at
    await mover.want(record.id, "finish", actor=OPERATOR)
    await mover.work(record.id)
    return took


async def _dump_and_restore(ground: Ground, tenancy: Tenancy, tenant_id: TenantId) -> float:
    record = await tenancy.store.tenants.by_id(tenant_id)
    assert record is not None
    assert record.placement is not None
    home = record.placement.home
    administrator = await ground.administrator()
    try:
        await administrator.execute(f"DROP DATABASE IF EXISTS {COPY_DATABASE} WITH (FORCE)")
        await administrator.execute(f"CREATE DATABASE {COPY_DATABASE} OWNER clinic_owner")
        await tenancy.installer.equip_database(ground.postgres.address.name, COPY_DATABASE)
        return await to_thread(_piped, ground, home)
    finally:
        await administrator.execute(f"DROP DATABASE IF EXISTS {COPY_DATABASE} WITH (FORCE)")
        await administrator.close()


def _piped(ground: Ground, home: Home) -> float:
    """Run the two programs as a superuser, as somebody would by hand."""
    binaries, access = find_binaries(server_account()), ground.postgres.administrator
    reach = ["-h", str(access["host"]), "-p", str(access["port"]), "-U", str(access["user"])]
    environ = {"PGPASSWORD": str(access["password"])}
    started_at = time.perf_counter()
    dump = subprocess.Popen(
        [binaries.program("pg_dump"), *reach, "-n", home.schema, home.database],
        stdout=subprocess.PIPE,
        env=environ,
    )
    restore = subprocess.run(
        [binaries.program("psql"), *reach, "-q", "-v", "ON_ERROR_STOP=1", "-d", COPY_DATABASE],
        stdin=dump.stdout,
        stdout=subprocess.DEVNULL,
        env=environ,
        check=True,
    )
    assert restore.returncode == 0
    assert dump.wait() == 0
    return time.perf_counter() - started_at


def _table(seconds: dict[str, list[float]]) -> str:
    reference, *moves = seconds
    targets = {name: 0.9 if name.endswith("row") else 1.5 for name in moves}
    rows = [[reference, f"{median(seconds[reference]):.2f}", "", "", ""]]
    for name in moves:
        ratios = [a / b for a, b in zip(seconds[reference], seconds[name], strict=True)]
        rows.append(
            [
                name,
                f"{median(seconds[name]):.2f}",
                f"**{median(ratios):.2f}**",
                f"{min(ratios):.2f} - {max(ratios):.2f}",
                verdict(median(ratios), targets[name]),
            ]
        )
    return plain_table(("", "seconds", "times as fast", "of rounds", "target"), rows)
