"""What provisioning writes to the registry: the claim, the reservation, the journal, the activation, the way back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Uuid,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from tenancy.registry.audit import record_platform_event
from tenancy.registry.errors import ProvisioningLostError
from tenancy.registry.models import PlacementRow, ProvisioningStepRow, TenantDomainRow, TenantRow
from tenancy.registry.records import PlatformActor, PlatformEvent
from tenancy.registry.refusals import refusals
from tenancy.tenant import Placement, TenantId, TenantStatus

ERROR_LENGTH_MAX: Final = 500
ABANDONED_MAX: Final = 1000
CLAIM_CLASS: Final = 7311
"""Seed of the advisory lock that a set-up in work holds; in the space of 64-bit keys, the homes use the other one."""

_CLAIM = select(
    func.pg_try_advisory_xact_lock(
        func.uuid_hash_extended(
            bindparam("tenant_id", type_=Uuid()), cast(literal(CLAIM_CLASS), BigInteger)
        )
    )
)
_LAZY_COMMIT = text("SET LOCAL synchronous_commit = off")
_MARK = upsert(ProvisioningStepRow)
_MARK = _MARK.on_conflict_do_update(
    index_elements=["tenant_id", "step"],
    set_={
        "state": _MARK.excluded.state,
        "error": _MARK.excluded.error,
        "at": func.clock_timestamp(),
    },
)


class Reservation(Struct, frozen=True, kw_only=True):
    """The rows that a new clinic begins with: `columns` are those of the tenant's row, without its status."""

    columns: dict[str, Any]
    hostname: str
    placement: Placement
    server_id: UUID


class Claim:
    """The right to work on a clinic's set-up; it ends with the process that holds it."""

    def __init__(self, connection: AsyncConnection, tenant_id: TenantId) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def activate(
        self,
        status: TenantStatus,
        done: tuple[str, ...],
        actor: PlatformActor,
        event: PlatformEvent,
    ) -> None:
        """Open the clinic, in the very transaction that holds the claim: who lost the claim cannot open it.

        Raises `ProvisioningLostError` when the set-up was taken back meanwhile.
        """
        opened = await self._connection.execute(
            update(TenantRow)
            .where(
                TenantRow.id == self._tenant_id,
                TenantRow.status == TenantStatus.PROVISIONING.value,
            )
            .values(status=status.value, status_changed_at=func.now(), updated_at=func.now())
        )
        if opened.rowcount == 0:
            raise ProvisioningLostError
        await self._connection.execute(
            _MARK, [_step(self._tenant_id, step, "done") for step in done]
        )
        await record_platform_event(self._connection, actor, event)
        await self._connection.commit()


class Journal:
    """Notes the progress of one set-up beside the work. Told to people only: the way back does not rely on it."""

    def __init__(self, engine: AsyncEngine, tenant_id: TenantId) -> None:
        self._engine = engine
        self._tenant_id = tenant_id
        self._states: dict[str, str] = {}
        self._writing: asyncio.Task[None] | None = None

    def advance(self, done: str, started: str) -> None:
        """Note that one step is done and the next begun; the caller goes on meanwhile."""
        self._states |= {done: "done", started: "started"}
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write(self._writing))

    async def written(self) -> None:
        """Wait until everything is noted; raise what went wrong."""
        if self._writing is not None:
            await self._writing

    async def close(self) -> None:
        """Wait until nothing more will be noted."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            before.result()  # what could not be noted then is not forgotten
        while self._states:
            async with self._engine.begin() as connection:
                await connection.execute(_LAZY_COMMIT)
                # What was added while a connection was waited for goes with it.
                states, self._states = self._states, {}
                rows = [_step(self._tenant_id, step, state) for step, state in states.items()]
                await connection.execute(_MARK, rows)


class ProvisioningRecords:
    """The registry's side of setting up clinics."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def claim(self, tenant_id: TenantId) -> AsyncIterator[Claim | None]:
        """Hold the claim on a clinic's set-up; None when a living process holds it.

        It is a lock of an open transaction, so a process that is killed lets go of it at once.
        """
        connection = await self._engine.connect()
        try:
            granted = await connection.scalar(_CLAIM, {"tenant_id": tenant_id})
            yield Claim(connection, tenant_id) if granted else None
        finally:
            try:
                await connection.close()
            except (SQLAlchemyError, OSError):
                # The server has ended the transaction already, and the claim with it.
                if not connection.closed:
                    await connection.invalidate()

    async def reserve(self, reservation: Reservation, done: str, started: str) -> None:
        """Write tenant (status `provisioning`), domain and placement in one transaction.

        Raises `SlugTakenError`, `NameTakenError`, `ReservedSlugError`, `LegacyIdTakenError`, `ServerFullError`.
        """
        placement = reservation.placement
        async with self._engine.begin() as connection:
            with refusals():
                await connection.execute(
                    insert(TenantRow),
                    {
                        **reservation.columns,
                        "id": placement.tenant_id,
                        "status": TenantStatus.PROVISIONING.value,
                    },
                )
                await connection.execute(
                    insert(TenantDomainRow),
                    {
                        "id": uuid7(),
                        "tenant_id": placement.tenant_id,
                        "hostname": reservation.hostname,
                        "kind": "subdomain",
                        "is_primary": True,
                    },
                )
                await connection.execute(
                    insert(PlacementRow),
                    {
                        "tenant_id": placement.tenant_id,
                        "server_id": reservation.server_id,
                        "database_name": placement.home.database,
                        "schema_name": placement.home.schema,
                        "strategy": placement.strategy.value,
                        "epoch": placement.epoch,
                    },
                )
            await _mark(connection, placement.tenant_id, done, started)

    def journal(self, tenant_id: TenantId) -> "Journal":
        """Return what notes the progress of a set-up."""
        return Journal(self._engine, tenant_id)

    async def fail(self, tenant_id: TenantId, step: str, error: BaseException) -> None:
        """Note why a step failed: the error's class, never its text, which may quote what was entered."""
        row = _step(tenant_id, step, "failed") | {"error": type(error).__name__[:ERROR_LENGTH_MAX]}
        async with self._engine.begin() as connection:
            await connection.execute(_MARK, [row])

    async def is_unfinished(self, tenant_id: TenantId) -> bool:
        """Return whether the clinic's set-up was neither finished nor taken back."""
        statement = select(TenantRow.id).where(
            TenantRow.id == tenant_id, TenantRow.status == TenantStatus.PROVISIONING.value
        )
        async with self._engine.connect() as connection:
            return await connection.scalar(statement) is not None

    async def unfinished(self) -> Sequence[TenantId]:
        """Return the clinics whose set-up is under way or was left behind, oldest first."""
        statement = (
            select(TenantRow.id)
            .where(TenantRow.status == TenantStatus.PROVISIONING.value)
            .order_by(TenantRow.id)
            .limit(ABANDONED_MAX)
        )
        async with self._engine.connect() as connection:
            return [TenantId(value) for value in await connection.scalars(statement)]

    async def unfinished_rivals(self, columns: dict[str, Any], hostname: str) -> Sequence[TenantId]:
        """Return the unfinished clinics that stand in the way of a reservation with these values."""
        at_hostname = select(TenantDomainRow.tenant_id).where(TenantDomainRow.hostname == hostname)
        statement = select(TenantRow.id).where(
            TenantRow.status == TenantStatus.PROVISIONING.value,
            or_(
                TenantRow.slug == columns["slug"],
                func.lower(TenantRow.name) == func.lower(literal(columns["name"])),
                TenantRow.legacy_id == literal(columns.get("legacy_id")),
                TenantRow.id.in_(at_hostname),
            ),
        )
        async with self._engine.connect() as connection:
            return [TenantId(value) for value in await connection.scalars(statement)]

    async def erase(self, tenant_id: TenantId) -> None:
        """Remove an unfinished clinic from the registry, as the last step of the way back; its journal stays."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(TenantRow).where(
                    TenantRow.id == tenant_id,
                    TenantRow.status == TenantStatus.PROVISIONING.value,
                )
            )
            await connection.execute(
                update(ProvisioningStepRow)
                .where(
                    ProvisioningStepRow.tenant_id == tenant_id,
                    ProvisioningStepRow.state != "failed",
                )
                .values(state="undone", at=func.clock_timestamp())
            )


def _step(tenant_id: TenantId, step: str, state: str) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "step": step, "state": state, "error": None}


async def _mark(connection: AsyncConnection, tenant_id: TenantId, done: str, started: str) -> None:
    await connection.execute(
        _MARK, [_step(tenant_id, done, "done"), _step(tenant_id, started, "started")]
    )
