"""Reads and changes of database servers and plans: where a clinic may be put, and what it may have."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from tenancy.registry.audit import record_platform_event
from tenancy.registry.errors import ServerFullError, UnknownServerError
from tenancy.registry.models import DatabaseServerRow, PlacementRow, PlanRow
from tenancy.registry.records import PlanRecord, PlatformActor, PlatformEvent, ServerRecord
from tenancy.registry.refusals import refusals
from tenancy.tenant import Server, ServerTier, StrategyName

SERVERS_MAX: Final = 1000
PLANS_MAX: Final = 1000

_PLACEMENTS = (
    select(func.count())
    .select_from(PlacementRow)
    .where(PlacementRow.server_id == DatabaseServerRow.id)
    .scalar_subquery()
)
_SERVERS = select(
    DatabaseServerRow.id,
    DatabaseServerRow.name,
    DatabaseServerRow.host,
    DatabaseServerRow.port,
    DatabaseServerRow.tls,
    DatabaseServerRow.tier,
    DatabaseServerRow.capacity,
    DatabaseServerRow.status,
    _PLACEMENTS.label("placements"),
)
_PLANS = select(*(PlanRow.__table__.c[name] for name in PlanRecord.__struct_fields__))


class ServerRecords:
    """The database servers of the registry."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def by_name(self, name: str) -> Server | None:
        """Return how the server is reached, None when there is none."""
        statement = select(
            DatabaseServerRow.name,
            DatabaseServerRow.host,
            DatabaseServerRow.port,
            DatabaseServerRow.tls,
            DatabaseServerRow.pooler_host,
            DatabaseServerRow.pooler_port,
        ).where(DatabaseServerRow.name == name)
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else Server(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it

    async def all(self) -> Sequence[ServerRecord]:
        """Return every server by name, with the number of its placements."""
        statement = _SERVERS.order_by(DatabaseServerRow.name).limit(SERVERS_MAX)
        async with self._engine.connect() as connection:
            return [_server(row) for row in await connection.execute(statement)]

    async def add(
        self, server: Server, *, tier: str, capacity: int, actor: PlatformActor
    ) -> ServerRecord:
        """Register a server that was prepared; raise `ServerNameTakenError`."""
        server_id = uuid7()
        async with self._engine.begin() as connection:
            with refusals():
                await connection.execute(
                    insert(DatabaseServerRow).values(
                        id=server_id,
                        name=server.name,
                        tier=tier,
                        capacity=capacity,
                        **_address(server),
                    )
                )
            event = PlatformEvent(
                action="create",
                entity_type="database_server",
                entity_id=server_id,
                details={"name": server.name},
            )
            await record_platform_event(connection, actor, event)
            row = (
                await connection.execute(_SERVERS.where(DatabaseServerRow.id == server_id))
            ).one()
        return _server(row)

    async def remember_address(self, server: Server, *, tier: str, capacity: int) -> None:
        """Register the platform's own server, or note that it is reached in another way than before."""
        statement = select(DatabaseServerRow.id).where(DatabaseServerRow.name == server.name)
        address = _address(server)
        async with self._engine.begin() as connection:
            server_id = await connection.scalar(statement)
            if server_id is None:
                await connection.execute(
                    insert(DatabaseServerRow).values(
                        id=uuid7(), name=server.name, tier=tier, capacity=capacity, **address
                    )
                )
                return
            is_changed = or_(
                *(
                    DatabaseServerRow.__table__.c[name].is_distinct_from(value)
                    for name, value in address.items()
                )
            )
            await connection.execute(
                update(DatabaseServerRow)
                .where(DatabaseServerRow.id == server_id, is_changed)
                .values(**address, updated_at=func.now(), version=DatabaseServerRow.version + 1)
            )

    async def set_status(self, name: str, status: str, *, actor: PlatformActor) -> ServerRecord:
        """Open a server to new clinics, or close it to them (`draining`, `offline`); raise `UnknownServerError`."""
        async with self._engine.begin() as connection:
            server_id = await connection.scalar(
                select(DatabaseServerRow.id).where(DatabaseServerRow.name == name).with_for_update()
            )
            if server_id is None:
                raise UnknownServerError
            changed = await connection.execute(
                update(DatabaseServerRow)
                .where(DatabaseServerRow.id == server_id, DatabaseServerRow.status != status)
                .values(status=status, updated_at=func.now(), version=DatabaseServerRow.version + 1)
            )
            if changed.rowcount:
                event = PlatformEvent(
                    action="update",
                    entity_type="database_server",
                    entity_id=server_id,
                    details={"name": name, "status": status},
                )
                await record_platform_event(connection, actor, event)
            row = (
                await connection.execute(_SERVERS.where(DatabaseServerRow.id == server_id))
            ).one()
        return _server(row)

    async def choose(self, tiers: Sequence[ServerTier], name: str | None) -> ServerRecord:
        """Return the named server, else the emptiest open one; one of an earlier tier goes before the others.

        Raises `UnknownServerError`, or `ServerFullError` when none has room. Two who choose at once may both get the
        last place: the registry refuses the second placement.
        """
        if name is not None:
            named = [server for server in await self.all() if server.name == name]
            if not named:
                raise UnknownServerError
            return named[0]
        open_servers = [
            server
            for server in await self.all()
            if server.status == "open"
            and server.tier in tiers
            and server.placements < server.capacity
        ]
        if not open_servers:
            raise ServerFullError
        return min(
            open_servers,
            key=lambda s: (tiers.index(ServerTier(s.tier)), s.placements / s.capacity, s.name),
        )


class PlanRecords:
    """The plans of the registry."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def by_code(self, code: str) -> PlanRecord | None:
        """Return the plan, None when there is none."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(_PLANS.where(PlanRow.code == code))).one_or_none()
        return None if row is None else _plan(row)

    async def all(self) -> Sequence[PlanRecord]:
        """Return every plan in the order of its code."""
        statement = _PLANS.order_by(PlanRow.code).limit(PLANS_MAX)
        async with self._engine.connect() as connection:
            return [_plan(row) for row in await connection.execute(statement)]


def _address(server: Server) -> dict[str, str | int | None]:
    """Return the columns that say how a server is reached."""
    return {
        "host": server.host,
        "port": server.port,
        "tls": server.tls,
        "pooler_host": server.pooler_host,
        "pooler_port": server.pooler_port,
    }


def _server(row: Row[Any]) -> ServerRecord:
    return ServerRecord(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it


def _plan(row: Row[Any]) -> PlanRecord:
    values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    strategies = tuple(StrategyName(name) for name in values.pop("allowed_strategies"))
    return PlanRecord(allowed_strategies=strategies, **values)
