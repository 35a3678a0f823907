"""A process that makes a server's template database is killed (-9) in the middle of it; the next one makes it anew.

Run as a program, this file is the process that is killed.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from tenancy.credentials import DatabaseRole
from tenancy.migrations import TENANT_TREE, current_revision, head_revision
from tenancy.runtime import Tenancy, TenancyOptions
from tenancy.template import NAME_BEGINS, template_name
from tenancy.tenant import Server, StrategyName, TenantId

CHILD_S_MAX = 60


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def prepare_and_die(arguments: dict[str, Any]) -> None:
    """Begin to make the template; die a little later."""
    options = TenancyOptions(
        main_server=Server(**arguments["server"]), role_secret=arguments["role_secret"]
    )
    strategy = Tenancy(options).strategies[StrategyName.DATABASE]
    threading.Timer(arguments["die_after_ms"] / 1000, die).start()
    await strategy.prepare_server("main")
    die()


@pytest.mark.parametrize("die_after_ms", [15, 40, 80, 140])
async def test_half_made_template_is_made_anew(
    tenancy: Tenancy,
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
    die_after_ms: int,
) -> None:
    name, strategy = template_name("clinic"), tenancy.strategies[StrategyName.DATABASE]
    await tenancy.installer.drop_database("main", name)
    server = tenancy.options.main_server
    arguments = {
        "server": {"name": server.name, "host": server.host, "port": server.port},
        "role_secret": tenancy.options.role_secret,
        "die_after_ms": die_after_ms,
    }
    command = [sys.executable, __file__, json.dumps(arguments)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(CHILD_S_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == -signal.SIGKILL
    await strategy.prepare_server("main")
    connection = await administrator()
    found = await connection.fetch(
        "SELECT datname, datallowconn FROM pg_database WHERE starts_with(datname, $1)", NAME_BEGINS
    )
    await connection.close()
    assert [tuple(row) for row in found] == [(name, False)]
    await assert_copies_are_complete(tenancy)


async def assert_copies_are_complete(tenancy: Tenancy) -> None:
    strategy, tenant_id = tenancy.strategies[StrategyName.DATABASE], TenantId(uuid7())
    home = strategy.home_for(tenant_id, "main")
    await strategy.prepare(home)
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MIGRATOR)
    revision = await current_revision(connection, TENANT_TREE, home.schema)
    await connection.close()
    await strategy.remove(tenant_id, home)
    assert revision == head_revision(TENANT_TREE)


if __name__ == "__main__":
    asyncio.run(prepare_and_die(json.loads(sys.argv[1])))
