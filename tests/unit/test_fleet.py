"""Bringing the fleet on: what one home's trouble means for the others of its database."""

from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from tenancy import bootstrap
from tenancy.errors import ServerUnavailableError
from tenancy.fleet import lane
from tenancy.fleet.lane import MigrationLane
from tenancy.migrations import HomeBusyError
from tenancy.tenant import Home

pytestmark = pytest.mark.anyio

HOMES = [Home("main", "clinic_pool", name) for name in ("pool", "t_1", "t_2")]


class Connection:
    """A connection that knows no revisions."""

    async def fetch(self, _query: str) -> list[Any]:
        raise asyncpg.UndefinedTableError

    def is_closed(self) -> bool:
        return False

    async def close(self) -> None:
        pass


class Pools:
    async def connect(self, *_home: Any) -> Connection:
        return Connection()


class Installer:
    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.equipped = 0

    async def equip_database(self, _server: str, _database: str) -> None:
        self.equipped += 1
        if self.equipped <= self.failures:
            raise ServerUnavailableError


async def migrated(installer: Installer) -> list[Any]:
    tenancy: Any = SimpleNamespace(installer=installer, pools=Pools())
    one = MigrationLane(tenancy, "main", "clinic_pool", set())
    return [result async for result in one.run(HOMES)]


async def test_no_home_is_migrated_behind_a_gate_that_could_not_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def upgrade_schema(_connection: Any, _tree: Any, schema: str) -> tuple[str, str]:
        done.append(schema)
        return "1", "2"

    monkeypatch.setattr(lane, "upgrade_schema", upgrade_schema)
    installer = Installer(failures=2)
    results = await migrated(installer)
    assert done == ["t_1", "t_2"]
    assert [result.error is None for result in results] == [False, True, True]
    assert installer.equipped == 3, "asked for the revisions, for the first home, for the second"


async def test_a_busy_home_is_tried_again_after_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def upgrade_schema(_connection: Any, _tree: Any, schema: str) -> tuple[str, str]:
        done.append(schema)
        if schema == "pool" and done.count("pool") <= 2:
            raise HomeBusyError
        return "1", "2"

    monkeypatch.setattr(lane, "upgrade_schema", upgrade_schema)
    monkeypatch.setattr(lane, "TRY_PAUSE_S", 0.0)
    results = await migrated(Installer())
    assert done == ["pool", "t_1", "t_2", "pool", "pool"]
    assert [result.home.schema for result in results] == ["t_1", "t_2", "pool"]
    assert all(result.error is None for result in results)


async def test_a_home_that_stays_busy_fails_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def upgrade_schema(_connection: Any, _tree: Any, schema: str) -> tuple[str, str]:
        if schema == "t_1":
            raise HomeBusyError
        return "1", "2"

    monkeypatch.setattr(lane, "upgrade_schema", upgrade_schema)
    monkeypatch.setattr(lane, "TRY_PAUSE_S", 0.0)
    results = await migrated(Installer())
    assert [result.home.schema for result in results] == ["pool", "t_2", "t_1"]
    assert results[-1].error is not None
    assert results[-1].error.startswith("HomeBusyError")


async def test_a_connection_lost_while_making_ready_stops_nothing() -> None:
    class Strategy:
        name = "database"

        async def prepare_server(self, _server: str) -> None:
            raise asyncpg.InterfaceError("connection is closed")

    strategies: Any = [Strategy()]
    await bootstrap.make_ready(strategies, "main")
