"""The ledger of migrations: at which revision each home of the fleet was left, and why it is not at the newest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import PrimaryKeyConstraint, Text, bindparam, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.registry.models import RegistryBase
from tenancy.tenant import Home

HOMES_MAX: Final = 100_000
ERROR_LENGTH_MAX: Final = 2_000


class HomeRevisionRow(RegistryBase):
    """How one home was left by the last migration that looked at it."""

    __tablename__ = "home_revision"
    __table_args__ = (PrimaryKeyConstraint("server_name", "database_name", "schema_name"),)

    server_name: Mapped[str]
    database_name: Mapped[str]
    schema_name: Mapped[str]
    revision: Mapped[str | None]
    gate: Mapped[str | None]
    error: Mapped[str | None]
    tries: Mapped[int] = mapped_column(server_default=text("1"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class HomeState(Struct, frozen=True, kw_only=True):
    """One home as the ledger knows it; without `at` nobody has looked at it yet."""

    home: Home
    revision: str | None = None
    gate: str | None = None
    """Which script of the database's own functions and tables it stands behind."""

    error: str | None = None
    tries: int = 0
    at: datetime | None = None


# What servers have for many tenants is not in the placements of an empty platform, so it is handed in.
_HOMES = """
WITH named AS (
  SELECT DISTINCT s.name AS server_name, p.database_name, p.schema_name
    FROM registry.placement p JOIN registry.database_server s ON s.id = p.server_id
    JOIN registry.tenant t ON t.id = p.tenant_id
   WHERE cardinality(:slugs) = 0 OR t.slug = ANY (:slugs)
  UNION
  SELECT * FROM unnest(:servers_shared, :databases_shared, :schemas_shared)
   WHERE cardinality(:slugs) = 0)
SELECT n.server_name, n.database_name, n.schema_name, r.revision, r.gate, r.error, coalesce(r.tries, 0), r.at
  FROM named n LEFT JOIN registry.home_revision r USING (server_name, database_name, schema_name)
 WHERE (cardinality(:servers) = 0 OR n.server_name = ANY (:servers))
   AND (r.revision IS DISTINCT FROM :head OR r.gate IS DISTINCT FROM :gate OR r.error IS NOT NULL OR :every)
 ORDER BY n.server_name, n.database_name, n.schema_name
 LIMIT :homes_max
"""
_FORGET = """
DELETE FROM registry.home_revision r
 WHERE NOT EXISTS (
  SELECT FROM registry.placement p JOIN registry.database_server s ON s.id = p.server_id
   WHERE (s.name, p.database_name, p.schema_name) = (r.server_name, r.database_name, r.schema_name))
   AND (r.server_name, r.database_name, r.schema_name)
    NOT IN (SELECT * FROM unnest(:servers_shared, :databases_shared, :schemas_shared))
"""


class HomeRevisions:
    """Reads and writes the ledger."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def homes(
        self,
        head: str,
        gate: str,
        shared: Sequence[Home],
        *,
        slugs: Sequence[str] = (),
        servers: Sequence[str] = (),
        every: bool = False,
    ) -> list[HomeState]:
        """Return the homes that are not known to be at `head` behind `gate`, or `every` one, in one query.

        `slugs` and `servers` choose among them; the homes of many tenants in `shared` belong to no slug of their own.
        """
        values = {
            "head": head,
            "gate": gate,
            "every": every,
            "homes_max": HOMES_MAX,
            **_columns(shared),
        }
        statement = text(_HOMES).bindparams(
            *_arrays("slugs", "servers", "servers_shared", "databases_shared", "schemas_shared")
        )
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                statement, values | {"slugs": list(slugs), "servers": list(servers)}
            )
            return [
                HomeState(
                    home=Home(server, database, schema),
                    revision=revision,
                    gate=gate_found,
                    error=error,
                    tries=tries,
                    at=at,
                )
                for server, database, schema, revision, gate_found, error, tries, at in rows
            ]

    async def write(self, states: Sequence[HomeState]) -> None:
        """Write down how homes were left, all in one statement."""
        if not states:
            return
        statement = upsert(HomeRevisionRow).values(
            [
                {
                    "server_name": state.home.server,
                    "database_name": state.home.database,
                    "schema_name": state.home.schema,
                    "revision": state.revision,
                    "gate": state.gate,
                    "error": None if state.error is None else state.error[:ERROR_LENGTH_MAX],
                }
                for state in states
            ]
        )
        statement = statement.on_conflict_do_update(
            index_elements=["server_name", "database_name", "schema_name"],
            set_={
                "revision": statement.excluded.revision,
                "gate": statement.excluded.gate,
                "error": statement.excluded.error,
                "tries": HomeRevisionRow.tries + 1,
                "at": func.clock_timestamp(),
            },
        )
        async with self._engine.begin() as connection:
            await connection.execute(statement)

    async def forget_gone(self, shared: Sequence[Home]) -> None:
        """Forget homes that no clinic has any more."""
        statement = text(_FORGET).bindparams(
            *_arrays("servers_shared", "databases_shared", "schemas_shared")
        )
        async with self._engine.begin() as connection:
            await connection.execute(statement, _columns(shared))


def _columns(homes: Sequence[Home]) -> dict[str, Any]:
    return {
        "servers_shared": [home.server for home in homes],
        "databases_shared": [home.database for home in homes],
        "schemas_shared": [home.schema for home in homes],
    }


def _arrays(*names: str) -> list[Any]:
    return [bindparam(name, type_=ARRAY(Text())) for name in names]
