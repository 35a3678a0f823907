"""`clinic tenants move`: brings a clinic that is at work to another home."""

from pathlib import Path
from typing import Any

import rich_click as click
from click.core import ParameterSource
from click.globals import get_current_context

from app.cli.errors import CommandError
from app.cli.move_report import print_move, print_preview
from app.cli.move_work import accompany
from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import busy, remark
from app.cli.workplace import Workplace, run_job
from tenancy.mover.mover import Mover, make_mover
from tenancy.mover.preflight import OFFLINE_PAUSE_S_MAX
from tenancy.moves import (
    GRACE_HOURS_DEFAULT,
    GRACE_HOURS_MAX,
    MoveRecord,
    MoveRequest,
    Moves,
    MoveStatus,
    grace_seconds,
)
from tenancy.registry.records import SYSTEM
from tenancy.tenant import StrategyName

EXIT_REFUSED = 1
EXIT_NOT_MOVED = 1
ARRIVED = {MoveStatus.GRACE, MoveStatus.FINISHING, MoveStatus.FINISHED}


@click.command("move")
@click.argument("slug")
@click.option(
    "--to",
    "strategy",
    type=click.Choice([str(name) for name in StrategyName]),
    required=True,
    help="Strategy of the new home.",
)
@click.option("--server", help="Database server of the new home; by default the clinic's own.")
@click.option("--dry-run", is_flag=True, help="Say what it would take; change nothing.")
@click.option("--offline", is_flag=True, help="Let writes wait while rows are copied.")
@click.option("--force", is_flag=True, help="Accept an offline pause above the limit.")
@click.option(
    "--keep-way-back", is_flag=True, help="Refuse rather than end the way back of a move before."
)
@click.option(
    "--grace",
    type=click.FloatRange(0, GRACE_HOURS_MAX),
    default=GRACE_HOURS_DEFAULT,
    show_default=True,
    metavar="HOURS",
    help="How long the way back is kept.",
)
@click.option("--detach", is_flag=True, help="Only plan it; a server process works on it.")
@json_option
@data_dir_option
def move(slug: str, as_json: bool, data_dir: Path | None, **options: Any) -> int:
    """Move a clinic while it works; ends when the clinic serves at its new home and was compared."""
    is_grace_given = (
        get_current_context().get_parameter_source("grace") is not ParameterSource.DEFAULT
    )
    if options["offline"] and is_grace_given:
        raise CommandError(
            "an offline move has no way back to keep: leave out --offline or --grace"
        )
    settings = existing_settings(data_dir)
    if options["dry_run"]:
        preview = run_job(settings, lambda workplace: _Job(workplace, slug, options).foresee())
        print_preview(preview, as_json=as_json)
        return EXIT_REFUSED if preview.report.refusals else 0
    record = run_job(settings, lambda workplace: _Job(workplace, slug, options).run())
    print_move(record, slug, as_json=as_json)
    if options["detach"]:
        remark(
            f"A running server takes it up; without one, `clinic moves resume {record.id}` does."
        )
        return 0
    return 0 if record.status in ARRIVED else EXIT_NOT_MOVED


class _Job:
    """One call of the command, on a server that runs."""

    def __init__(self, workplace: Workplace, slug: str, options: dict[str, Any]) -> None:
        self._workplace = workplace
        self._slug = slug
        self._options = options
        self._mover: Mover = make_mover(workplace.tenancy)
        self._moves = Moves(self._mover, workplace.tenancy.store)

    async def foresee(self) -> Any:
        request = await self._request()
        with busy("Looking at both ends"):
            return await self._moves.foresee(request)

    async def run(self) -> MoveRecord:
        request = await self._request()
        if request.is_offline:
            preview = await self._moves.foresee(request)
            remark(
                f"Writes of {self._slug} will wait for about {preview.report.seconds:.1f} s;"
                f" above {OFFLINE_PAUSE_S_MAX:.0f} s it wants --force."
            )
        with busy("Looking at both ends"):
            record = await self._moves.start(request, actor=SYSTEM)
        if self._options["detach"]:
            return record
        # Without a way back there is nothing to stay for but its end.
        return await accompany(self._mover, record, stays=record.grace_s == 0)

    async def _request(self) -> MoveRequest:
        tenant = await self._workplace.platform.tenant_by_slug(self._slug)
        options = self._options
        return MoveRequest(
            tenant_id=tenant.id,
            strategy=StrategyName(options["strategy"]),
            server=options["server"],
            is_offline=options["offline"],
            grace_s=grace_seconds(options["grace"]),
            keeps_way_back=options["keep_way_back"],
            is_forced=options["force"],
        )
