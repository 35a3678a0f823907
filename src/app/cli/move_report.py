"""How moves are printed: what one would do, how far it is, what came of it."""

from datetime import datetime

import rich_click as click
from msgspec import Struct
from rich.filesize import decimal

from app.cli.output import print_json, print_rows
from controllers.platform_move_shapes import (
    MovedTableOut,
    MoveReportOut,
    read_progress,
    shown_move,
    shown_preview,
    shown_report,
)
from tenancy.moves import MovePreview, MoveRecord, MoveStatus
from tenancy.tenant import Placement

TIME = "%Y-%m-%d %H:%M:%S %Z"
OFFLINE = "offline: writes wait while rows are copied"


class TableRow(Struct, frozen=True, kw_only=True):
    """A table of a plan."""

    table: str
    rows: int


class HashedTableRow(Struct, frozen=True, kw_only=True):
    """A table that was compared."""

    table: str
    rows: int
    hash: str


DISK_TIMES = 4
"""What a move takes for a while, in sizes of the rows: themselves, their indexes, and the log of both."""


def print_preview(preview: MovePreview, *, as_json: bool) -> None:
    """Print what a move would do and take, and what speaks against it."""
    if as_json:
        print_json(shown_preview(preview))
        return
    plan, report = preview.plan, preview.report
    lines = {
        "from": place_of(plan.source),
        "to": place_of(plan.target),
        "way": OFFLINE if plan.is_offline else "at work",
        "rows": f"{report.rows:,} in {len(report.tables)} tables",
        "size": f"{report.megabytes:,.2f} MB",
        # No statement tells how much is free.
        "disk": f"have {report.megabytes * DISK_TIMES:,.0f} MB free at the new home's server, for indexes and log too",
        "takes": f"about {report.seconds:,.1f} s",
        "pause": f"{_pause_foreseen(preview)} for writes, none for reads",
    }
    _print_lines(lines)
    _print_list([TableRow(table=table.name, rows=table.rows) for table in report.tables], TableRow)
    for warning in report.warnings:
        click.echo(f"WARNING  {warning}")
    for refusal in report.refusals:
        click.echo(f"REFUSED  {refusal}")
    if not report.refusals:
        click.echo("Nothing speaks against it; nothing was changed.")


def print_move(record: MoveRecord, slug: str, *, as_json: bool) -> None:
    """Print a move with its report."""
    if as_json:
        print_json(shown_move(record))
        return
    report = shown_report(record)
    lines = {
        "move": str(record.id),
        "clinic": slug,
        "from": place_of(record.source),
        "to": place_of(record.target),
        "way": OFFLINE if record.is_offline else None,
        "status": record.status.value,
        "phase": record.phase,
        **_progress(record),
        "attempt": str(record.attempt),
        "wanted": record.wanted,
        "worker": record.worker,
        "error": record.error,
        "created": _time(record.created_at),
        "decided": _time(record.decided_at),
        "ended": _time(record.ended_at),
        **_figures(report),
        "way back": _way_back(record, slug),
    }
    _print_lines({name: value for name, value in lines.items() if value is not None})
    _print_list([_row(table) for table in report.tables], HashedTableRow)


def place_of(placement: Placement) -> str:
    """Return a home in one word after its strategy."""
    home = placement.home
    return f"{placement.strategy.value} {home.server}/{home.database}/{home.schema}"


def _pause_foreseen(preview: MovePreview) -> str:
    if preview.plan.is_offline:
        return f"about {preview.report.seconds:,.1f} s"
    return "some tens of milliseconds (docs/soak-moves.md)"


def _progress(record: MoveRecord) -> dict[str, str]:
    progress = read_progress(record)
    if progress is None:
        return {}
    rows = f"{progress.rows:,} of {progress.rows_expected:,}"
    return {"rows": rows, "lag": decimal(progress.lag_bytes)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime(TIME)


def _figures(report: MoveReportOut) -> dict[str, str | None]:
    return {
        "pause": _pause(report.pause_ms, report.cut_overs),
        "pause of the way back": _pause(report.rollback_pause_ms, None),
        "waited": f"{report.waited_requests} requests, the longest {report.longest_wait_ms:.0f} ms",
    }


def _pause(milliseconds: float | None, tries: int | None) -> str | None:
    if milliseconds is None:
        return None
    told = f"{milliseconds:.1f} ms"
    return told if tries is None else f"{told}, cut-overs tried: {tries}"


def _way_back(record: MoveRecord, slug: str) -> str | None:
    if record.status is not MoveStatus.GRACE or record.grace_until is None:
        return None
    return (
        f"kept until {_time(record.grace_until)}: `clinic moves rollback {slug}`"
        f" goes back, `clinic moves finish {slug}` gives it up"
    )


def _row(table: MovedTableOut) -> HashedTableRow:
    return HashedTableRow(table=table.name, rows=table.rows, hash=table.hash)


def _print_lines(lines: dict[str, str]) -> None:
    width = max(len(name) for name in lines)
    for name, value in lines.items():
        click.echo(f"{name:<{width}}  {value}")


def _print_list(rows: list[TableRow] | list[HashedTableRow], kind: type[Struct]) -> None:
    if rows:
        click.echo("")
        print_rows(rows, kind, as_json=False)
