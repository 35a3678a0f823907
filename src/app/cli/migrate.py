"""`clinic migrate`: registry and homes at the newest revision, and what the ledger knows of them."""

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path

import rich_click as click
from msgspec import Struct
from rich.progress import Progress

from app.cli.errors import CommandError
from app.cli.options import data_dir_option, existing_settings, json_option, read_settings
from app.cli.output import counted, print_rows, remark
from app.cli.workplace import Workplace, run_job, running_server
from app.postgres import PostgresServer
from app.preparation import EVERY_HOME, migrate_everything
from app.settings import Settings
from tenancy.fleet.lane import HomeMigration
from tenancy.fleet.migration import FAILURES_MAX, FleetMigration, MigrationProgress, MigrationScope
from tenancy.migrations import TENANT_TREE, head_revision, upgrade_steps
from tenancy.registry.home_revisions import HomeState

EXIT_FAILED = 1


class MigrationRow(Struct, frozen=True, kw_only=True):
    """What became of one home."""

    server: str
    database: str
    schema: str
    before: str | None
    after: str | None
    error: str | None
    note: str | None


class HomeRow(Struct, frozen=True, kw_only=True):
    """One home as the ledger knows it."""

    server: str
    database: str
    schema: str
    revision: str | None
    tries: int
    at: datetime | None
    error: str | None


@click.group(invoke_without_command=True)
@click.option("--tenant", "slugs", multiple=True, metavar="SLUG", help="Only this clinic's home.")
@click.option("--server", "servers", multiple=True, metavar="NAME", help="Only homes there.")
@click.option(
    "--canary",
    "canaries",
    multiple=True,
    metavar="SLUG",
    help="Clinics that come first; if one fails, the others are left as they are.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=1),
    default=FAILURES_MAX,
    show_default=True,
    help="Stop after so many.",
)
@click.option("--every", is_flag=True, help="Look at each home, whatever the ledger says.")
@click.option("--dry-run", is_flag=True, help="Print the SQL; change nothing.")
@json_option
@data_dir_option
@click.pass_context
def migrate(  # one parameter an option
    context: click.Context,
    slugs: tuple[str, ...],
    servers: tuple[str, ...],
    canaries: tuple[str, ...],
    max_failures: int,
    every: bool,
    dry_run: bool,
    as_json: bool,
    data_dir: Path | None,
) -> int:
    """Bring the registry and every home to the newest revision; a home that fails does not stop the others."""
    if context.invoked_subcommand is not None:
        return 0
    scope = MigrationScope(
        slugs=slugs, servers=servers, canaries=canaries, every=every, failures_max=max_failures
    )
    if slugs or servers or canaries:
        run_job(existing_settings(data_dir), lambda workplace: _refuse_unknown(workplace, scope))
    if dry_run:
        states = run_job(existing_settings(data_dir), lambda workplace: _behind(workplace, scope))
        _print_sql(states)
        return 0
    settings = read_settings(data_dir=data_dir)
    with running_server(settings, temporary=True) as server:
        results = migrate_with_progress(settings, server, scope)
    print_rows([_row(result) for result in results], MigrationRow, as_json=as_json)
    return EXIT_FAILED if any(result.error for result in results) else 0


@migrate.command()
@click.option("--all", "every", is_flag=True, help="Also homes at the newest revision.")
@json_option
@data_dir_option
def status(every: bool, as_json: bool, data_dir: Path | None) -> int:
    """List the homes that are not known to be at the newest revision, and why; exit code 1 if there are any."""
    settings = existing_settings(data_dir)
    states = run_job(settings, lambda w: _behind(w, MigrationScope(every=every)))
    print_rows([_home_row(state) for state in states], HomeRow, as_json=as_json)
    head = head_revision(TENANT_TREE)
    return EXIT_FAILED if any(s.revision != head or s.error for s in states) else 0


def migrate_with_progress(
    settings: Settings, server: PostgresServer, scope: MigrationScope = EVERY_HOME
) -> list[HomeMigration]:
    """Migrate what is in scope, with a progress bar, and say on stderr which homes failed."""
    with counted("Migrating") as progress:
        results = asyncio.run(migrate_everything(settings, server, _advance(progress), scope))
    for result in results:
        home = result.home
        place = f"{home.server}/{home.database}/{home.schema}"
        if result.error:
            remark(f"{place} failed: {result.error}")
        if result.note:
            remark(f"{place} {result.note}")
    return results


async def _behind(workplace: Workplace, scope: MigrationScope) -> list[HomeState]:
    return await FleetMigration(workplace.tenancy, scope, lambda *_: None).behind()


async def _refuse_unknown(workplace: Workplace, scope: MigrationScope) -> None:
    store = workplace.tenancy.store
    for slug in (*scope.slugs, *scope.canaries):
        if await store.tenants.by_slug(slug) is None:
            raise CommandError(f"there is no clinic {slug}")
    known = {server.name for server in await store.servers.all()}
    for name in scope.servers:
        if name not in known:
            raise CommandError(f"there is no server {name}")


def _print_sql(states: list[HomeState]) -> None:
    """Print what would be sent, once for each revision that homes are known to be at."""
    head = head_revision(TENANT_TREE)
    homes = Counter(state.revision for state in states)
    for revision, count in sorted(homes.items(), key=lambda item: item[0] or ""):
        if revision is None:
            click.echo(f"-- {count} homes: nobody has looked at them yet")
        elif revision == head:
            click.echo(f"-- {count} homes at {head}: the functions of their databases only")
        else:
            click.echo(f"-- {count} homes from {revision} to {head}")
            for step in upgrade_steps(TENANT_TREE, revision):
                click.echo(step if isinstance(step, str) else f"-- {step.__module__}, in Python")


def _advance(progress: Progress) -> MigrationProgress:
    def advance(_: HomeMigration, done: int, total: int) -> None:
        progress.update(progress.task_ids[0], completed=done, total=total)

    return advance


def _row(result: HomeMigration) -> MigrationRow:
    return MigrationRow(
        server=result.home.server,
        database=result.home.database,
        schema=result.home.schema,
        before=result.before,
        after=result.after,
        error=result.error,
        note=result.note,
    )


def _home_row(state: HomeState) -> HomeRow:
    return HomeRow(
        server=state.home.server,
        database=state.home.database,
        schema=state.home.schema,
        revision=state.revision,
        tries=state.tries,
        at=state.at,
        error=state.error,
    )
