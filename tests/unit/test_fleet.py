"""Bringing the fleet on: what one home's trouble means for the others of its database."""

from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from tenancy import bootstrap, fleet
from tenancy.errors import ServerUnavailableError
from tenancy.tenant import Home

pytestmark = pytest.mark.anyio


async def test_no_home_is_migrated_behind_a_gate_that_could_not_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    homes = [Home("main", "clinic_pool", name) for name in ("pool", "t_1", "t_2")]
    done: list[str] = []

    class Installer:
        tries = 0

        async def equip_database(self, _server: str, _database: str) -> None:
            Installer.tries += 1
            done.append("equip")
            if Installer.tries == 1:
                raise ServerUnavailableError

    async def upgrade_home(_pools: Any, home: Home) -> tuple[str, str]:
        done.append(home.schema)
        return "1", "2"

    monkeypatch.setattr(fleet, "upgrade_home", upgrade_home)
    tenancy: Any = SimpleNamespace(installer=Installer(), pools=None)
    equipped: set[tuple[str, str]] = set()
    results = [await fleet._migrate(tenancy, home, equipped) for home in homes]
    assert done == ["equip", "equip", "t_1", "t_2"]
    assert [result.error is None for result in results] == [False, True, True]


async def test_a_connection_lost_while_making_ready_stops_nothing() -> None:
    class Strategy:
        name = "database"

        async def prepare_server(self, _server: str) -> None:
            raise asyncpg.InterfaceError("connection is closed")

    strategies: Any = [Strategy()]
    await bootstrap.make_ready(strategies, "main")
