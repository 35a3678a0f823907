"""`clinic moves`: the journal of moves, and what may be asked of one."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import rich_click as click
from msgspec import Struct

from app.cli.errors import CommandError
from app.cli.move_report import print_move
from app.cli.move_work import accompany
from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import print_json, print_rows
from app.cli.workplace import Workplace, run_job
from controllers.platform_move_shapes import shown_move
from tenancy.errors import UnknownTenantError
from tenancy.mover.errors import UnknownMoveError
from tenancy.mover.mover import Mover, make_mover
from tenancy.moves import MoveRecord, Moves, MoveStatus, is_settled
from tenancy.registry.records import SYSTEM
from tenancy.tenant import Placement, TenantId

LIST_LIMIT_DEFAULT = 50
LIST_LIMIT_MAX = 1000
PURGED = "(purged)"


class MoveRow(Struct, frozen=True, kw_only=True):
    """A move in a list; no more than fits a terminal, the rest is in the JSON."""

    id: UUID
    clinic: str
    move: str
    status: str
    phase: str


class Found(NamedTuple):
    """A move with what is needed to go on with it."""

    mover: Mover
    moves: Moves
    record: MoveRecord
    slug: str


@click.group()
def moves() -> None:
    """Look after moves of clinics from home to home."""


@moves.command("list")
@click.option("--clinic", "slug", help="Only those of the clinic with this slug.")
@click.option(
    "--limit",
    type=click.IntRange(1, LIST_LIMIT_MAX),
    default=LIST_LIMIT_DEFAULT,
    show_default=True,
)
@json_option
@data_dir_option
def list_moves(slug: str | None, limit: int, as_json: bool, data_dir: Path | None) -> None:
    """List moves, newest first."""

    async def read(workplace: Workplace) -> list[tuple[MoveRecord, str]]:
        journal = Moves(make_mover(workplace.tenancy), workplace.tenancy.store)
        tenant = await workplace.platform.tenant_by_slug(slug) if slug else None
        records = await journal.page(limit=limit, tenant_id=tenant.id if tenant else None)
        slugs = {
            tenant_id: await _slug(workplace, tenant_id)
            for tenant_id in dict.fromkeys(record.tenant_id for record in records)
        }
        return [(record, slugs[record.tenant_id]) for record in records]

    found = run_job(existing_settings(data_dir), read)
    if as_json:
        print_json([shown_move(record) for record, _ in found])
    else:
        print_moves(found)


def print_moves(found: Sequence[tuple[MoveRecord, str]]) -> None:
    """Print moves with the slugs of their clinics for people."""
    print_rows([_row(*one) for one in found], MoveRow, as_json=False)


@moves.command("show")
@click.argument("move")
@json_option
@data_dir_option
def show(move: str, as_json: bool, data_dir: Path | None) -> None:
    """Show one move, by its id or by the slug of its clinic: the one under way, else the last."""

    async def read(workplace: Workplace) -> Found:
        return await _found(workplace, move)

    found = run_job(existing_settings(data_dir), read)
    print_move(found.record, found.slug, as_json=as_json)


@moves.command("resume")
@click.argument("move")
@json_option
@data_dir_option
def resume(move: str, as_json: bool, data_dir: Path | None) -> int:
    """Go on with a move in this process until it settles; if another one works on it, watch that."""

    async def go_on(found: Found) -> MoveRecord:
        if found.record.status.is_ended:
            raise CommandError(f"the move has ended: it is {found.record.status.value}")
        is_over = await found.moves.is_grace_over(found.record)
        if is_settled(found.record) and not is_over:
            return found.record
        return await accompany(found.mover, found.record, stays=is_over)

    good = {MoveStatus.GRACE, MoveStatus.FINISHED}
    return _run(move, data_dir, go_on, as_json=as_json, good=good)


@moves.command("abort")
@click.argument("move")
@json_option
@data_dir_option
def abort(move: str, as_json: bool, data_dir: Path | None) -> int:
    """Give up a move that is not decided yet; the clinic stays, and nothing is left of the move."""
    return _run(move, data_dir, _asks("abort"), as_json=as_json, good={MoveStatus.ABORTED})


@moves.command("rollback")
@click.argument("move")
@json_option
@data_dir_option
def rollback(move: str, as_json: bool, data_dir: Path | None) -> int:
    """Bring the clinic back to its old home, with every write made since, while it works."""
    return _run(move, data_dir, _asks("rollback"), as_json=as_json, good={MoveStatus.ROLLED_BACK})


@moves.command("finish")
@click.argument("move")
@json_option
@data_dir_option
def finish(move: str, as_json: bool, data_dir: Path | None) -> int:
    """Give up the way back now, and remove what the old home still holds."""
    return _run(move, data_dir, _asks("finish"), as_json=as_json, good={MoveStatus.FINISHED})


def _asks(wanted: str) -> Callable[[Found], Awaitable[MoveRecord]]:
    async def ask(found: Found) -> MoveRecord:
        record = await found.moves.want(found.record, wanted, actor=SYSTEM)
        return await accompany(found.mover, record)

    return ask


def _run(
    move: str,
    data_dir: Path | None,
    job: Callable[[Found], Awaitable[MoveRecord]],
    *,
    as_json: bool,
    good: set[MoveStatus],
) -> int:
    """Do something with a move, print what came of it, and fail unless that was what was asked for."""

    async def work(workplace: Workplace) -> Found:
        found = await _found(workplace, move)
        return found._replace(record=await job(found))

    found = run_job(existing_settings(data_dir), work)
    print_move(found.record, found.slug, as_json=as_json)
    if found.record.status not in good:
        raise CommandError(f"the move is {found.record.status.value}: that was not what was asked")
    return 0


async def _found(workplace: Workplace, name: str) -> Found:
    """Return the move with this id, else that of the clinic with this slug; raise `UnknownMoveError`."""
    mover = make_mover(workplace.tenancy)
    journal = Moves(mover, workplace.tenancy.store)
    move_id = _as_id(name)
    if move_id is not None:
        record = await journal.move(move_id)
        return Found(mover, journal, record, await _slug(workplace, record.tenant_id))
    try:
        tenant = await workplace.platform.tenant_by_slug(name)
    except UnknownTenantError as error:
        raise UnknownMoveError(f"{name} is neither a move nor a clinic") from error
    return Found(mover, journal, await journal.move_of(tenant.id), tenant.slug)


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


async def _slug(workplace: Workplace, tenant_id: TenantId) -> str:
    try:
        return (await workplace.platform.tenant(tenant_id)).slug
    except UnknownTenantError:
        return PURGED


def _row(record: MoveRecord, slug: str) -> MoveRow:
    return MoveRow(
        id=record.id,
        clinic=slug,
        move=f"{_end_of(record.source, record.target)} -> {_end_of(record.target)}",
        status=record.status.value,
        phase=record.phase,
    )


def _end_of(placement: Placement, other: Placement | None = None) -> str:
    """Return strategy and server of one end of a move; the strategy alone where the server is the other's."""
    strategy, server = placement.strategy.value, placement.home.server
    is_same = other is not None and other.home.server == server
    return strategy if is_same else f"{strategy}@{server}"
