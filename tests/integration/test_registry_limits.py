"""Counters that all processes share, and that name nobody."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import structs

from tenancy.credentials import DatabaseRole
from tenancy.registry.limits import SharedRateLimiter
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy


@pytest.fixture
def store(tenancy: Tenancy) -> RegistryStore:
    return tenancy.store


@pytest.fixture
async def owner(tenancy: Tenancy) -> AsyncIterator[Any]:
    """A connection that acts as the owner of the registry's tables."""
    connection = await tenancy.pools.connect(
        "main", tenancy.options.registry_database, DatabaseRole.MIGRATOR
    )
    await connection.execute("SET ROLE clinic_owner")
    yield connection
    await connection.close()


class TooManyError(Exception):
    pass


async def test_limit_is_one_for_all_processes(store: RegistryStore) -> None:
    waits: list[int] = []

    def refuse(retry_after_s: int) -> Exception:
        waits.append(retry_after_s)
        return TooManyError()

    here, there = SharedRateLimiter(store.engine, refuse), SharedRateLimiter(store.engine, refuse)
    bucket = secrets.token_hex(8)
    # A window so long that the test cannot meet its end.
    for limiter in (here, there, here):
        await limiter.check(bucket, limit=3, window_s=86_400)
        await limiter.hit(bucket, limit=3, window_s=86_400)
    for refused in (here.check, there.check, here.hit, there.hit):
        with pytest.raises(TooManyError):
            await refused(bucket, limit=3, window_s=86_400)
    assert all(1 <= wait <= 86_400 for wait in waits)
    await there.hit("another " + bucket, limit=3, window_s=86_400)


async def test_counters_name_nobody(store: RegistryStore, owner: Any) -> None:
    bucket = f"login:maria@{secrets.token_hex(4)}.example"
    await SharedRateLimiter(store.engine, lambda _: TooManyError()).hit(
        bucket, limit=1, window_s=60
    )
    rows = await owner.fetch("SELECT bucket FROM registry.rate_limit")
    assert all(len(row["bucket"]) == 32 for row in rows)


async def test_limits_hold_without_the_registry(tenancy: Tenancy) -> None:
    nowhere = structs.replace(tenancy.options.main_server, port=1)
    engine = tenancy.pools.registry_engine(nowhere, "clinic_registry")
    limiter = SharedRateLimiter(engine, lambda _: TooManyError())
    for _ in range(2):
        await limiter.hit("b", limit=2, window_s=86_400)
    with pytest.raises(TooManyError):
        await limiter.hit("b", limit=2, window_s=86_400)
    with pytest.raises(TooManyError):
        await limiter.check("b", limit=2, window_s=86_400)
    await engine.dispose()
