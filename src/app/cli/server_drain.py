"""`clinic servers drain` and `open`: a server that is emptied while its clinics work, and taken into use again."""

from pathlib import Path

import rich_click as click
from msgspec import Struct

from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import counted, print_rows, remark
from app.cli.workplace import Workplace, run_job
from tenancy.fleet.drain import MOVES_AT_ONCE_DEFAULT, MOVES_AT_ONCE_MAX, Drain, Drained
from tenancy.mover.mover import make_mover
from tenancy.moves import GRACE_HOURS_MAX, grace_seconds
from tenancy.registry.records import SYSTEM

EXIT_NOT_EMPTY = 1


class DrainRow(Struct, frozen=True, kw_only=True):
    """What became of one clinic."""

    clinic: str
    target: str | None
    error: str | None


@click.command("drain")
@click.argument("name")
@click.option("--to", metavar="NAME", help="Server for all of them; by default the emptiest.")
@click.option(
    "--at-once",
    type=click.IntRange(1, MOVES_AT_ONCE_MAX),
    default=MOVES_AT_ONCE_DEFAULT,
    show_default=True,
    metavar="N",
    help="Moves at a time.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, GRACE_HOURS_MAX),
    default=0.0,
    show_default=True,
    metavar="HOURS",
    help="How long ways back are kept; the server is not empty before they end.",
)
@json_option
@data_dir_option
def drain(
    name: str, to: str | None, at_once: int, grace: float, as_json: bool, data_dir: Path | None
) -> int:
    """Move every clinic of a server to others while they work; run it again to go on where it was stopped."""

    async def work(workplace: Workplace) -> list[Drained]:
        job = Drain(workplace.tenancy, make_mover(workplace.tenancy), actor=SYSTEM)
        with counted(f"Draining {name}") as display:
            return await job.run(
                name,
                to=to,
                at_once=at_once,
                grace_s=grace_seconds(grace),
                progress=lambda _, done, total: display.update(
                    display.task_ids[0], completed=done, total=total
                ),
            )

    results = run_job(existing_settings(data_dir), work)
    rows = [DrainRow(clinic=r.slug, target=r.target, error=r.error) for r in results]
    print_rows(rows, DrainRow, as_json=as_json)
    left = sum(result.error is not None for result in results)
    if left:
        remark(f"{left} clinics are still on {name} and work there; run this again")
    return EXIT_NOT_EMPTY if left else 0


@click.command("open")
@click.argument("name")
@data_dir_option
def open_server(name: str, data_dir: Path | None) -> None:
    """Let a server that was drained take clinics again."""

    async def work(workplace: Workplace) -> None:
        await workplace.tenancy.store.servers.set_status(name, "open", actor=SYSTEM)

    run_job(existing_settings(data_dir), work)
    remark(f"{name} takes clinics again")
