"""The clinics under measurement, in every strategy, each a copy of the model clinic."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from app.factory import make_token_issuer
from app.preparation import tenancy_options
from auth.tokens import Audience, Grant, TokenIssuer
from bench.copies import Destination, ModelTable, numbered, read_model, write_copies
from bench.ground import Ground
from bench.model_clinic import ModelIds, fill_model_clinic
from bench.plain_database import (
    ONLY_CLINIC,
    PLAIN_DATABASE,
    PLAIN_SCHEMA,
    SINGLE_CLINIC_TABLES,
    make_plain_database,
)
from tenancy.modes import Mode
from tenancy.platform import NewTenant, PlatformOptions, make_platform
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import StrategyName, TenantId

STATE_NAME = "fleet.json"
PLAN = "empresa"
SET_UPS_AT_ONCE = 2
COPIES_AT_ONCE = 50
MODEL_SLUG = "bench-model"


class BenchClinic(Struct, frozen=True, kw_only=True):
    """One clinic: its number makes its ids, its tenant id is the registry's."""

    number: int
    slug: str
    strategy: StrategyName
    tenant_id: UUID
    database: str
    schema: str

    @property
    def host(self) -> str:
        return f"{self.slug}.localhost"


class Fleet(Struct, frozen=True, kw_only=True):
    """All clinics of a run."""

    model: ModelIds
    model_tenant_id: UUID
    clinics: dict[StrategyName, list[BenchClinic]]

    def ids(self, number: int) -> ModelIds:
        """Return the ids of clinic `number`."""
        model = self.model
        return msgspec.structs.replace(
            model,
            user_id=numbered(model.user_id, number),
            login_session_id=numbered(model.login_session_id, number),
            branch_id=numbered(model.branch_id, number),
            practitioner_ids=[numbered(i, number) for i in model.practitioner_ids],
            patient_ids=[numbered(i, number) for i in model.patient_ids],
        )

    def token(self, issuer: TokenIssuer, number: int, tenant_id: UUID) -> str:
        """Return an access token of clinic `number`'s administrator."""
        ids = self.ids(number)
        grant = Grant(
            subject=ids.user_id,
            session_id=ids.login_session_id,
            clinic_id=tenant_id,
            access_version=ids.access_version,
            roles=frozenset({"admin"}),
        )
        return issuer.issue(grant, Audience.CLINIC)


async def make_fleet(ground: Ground, counts: dict[StrategyName, int]) -> Fleet:
    """Return the fleet on this ground: the one that was kept there if it is large enough, else a new one."""
    state = ground.directory / STATE_NAME
    kept = _kept_fleet(state, counts)
    if kept is not None:
        return kept
    async with Tenancy(tenancy_options(ground.settings, ground.postgres.address)) as tenancy:
        fleet, tables = await _with_model(ground, tenancy)
        for strategy, count in counts.items():
            clinics = await _set_up(ground, tenancy, strategy, count)
            await _fill(ground, clinics, tables)
            fleet.clinics[strategy] = clinics
        await make_plain_database(ground, tenancy)
        await _fill_plain(ground, max(counts.values()), tables)
    state.write_bytes(msgspec.json.encode(fleet))
    return fleet


async def model_tables(ground: Ground, fleet: Fleet) -> list[ModelTable]:
    """Return the rows of the model clinic."""
    connection = await ground.administrator(ground.settings.pool_database)
    try:
        return await read_model(connection, "pool", fleet.model_tenant_id)
    finally:
        await connection.close()


def issuer_of(ground: Ground) -> TokenIssuer:
    """Return the issuer whose tokens the servers accept."""
    return make_token_issuer(ground.settings)


def _kept_fleet(state: Path, counts: dict[StrategyName, int]) -> Fleet | None:
    if not state.exists():
        return None
    fleet = msgspec.json.decode(state.read_bytes(), type=Fleet)
    enough = all(len(fleet.clinics.get(s, ())) >= count for s, count in counts.items())
    if not enough:
        message = f"{state.parent} holds a smaller fleet: choose another directory"
        raise SystemExit(message)
    return fleet


async def _with_model(ground: Ground, tenancy: Tenancy) -> tuple[Fleet, list[ModelTable]]:
    tenant_id = await _create(ground, tenancy, MODEL_SLUG, StrategyName.ROW)
    async with tenancy.session(tenant_id, Mode.WRITE) as session:
        model = await fill_model_clinic(session)
    fleet = Fleet(model=model, model_tenant_id=tenant_id, clinics={})
    return fleet, await model_tables(ground, fleet)


async def _set_up(
    ground: Ground, tenancy: Tenancy, strategy: StrategyName, count: int
) -> list[BenchClinic]:
    """Provision empty clinics as the product does."""
    turns = asyncio.Semaphore(SET_UPS_AT_ONCE)

    async def one(number: int) -> BenchClinic:
        slug = f"{strategy.value}-{number:04}"
        async with turns:
            tenant_id = await _create(ground, tenancy, slug, strategy)
        home = tenancy.strategies[strategy].home_for(tenant_id, "main")
        return BenchClinic(
            number=number,
            slug=slug,
            strategy=strategy,
            tenant_id=tenant_id,
            database=home.database,
            schema=home.schema,
        )

    return list(await asyncio.gather(*(one(number) for number in range(1, count + 1))))


async def _create(ground: Ground, tenancy: Tenancy, slug: str, strategy: StrategyName) -> TenantId:
    platform = make_platform(
        tenancy,
        PlatformOptions(
            base_domains=ground.settings.base_domains,
            signup_policy="open",
            signup_strategy=strategy,
        ),
    )
    request = NewTenant(
        name=f"Clinic {slug}",
        slug=slug,
        admin_email="admin@clinic.example",
        plan=PLAN,
        strategy=strategy,
    )
    return TenantId((await platform.create(request, _nothing)).id)


async def _nothing(_session: TenantSession) -> None:
    """Add no first rows: the copy brings them."""


async def _fill(
    ground: Ground, clinics: Sequence[BenchClinic], tables: Sequence[ModelTable]
) -> None:
    by_home = groupby(
        sorted(clinics, key=lambda c: (c.database, c.schema)), lambda c: (c.database, c.schema)
    )
    homes = [(key, list(group)) for key, group in by_home]
    for database, group in groupby(homes, lambda home: home[0][0]):
        connection = await ground.administrator(database)
        try:
            for (_, schema), residents in group:
                for start in range(0, len(residents), COPIES_AT_ONCE):
                    batch = residents[start : start + COPIES_AT_ONCE]
                    destinations = [Destination(c.number, c.tenant_id) for c in batch]
                    await write_copies(connection, schema, tables, destinations)
            await connection.execute("VACUUM ANALYZE")
        finally:
            await connection.close()


async def _fill_plain(ground: Ground, count: int, tables: Sequence[ModelTable]) -> None:
    """Give the reference the rows of all clinics as those of one."""
    single = [table for table in tables if table.name in SINGLE_CLINIC_TABLES]
    rest = [table for table in tables if table.name not in SINGLE_CLINIC_TABLES]
    connection = await ground.administrator(PLAIN_DATABASE)
    try:
        destinations = [Destination(number, ONLY_CLINIC) for number in range(1, count + 1)]
        await write_copies(connection, PLAIN_SCHEMA, single, destinations[:1])
        for start in range(0, count, COPIES_AT_ONCE):
            batch = destinations[start : start + COPIES_AT_ONCE]
            await write_copies(connection, PLAIN_SCHEMA, rest, batch)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
