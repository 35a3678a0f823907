"""`clinic migrate`: registry and every home at the newest revision."""

import asyncio
from pathlib import Path

import rich_click as click
from msgspec import Struct
from rich.progress import Progress

from app.cli.options import data_dir_option, json_option, read_settings
from app.cli.output import counted, print_rows, remark
from app.cli.workplace import running_server
from app.postgres import PostgresServer
from app.preparation import migrate_everything
from app.settings import Settings
from tenancy.fleet import HomeMigration, MigrationProgress

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


@click.command()
@json_option
@data_dir_option
def migrate(as_json: bool, data_dir: Path | None) -> int:
    """Bring the registry and every home to the newest revision; a home that fails does not stop the others."""
    settings = read_settings(data_dir=data_dir)
    with running_server(settings, temporary=True) as server:
        results = migrate_with_progress(settings, server)
    print_rows([_row(result) for result in results], MigrationRow, as_json=as_json)
    return EXIT_FAILED if any(result.error for result in results) else 0


def migrate_with_progress(settings: Settings, server: PostgresServer) -> list[HomeMigration]:
    """Migrate everything, with a progress bar, and say on stderr which homes failed."""
    with counted("Migrating") as progress:
        results = asyncio.run(migrate_everything(settings, server, _advance(progress)))
    for result in results:
        home = result.home
        place = f"{home.server}/{home.database}/{home.schema}"
        if result.error:
            remark(f"{place} failed: {result.error}")
        if result.note:
            remark(f"{place} {result.note}")
    return results


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
