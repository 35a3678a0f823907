"""`clinic serve`: the API on what exists."""

from pathlib import Path

import rich_click as click

from app.cli.connections import refuse_too_many_connections
from app.cli.migrate import migrate_with_progress
from app.cli.options import read_settings, serving_options
from app.cli.output import remark
from app.cli.serving import local_url, refuse_used_port, run_workers
from app.cli.workplace import Workplace, run_on, running_server
from app.postgres import kept_running


@click.command()
@serving_options
def serve(host: str | None, port: int | None, workers: int | None, data_dir: Path | None) -> None:
    """Serve the API; the embedded PostgreSQL runs as long, unless CLINIC_DATABASE_URL names another."""
    settings = read_settings(host=host, port=port, workers=workers, data_dir=data_dir)
    refuse_used_port(settings.host, settings.port)
    with running_server(settings) as server:
        migrate_with_progress(settings, server)
        run_on(settings, server, check_and_tidy)
        with kept_running(server):
            run_workers(settings, lambda: remark(f"Ready at {local_url(settings)}"))


async def check_and_tidy(workplace: Workplace) -> None:
    """Do what each start does: check the room for connections, remove what interrupted sign-ups have left."""
    await refuse_too_many_connections(workplace)
    removed = await workplace.platform.sweep()
    if removed:
        remark(f"Took back {removed} clinics whose set-up was interrupted")
