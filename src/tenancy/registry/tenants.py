"""Reads and changes of tenants, their domains and placements."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tenancy.errors import UnknownTenantError
from tenancy.registry.audit import record_platform_event
from tenancy.registry.errors import StaleTenantError
from tenancy.registry.models import (
    DatabaseServerRow,
    PlacementRow,
    PlanRow,
    TenantDomainRow,
    TenantRow,
)
from tenancy.registry.records import PlatformActor, PlatformEvent, TenantRecord
from tenancy.registry.refusals import refusals
from tenancy.tenant import Home, Placement, StrategyName, TenantId, TenantStatus

CHANGEABLE: Final = frozenset(
    {
        "name",
        "description",
        "vertical",
        "country",
        "timezone",
        "currency",
        "language",
        "admin_email",
        "phone",
        "backup_schedule",
        "listed_in_suggestions",
    }
)
"""Columns that an operator may change; the others change by their own ways."""

_HOSTNAMES = (
    select(
        func.array_agg(
            aggregate_order_by(
                TenantDomainRow.hostname,
                TenantDomainRow.is_primary.desc(),
                TenantDomainRow.hostname,
            )
        )
    )
    .where(
        TenantDomainRow.tenant_id == TenantRow.id,
        or_(TenantDomainRow.kind == "subdomain", TenantDomainRow.verified_at.is_not(None)),
    )
    .scalar_subquery()
)

_NOT_TOLD = frozenset({"plan_id", "status_before_suspension"})

_TENANTS = (
    select(
        *(c for c in TenantRow.__table__.columns if c.name not in _NOT_TOLD),
        PlanRow.code.label("plan"),
        _HOSTNAMES.label("hostnames"),
        DatabaseServerRow.name.label("server"),
        PlacementRow.database_name,
        PlacementRow.schema_name,
        PlacementRow.strategy,
        PlacementRow.epoch,
    )
    .select_from(TenantRow)
    .join(PlanRow, PlanRow.id == TenantRow.plan_id)
    .outerjoin(PlacementRow, PlacementRow.tenant_id == TenantRow.id)
    .outerjoin(DatabaseServerRow, DatabaseServerRow.id == PlacementRow.server_id)
)
_BY_ID = _TENANTS.where(TenantRow.id == bindparam("value"))
_BY_SLUG = _TENANTS.where(TenantRow.slug == bindparam("value"))
_BY_HOSTNAME = _TENANTS.where(
    TenantRow.id
    == select(TenantDomainRow.tenant_id)
    .where(
        TenantDomainRow.hostname == bindparam("value"),
        or_(TenantDomainRow.kind == "subdomain", TenantDomainRow.verified_at.is_not(None)),
    )
    .scalar_subquery()
)

_PRIMARY_HOSTNAME = (
    select(TenantDomainRow.hostname)
    .where(TenantDomainRow.tenant_id == TenantRow.id, TenantDomainRow.is_primary)
    .scalar_subquery()
)


class TenantRecords:
    """The tenants of the registry; each method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def by_id(self, tenant_id: UUID) -> TenantRecord | None:
        """Return the tenant, None when there is none."""
        return await self._one(_BY_ID, tenant_id)

    async def by_slug(self, slug: str) -> TenantRecord | None:
        """Return the tenant with this slug, None when there is none."""
        return await self._one(_BY_SLUG, slug)

    async def by_hostname(self, hostname: str) -> TenantRecord | None:
        """Return the tenant that answers at this (normalised) host name; unverified custom domains do not count."""
        return await self._one(_BY_HOSTNAME, hostname)

    async def page(
        self, *, limit: int, after: UUID | None = None, status: TenantStatus | None = None
    ) -> Sequence[TenantRecord]:
        """Return at most `limit` tenants in the order of their ids, beginning after `after`."""
        statement = _TENANTS.order_by(TenantRow.id).limit(limit)
        if after is not None:
            statement = statement.where(TenantRow.id > after)
        if status is not None:
            statement = statement.where(TenantRow.status == status.value)
        async with self._engine.connect() as connection:
            return [_record(row) for row in await connection.execute(statement)]

    async def similar_hostnames(
        self, label: str, *, limit: int, similarity_min: float
    ) -> Sequence[str]:
        """Return the primary host names of the usable, listed tenants whose slugs are most like `label`."""
        distance = TenantRow.slug.op("OPERATOR(extensions.<->)")(label)
        nearest = (
            select(_PRIMARY_HOSTNAME.label("hostname"), distance.label("distance"))
            .where(
                TenantRow.listed_in_suggestions,
                TenantRow.status.in_([TenantStatus.TRIAL.value, TenantStatus.ACTIVE.value]),
            )
            .order_by(distance)
            .limit(limit)
            .subquery()
        )
        statement = (
            select(nearest.c.hostname)
            .where(nearest.c.distance <= 1 - similarity_min, nearest.c.hostname.is_not(None))
            .order_by(nearest.c.distance, nearest.c.hostname)
        )
        async with self._engine.connect() as connection:
            return list(await connection.scalars(statement))

    async def change(
        self, tenant_id: UUID, changes: Mapping[str, Any], *, version: int, actor: PlatformActor
    ) -> TenantRecord:
        """Change columns of `CHANGEABLE` if the row still has `version`.

        Raises `UnknownTenantError`, `StaleTenantError`, `NameTakenError`.
        """
        assert changes.keys() <= CHANGEABLE
        async with self._engine.begin() as connection:
            with refusals():
                await self._update(connection, tenant_id, version, changes)
            event = PlatformEvent(
                action="update",
                entity_type="tenant",
                entity_id=tenant_id,
                tenant_id=TenantId(tenant_id),
                details={"fields": sorted(changes)},
            )
            await record_platform_event(connection, actor, event)
        return await self._existing(tenant_id)

    async def place(self, placement: Placement) -> None:
        """Note a newer home of a tenant; an older epoch than the known one changes nothing."""
        server = select(DatabaseServerRow.id).where(DatabaseServerRow.name == placement.home.server)
        async with self._engine.begin() as connection:
            with refusals():
                await connection.execute(
                    update(PlacementRow)
                    .where(
                        PlacementRow.tenant_id == placement.tenant_id,
                        PlacementRow.epoch < placement.epoch,
                    )
                    .values(
                        server_id=server.scalar_subquery(),
                        database_name=placement.home.database,
                        schema_name=placement.home.schema,
                        strategy=placement.strategy.value,
                        epoch=placement.epoch,
                        since=func.now(),
                    )
                )

    async def _one(self, statement: Select[Any], value: UUID | str) -> TenantRecord | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement, {"value": value})).one_or_none()
        return None if row is None else _record(row)

    async def _existing(self, tenant_id: UUID) -> TenantRecord:
        record = await self.by_id(tenant_id)
        if record is None:
            raise UnknownTenantError
        return record

    @staticmethod
    async def _version_of(connection: AsyncConnection, tenant_id: UUID) -> int:
        version = await connection.scalar(
            select(TenantRow.version).where(TenantRow.id == tenant_id)
        )
        if version is None:
            raise UnknownTenantError
        return version

    async def _update(
        self, connection: AsyncConnection, tenant_id: UUID, version: int, values: Mapping[str, Any]
    ) -> None:
        changed = await connection.execute(
            update(TenantRow)
            .where(TenantRow.id == tenant_id, TenantRow.version == version)
            .values(**values, updated_at=func.now(), version=TenantRow.version + 1)
        )
        if changed.rowcount == 0:
            raise StaleTenantError(await self._version_of(connection, tenant_id))


def _record(row: Any) -> TenantRecord:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    server, database, schema = (
        values.pop(name) for name in ("server", "database_name", "schema_name")
    )
    strategy, epoch = values.pop("strategy"), values.pop("epoch")
    tenant_id = TenantId(values.pop("id"))
    placement = None
    if strategy is not None:
        placement = Placement(
            tenant_id=tenant_id,
            strategy=StrategyName(strategy),
            home=Home(server, database, schema),
            epoch=epoch,
        )
    return TenantRecord(
        id=tenant_id,
        status=TenantStatus(values.pop("status")),
        hostnames=tuple(values.pop("hostnames") or ()),
        placement=placement,
        **values,
    )
