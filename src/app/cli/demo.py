"""`clinic demo`: three clinics with realistic data, one for each strategy, and the API on them."""

from pathlib import Path

import rich_click as click
from rich.progress import Progress

from app.cli.errors import CommandError
from app.cli.migrate import migrate_with_progress
from app.cli.options import read_settings, serving_options
from app.cli.output import counted
from app.cli.serve import check_and_tidy
from app.cli.serving import local_url, refuse_used_port, run_workers
from app.cli.workplace import Workplace, run_on, running_server
from app.demo.introduction import what_to_try
from app.demo.making import DemoTools, seed_demo
from app.demo.making import Progress as SeedProgress
from app.demo.report import DEMO_FILE_NAME, DemoReport, read_demo_file, write_demo_file
from app.postgres import EmbeddedServer, PostgresServer, kept_running
from app.settings import Settings


@click.command()
@serving_options
def demo(host: str | None, port: int | None, workers: int | None, data_dir: Path | None) -> None:
    """Make three clinics with realistic data and serve them; started again, serve what is there."""
    settings = read_settings(host=host, port=port, workers=workers, data_dir=data_dir)
    refuse_used_port(settings.host, settings.port)
    with running_server(settings) as server:
        _refuse_served(settings, server)
        migrate_with_progress(settings, server)
        run_on(settings, server, check_and_tidy)
        report = run_on(settings, server, _seed)
        with kept_running(server):
            run_workers(settings, lambda: click.echo(what_to_try(report)))


def _refuse_served(settings: Settings, server: PostgresServer) -> None:
    """Raise `CommandError` where another process answers for the data directory: its demo file would be overwritten."""
    if isinstance(server, EmbeddedServer) and not server.owned:
        raise CommandError(
            f"{settings.data_dir} is being served already: use that server, or choose another place with --data-dir"
        )


async def _seed(workplace: Workplace) -> DemoReport:
    """Make what is missing and write the file before anything is served."""
    settings = workplace.settings
    path = settings.data_dir / DEMO_FILE_NAME
    tools = DemoTools(
        platform=workplace.platform, tenancy=workplace.tenancy, hasher=workplace.hasher
    )
    with counted("Making clinics") as progress:
        report = await seed_demo(
            tools,
            base_url=settings.public_url or local_url(settings),
            known=read_demo_file(path),
            progress=_advance(progress),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_demo_file(path, report)
    return report


def _advance(progress: Progress) -> SeedProgress:
    def advance(what: str, done: int, total: int) -> None:
        progress.update(progress.task_ids[0], completed=done, total=total, description=what)

    return advance
