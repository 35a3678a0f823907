"""Which connection a clinic gets, and which of its statements are kept."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from tenancy.affinity import STATEMENTS_MAX, AffinityPool, SchemaStatements, statements_of


class FakeDriverConnection:
    """As much of a driver connection as a pool needs."""

    def __init__(self) -> None:
        self.is_closed = False

    def rollback(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        self.is_closed = True

    def terminate(self) -> None:
        self.is_closed = True


@pytest.fixture
async def pool() -> AffinityPool:
    made = AffinityPool(FakeDriverConnection, pool_size=2, max_overflow=0, timeout=0.1)
    made._dialect = create_async_engine("postgresql+asyncpg://").dialect
    return made


def serve(pool: AffinityPool, schema: str) -> Any:
    """Take a connection for the schema and use a statement on it."""
    pool.prefer(schema)
    connection = pool.connect()
    statements_of(connection.info, schema)["SELECT 1"] = "prepared"
    return connection


async def test_clinic_gets_the_connection_that_knows_it(pool: AffinityPool) -> None:
    for schema in ("a", "b"):
        serve(pool, schema).close()
    first = serve(pool, "a")
    driver = first.dbapi_connection
    first.close()
    serve(pool, "b").close()
    again = serve(pool, "a")
    assert again.dbapi_connection is driver
    again.close()


async def test_pool_grows_rather_than_hand_out_a_stranger(pool: AffinityPool) -> None:
    serve(pool, "a").close()
    serve(pool, "b").close()
    assert pool.checkedin() == 2


async def test_a_stranger_gets_the_connection_that_was_idle_longest(pool: AffinityPool) -> None:
    a = serve(pool, "a")
    oldest = a.dbapi_connection
    a.close()
    serve(pool, "b").close()
    c = serve(pool, "c")
    assert c.dbapi_connection is oldest
    c.close()


async def test_every_idle_connection_is_closed_with_the_pool(pool: AffinityPool) -> None:
    connections = [serve(pool, "a"), serve(pool, "b")]
    drivers = [connection.dbapi_connection for connection in connections]
    for connection in connections:
        connection.close()
    pool.dispose()
    assert all(driver.is_closed for driver in drivers)


def test_statements_of_one_schema_are_not_found_under_another() -> None:
    statements = SchemaStatements()
    statements.schema = "a"
    statements["SELECT 1"] = "of a"
    statements.schema = "b"
    assert "SELECT 1" not in statements
    statements["SELECT 1"] = "of b"
    statements.schema = "a"
    assert statements["SELECT 1"] == "of a"


def test_statement_unused_for_longest_goes_first() -> None:
    statements = SchemaStatements()
    statements.schema = "old"
    statements["SELECT 1"] = "prepared"
    statements.schema = "new"
    for number in range(STATEMENTS_MAX):
        statements[f"SELECT {number}"] = "prepared"
    assert not statements.has_served("old")
    assert "SELECT 0" in statements
