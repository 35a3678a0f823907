"""`clinic tenants`: the clinics as the platform sees them."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import rich_click as click
from msgspec import Struct

from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import busy, print_fields, print_json, print_rows
from app.cli.revisions import revision_of, revisions_of
from app.cli.tenant_move import move
from app.cli.workplace import Workplace, run_job
from controllers.clinic_set_up import admin_password, set_up_clinic
from tenancy.platform import NewTenant, TenantRecord
from tenancy.registry.records import SYSTEM
from tenancy.registry.requests import LANGUAGES, VERTICALS
from tenancy.tenant import Placement, StrategyName, TenantStatus

PAGE = 500
SAME_AS_RECORDED = (
    "id",
    "slug",
    "name",
    "plan",
    "hostnames",
    "vertical",
    "country",
    "timezone",
    "currency",
    "language",
    "admin_email",
    "created_at",
)


class TenantRow(Struct, frozen=True, kw_only=True):
    """A clinic in a list."""

    id: UUID
    slug: str
    name: str
    strategy: str | None
    server: str | None
    database: str | None
    schema: str | None
    status: str
    plan: str
    revision: str | None


class TenantDetails(Struct, frozen=True, kw_only=True):
    """Everything the command line shows of one clinic."""

    id: UUID
    slug: str
    name: str
    status: str
    plan: str
    strategy: str | None
    server: str | None
    database: str | None
    schema: str | None
    epoch: int | None
    revision: str | None
    hostnames: tuple[str, ...]
    vertical: str
    country: str
    timezone: str
    currency: str
    language: str
    admin_email: str
    created_at: datetime


class CreatedTenant(TenantDetails, frozen=True, kw_only=True):
    """A new clinic; `temporary_password` of its administrator is shown this once."""

    temporary_password: str


@click.group()
def tenants() -> None:
    """Keep the clinics."""


tenants.add_command(move)


@tenants.command("list")
@click.option("--status", type=click.Choice([str(status) for status in TenantStatus]))
@json_option
@data_dir_option
def list_tenants(status: str | None, as_json: bool, data_dir: Path | None) -> None:
    """List the clinics, oldest first."""

    async def read(workplace: Workplace) -> list[TenantRow]:
        records: list[TenantRecord] = []
        wanted = TenantStatus(status) if status else None
        after: UUID | None = None
        while page := await workplace.platform.tenants(limit=PAGE, after=after, status=wanted):
            records += page
            after = page[-1].id
        revisions = await revisions_of(workplace.tenancy.pools, records)
        return [_row(record, revisions) for record in records]

    rows = run_job(existing_settings(data_dir), read)
    print_rows(rows, TenantRow, as_json=as_json)


@tenants.command("show")
@click.argument("slug")
@json_option
@data_dir_option
def show(slug: str, as_json: bool, data_dir: Path | None) -> None:
    """Show one clinic."""

    async def read(workplace: Workplace) -> TenantDetails:
        return await _details(workplace, await workplace.platform.tenant_by_slug(slug))

    print_fields(run_job(existing_settings(data_dir), read), as_json=as_json)


@tenants.command("create")
@click.option("--name", required=True, help="What people call the clinic.")
@click.option("--slug", required=True, help="Its sub-domain.")
@click.option("--admin-email", required=True, help="Its first administrator.")
@click.option("--strategy", type=click.Choice([str(name) for name in StrategyName]))
@click.option("--server", help="Database server; by default the emptiest.")
@click.option("--plan", default="prueba", show_default=True)
@click.option(
    "--vertical", type=click.Choice(sorted(VERTICALS)), default="dental", show_default=True
)
@click.option("--country", default="PE", show_default=True, help="ISO 3166-1 alpha-2.")
@click.option("--timezone", help="IANA name; by default the country's.")
@click.option("--language", type=click.Choice(sorted(LANGUAGES)), default="es", show_default=True)
@json_option
@data_dir_option
def create(as_json: bool, data_dir: Path | None, strategy: str | None, **fields: Any) -> None:
    """Make a clinic, ready for use; its administrator's password is shown this once."""
    chosen = StrategyName(strategy) if strategy else None
    request = NewTenant(**fields, strategy=chosen, actor=SYSTEM)

    async def make(workplace: Workplace) -> CreatedTenant:
        admin = admin_password(workplace.hasher, request.admin_email, None)
        with busy(f"Making {request.slug}"):
            record = await set_up_clinic(
                request, admin, workplace.hasher, workplace.platform.create
            )
        details = await _details(workplace, record)
        values = {name: getattr(details, name) for name in details.__struct_fields__}
        return CreatedTenant(**values, temporary_password=admin.password)

    print_fields(run_job(existing_settings(data_dir), make), as_json=as_json)


@tenants.command("suspend")
@click.argument("slug")
@json_option
@data_dir_option
def suspend(slug: str, as_json: bool, data_dir: Path | None) -> None:
    """Let a clinic be read only, at once."""

    async def change(workplace: Workplace) -> TenantRecord:
        record = await workplace.platform.tenant_by_slug(slug)
        return await workplace.platform.suspend(record.id, actor=SYSTEM)

    _say_status(run_job(existing_settings(data_dir), change), as_json=as_json)


@tenants.command("resume")
@click.argument("slug")
@json_option
@data_dir_option
def resume(slug: str, as_json: bool, data_dir: Path | None) -> None:
    """Let a suspended clinic work again, at once."""

    async def change(workplace: Workplace) -> TenantRecord:
        record = await workplace.platform.tenant_by_slug(slug)
        return await workplace.platform.resume(record.id, actor=SYSTEM)

    _say_status(run_job(existing_settings(data_dir), change), as_json=as_json)


def _say_status(record: TenantRecord, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": record.id, "slug": record.slug, "status": record.status})
    else:
        click.echo(f"{record.slug} is {record.status}")


def _place(placement: Placement | None) -> dict[str, Any]:
    if placement is None:
        return dict.fromkeys(("strategy", "server", "database", "schema"))
    home = placement.home
    return {
        "strategy": str(placement.strategy),
        "server": home.server,
        "database": home.database,
        "schema": home.schema,
    }


def _row(record: TenantRecord, revisions: dict[Any, str | None]) -> TenantRow:
    home = record.placement.home if record.placement else None
    return TenantRow(
        id=record.id,
        slug=record.slug,
        name=record.name,
        status=str(record.status),
        plan=record.plan,
        revision=revisions.get(home),
        **_place(record.placement),
    )


async def _details(workplace: Workplace, record: TenantRecord) -> TenantDetails:
    placement = record.placement
    return TenantDetails(
        **{name: getattr(record, name) for name in SAME_AS_RECORDED},
        **_place(placement),
        status=str(record.status),
        epoch=placement.epoch if placement else None,
        revision=await revision_of(workplace.tenancy.pools, placement.home) if placement else None,
    )
