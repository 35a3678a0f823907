"""A process that sets up a clinic is killed (-9) at every step, and in the middle of one; the next one clears up.

Run as a program, this file is the process that is killed.
"""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text

from domain.identity.models import UserAccount
from domain.new_clinic import first_rows
from tenancy.modes import Mode
from tenancy.platform import NewTenant, Platform, PlatformOptions, make_platform
from tenancy.provisioning import ACTIVATED, Step
from tenancy.registry.errors import SlugTakenError
from tenancy.runtime import Tenancy, TenancyOptions
from tenancy.session import TenantSession
from tenancy.tenant import Server, StrategyName, TenantId

NOTICED_S_MAX = 10
CHILD_S_MAX = 60
IN_SEED = "in_seed"
UNDO = ["undo_install", "undo_reserve"]
OPTIONS = PlatformOptions(
    base_domains=("localhost",), signup_policy="open", signup_strategy=StrategyName.ROW
)


def request_for(slug: str, strategy: StrategyName) -> NewTenant:
    return NewTenant(
        name=f"Clinic {slug}",
        slug=slug,
        admin_email=f"admin@{slug}.example",
        plan="empresa",
        strategy=strategy,
    )


async def seed(session: TenantSession) -> None:
    async def ready() -> str:
        return "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"

    rows = first_rows(
        admin_email="admin@clinic.example", password_hash=ready(), timezone="America/Lima"
    )
    await rows(session)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def set_up_and_die(arguments: dict[str, Any]) -> None:
    """Set the clinic up; die when `die_at` is reached, or `die_after_ms` later."""

    def reached(name: str) -> None:
        if name != arguments["die_at"]:
            return
        if arguments["die_after_ms"] == 0:
            die()
        threading.Timer(arguments["die_after_ms"] / 1000, die).start()

    async def seed_and_die(session: TenantSession) -> None:
        await seed(session)
        reached(IN_SEED)

    tenancy = Tenancy(
        TenancyOptions(
            main_server=Server(**arguments["server"]),
            role_secret=arguments["role_secret"],
            registry_database=arguments["registry_database"],
            pool_database=arguments["pool_database"],
        )
    )
    async with tenancy:
        platform = make_platform(tenancy, OPTIONS, reached)
        request = request_for(arguments["slug"], StrategyName(arguments["strategy"]))
        await platform.create(request, seed_and_die)


@pytest.fixture
def killed_in(tenancy: Tenancy) -> Callable[..., Awaitable[None]]:
    """Runs a set-up in a process of its own and returns when that was killed."""

    async def run(slug: str, strategy: StrategyName, die_at: str, *, die_after_ms: int = 0) -> None:
        server = tenancy.options.main_server
        arguments = {
            "server": {"name": server.name, "host": server.host, "port": server.port},
            "role_secret": tenancy.options.role_secret,
            "registry_database": tenancy.options.registry_database,
            "pool_database": tenancy.options.pool_database,
            "slug": slug,
            "strategy": strategy.value,
            "die_at": die_at,
            "die_after_ms": die_after_ms,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            json.dumps(arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(CHILD_S_MAX):
                _, complaints = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode == -signal.SIGKILL, complaints.decode()
        await no_claim_is_held(tenancy)

    return run


async def no_claim_is_held(tenancy: Tenancy) -> None:
    """Wait until the server has noticed who was killed: until then the dead one's claim looks like a living one's."""
    held = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with asyncio.timeout(NOTICED_S_MAX), tenancy.store.engine.connect() as connection:
        while True:
            if not await connection.scalar(held):
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def platform(tenancy: Tenancy) -> Platform:
    return make_platform(tenancy, OPTIONS)


@pytest.fixture
async def leftovers(
    tenancy: Tenancy, administrator: Callable[..., Awaitable[asyncpg.Connection]]
) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """Lists what came to the server without a clinic in the registry that owns it, as its administrator sees it."""
    registry = await administrator(tenancy.options.registry_database)
    pool = await administrator(tenancy.options.pool_database)

    async def everything() -> list[str]:
        known = {row["id"] for row in await registry.fetch("SELECT id FROM registry.tenant")}
        names = {TenantId(tenant).hex for tenant in known}
        databases = await registry.fetch(
            "SELECT datname FROM pg_database WHERE datname LIKE 'clinic\\_t\\_%'"
        )
        schemas = await pool.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%'")
        found = [name for (name,) in databases if name.removeprefix("clinic_t_") not in names]
        found += [name for (name,) in schemas if name.removeprefix("t_") not in names]
        tables = [
            f"pool.{name}"
            for (name,) in await pool.fetch(
                "SELECT relname::text FROM pg_class WHERE relnamespace = 'pool'::regnamespace"
                " AND relkind = 'r' AND relname <> 'alembic_version_tenant'"
            )
        ]
        for table in ["tenancy.tenant_home", *tables]:
            rows = await pool.fetch(f"SELECT DISTINCT tenant_id FROM {table}")
            found += [f"{table} {tenant}" for (tenant,) in rows if tenant not in known]
        halves = await registry.fetch(
            "SELECT slug FROM registry.tenant WHERE status = 'provisioning'"
        )
        return found + [f"half-made {slug}" for (slug,) in halves]

    before = await everything()

    async def look() -> list[str]:
        return [name for name in await everything() if name not in before]

    yield look
    await registry.close()
    await pool.close()


async def admins(tenancy: Tenancy, tenant_id: TenantId) -> int:
    async with tenancy.session(tenant_id, Mode.READ) as session:
        return int(await session.scalar(select(func.count()).select_from(UserAccount)) or 0)


@pytest.mark.parametrize("die_at", [*Step, IN_SEED], ids=str)
async def test_killed_set_up_is_begun_anew_under_the_same_slug(
    tenancy: Tenancy,
    platform: Platform,
    killed_in: Callable[..., Awaitable[None]],
    leftovers: Callable[[], Awaitable[list[str]]],
    placement: StrategyName,
    die_at: str,
) -> None:
    slug = f"c{secrets.token_hex(5)}"
    await killed_in(slug, placement, die_at)
    made = await platform.create(request_for(slug, placement), seed)
    assert await leftovers() == []
    assert await admins(tenancy, made.id) == 1


async def test_set_up_that_was_finished_stays(
    tenancy: Tenancy,
    platform: Platform,
    killed_in: Callable[..., Awaitable[None]],
    leftovers: Callable[[], Awaitable[list[str]]],
    placement: StrategyName,
) -> None:
    slug = f"c{secrets.token_hex(5)}"
    await killed_in(slug, placement, ACTIVATED)
    with pytest.raises(SlugTakenError):
        await platform.create(request_for(slug, placement), seed)
    record = await platform.tenant_by_slug(slug)
    assert await admins(tenancy, record.id) == 1
    assert await leftovers() == []


@pytest.mark.parametrize("die_at", [Step.INSTALL, Step.ACTIVATE], ids=str)
async def test_sweep_clears_up_after_the_killed(
    platform: Platform,
    killed_in: Callable[..., Awaitable[None]],
    leftovers: Callable[[], Awaitable[list[str]]],
    placement: StrategyName,
    die_at: str,
) -> None:
    await killed_in(f"c{secrets.token_hex(5)}", placement, die_at)
    assert await platform.sweep() == 1
    assert await leftovers() == []
    assert await platform.sweep() == 0


@pytest.mark.parametrize("die_at", UNDO)
async def test_killed_while_clearing_up(
    tenancy: Tenancy,
    platform: Platform,
    killed_in: Callable[..., Awaitable[None]],
    leftovers: Callable[[], Awaitable[list[str]]],
    placement: StrategyName,
    die_at: str,
) -> None:
    slug = f"c{secrets.token_hex(5)}"
    await killed_in(slug, placement, Step.ACTIVATE)
    await killed_in(slug, placement, die_at)
    made = await platform.create(request_for(slug, placement), seed)
    assert await leftovers() == []
    assert await admins(tenancy, made.id) == 1


@pytest.mark.parametrize("die_after_ms", [10, 40])
@pytest.mark.parametrize(
    ("strategy", "die_at"),
    [
        (StrategyName.SCHEMA, Step.INSTALL),
        (StrategyName.DATABASE, Step.PREPARE),
        (StrategyName.DATABASE, Step.INSTALL),
    ],
)
async def test_server_that_goes_on_for_the_dead_leaves_nothing(
    platform: Platform,
    killed_in: Callable[..., Awaitable[None]],
    leftovers: Callable[[], Awaitable[list[str]]],
    strategy: StrategyName,
    die_at: str,
    die_after_ms: int,
) -> None:
    """The server finishes a statement whose sender is dead: the way back has to wait for it."""
    slug = f"c{secrets.token_hex(5)}"
    await killed_in(slug, strategy, die_at, die_after_ms=die_after_ms)
    with contextlib.suppress(SlugTakenError):  # it had finished before it died
        await platform.create(request_for(slug, strategy), seed)
    # Long enough for whatever the server may still have in hand.
    await asyncio.sleep(0.3)
    assert await leftovers() == []


if __name__ == "__main__":
    asyncio.run(set_up_and_die(json.loads(sys.argv[1])))
