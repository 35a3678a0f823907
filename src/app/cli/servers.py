"""`clinic servers`: the PostgreSQL servers that may hold clinics."""

import re
import sys
from pathlib import Path

import asyncpg
import rich_click as click
from msgspec import Struct

from app.cli.connections import given_by, needed_for_clinics, refuse_too_few
from app.cli.errors import CommandError
from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import busy, print_fields, print_rows, remark
from app.cli.server_drain import drain, open_server
from app.cli.server_identity import refuse_registered
from app.cli.workplace import Workplace, run_job
from app.database_url import DatabaseUrlError
from app.postgres import ExternalServer
from app.preparation import tenancy_options
from app.settings import Settings
from tenancy.bootstrap import prepare_homes, prepare_roles, roles_script
from tenancy.credentials import CONNECT_S_MAX, Credentials
from tenancy.registry.records import SYSTEM, ServerRecord
from tenancy.runtime import Tenancy
from tenancy.tenant import ServerTier

NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
"""As the registry's own check has it, asked before anything is done to the server."""

STANDARD_INPUT = "-"


class ServerRow(Struct, frozen=True, kw_only=True):
    """A server as the command line shows it."""

    name: str
    host: str
    port: int
    tls: bool
    tier: str
    status: str
    clinics: int
    capacity: int


@click.group()
def servers() -> None:
    """Keep the PostgreSQL servers that may hold clinics."""


servers.add_command(drain)
servers.add_command(open_server)


@servers.command("list")
@json_option
@data_dir_option
def list_servers(as_json: bool, data_dir: Path | None) -> None:
    """List the servers."""

    async def read(workplace: Workplace) -> list[ServerRow]:
        return [_row(record) for record in await workplace.tenancy.store.servers.all()]

    print_rows(run_job(existing_settings(data_dir), read), ServerRow, as_json=as_json)


@servers.command("add")
@click.argument("name")
@click.option(
    "--url",
    required=True,
    help="postgresql://administrator:password@host:5432/postgres, or - to read it from standard input.",
)
@click.option(
    "--tier",
    type=click.Choice([str(tier) for tier in ServerTier]),
    default=str(ServerTier.SHARED),
    show_default=True,
)
@click.option("--capacity", type=click.IntRange(min=1), default=1000, show_default=True)
@json_option
@data_dir_option
def add(
    name: str, url: str, tier: str, capacity: int, as_json: bool, data_dir: Path | None
) -> None:
    """Make a server fit for clinics and register it; the URL's user is needed this once only."""
    settings = existing_settings(data_dir)
    server = _external(name, sys.stdin.readline().strip() if url == STANDARD_INPUT else url)

    async def register(workplace: Workplace) -> ServerRow:
        await refuse_registered(workplace, server)
        await _refuse_unfit(settings, server, capacity)
        with busy(f"Preparing {name}"):
            await _prepare(settings, server)
        record = await workplace.tenancy.store.servers.add(
            server.address, tier=tier, capacity=capacity, actor=SYSTEM
        )
        return _row(record)

    with busy(f"Reaching {name}"):
        server.start()
    print_fields(run_job(settings, register), as_json=as_json)


@servers.command("roles-sql")
@data_dir_option
def roles_sql(data_dir: Path | None) -> None:
    """Print what an administrator must run on a server where CLINIC_DATABASE_URL's user may not create roles.

    It holds the roles' passwords.
    """
    click.echo(roles_script(Credentials(existing_settings(data_dir).role_secret)))


def _external(name: str, url: str) -> ExternalServer:
    if not NAME.fullmatch(name):
        raise CommandError(
            f"{name!r} cannot be a server's name: use 2 to 40 small letters, digits and hyphens, a letter first"
        )
    try:
        return ExternalServer(url, name=name)
    except DatabaseUrlError as error:
        raise CommandError(f"the URL cannot be used: {error}") from error


async def _refuse_unfit(settings: Settings, server: ExternalServer, capacity: int) -> None:
    """Raise `CommandError` where the next `clinic serve` would refuse; say what moves will miss."""
    connection = await asyncpg.connect(**server.administrator, timeout=CONNECT_S_MAX)
    try:
        wal_level = await connection.fetchval("SHOW wal_level")
    except BaseException:
        connection.terminate()
        raise
    needed = needed_for_clinics(settings, capacity, is_pooled=server.address.is_pooled)
    refuse_too_few(settings, server.name, given=await given_by(connection), needed=needed)
    if wal_level != "logical":
        remark(
            f"{server.name} has wal_level = {wal_level}: clinics move to and from it while they work once it is logical"
        )


async def _prepare(settings: Settings, server: ExternalServer) -> None:
    """Give the server its roles and its pool, before the registry knows of it."""
    tenancy = Tenancy(tenancy_options(settings, server.address))
    try:
        await prepare_roles(server.administrator, server.address, tenancy.credentials)
        await prepare_homes(
            tenancy.pools, tenancy.installer, tenancy.strategies.values(), server.name
        )
    finally:
        await tenancy.close()


def _row(record: ServerRecord) -> ServerRow:
    return ServerRow(
        name=record.name,
        host=record.host,
        port=record.port,
        tls=record.tls,
        tier=record.tier,
        status=record.status,
        clinics=record.placements,
        capacity=record.capacity,
    )
