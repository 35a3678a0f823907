"""Works on a move in this process, or watches the one that does, with a live display until it settles."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from app.cli.output import remark
from controllers.platform_move_shapes import read_progress
from tenancy.errors import TenancyError
from tenancy.mover.errors import AttemptLostError, MoveInProgressError
from tenancy.mover.mover import Mover
from tenancy.mover.progress import ProgressBoard
from tenancy.moves import MoveProgress, MoveRecord, is_settled

SHOW_S: Final = 0.1
WATCH_S: Final = 0.5

Show = Callable[[MoveProgress], None]


async def accompany(mover: Mover, record: MoveRecord, *, stays: bool = False) -> MoveRecord:
    """Work on the move, or watch whoever does, until it settles; return it as it is then.

    With `stays` a way back that is kept long enough is given up. Raises what `Mover.work` raises.
    """
    try:
        with _displayed() as show:
            return await _until_settled(mover, record, show, stays=stays)
    except TenancyError:
        raise
    except (Exception, asyncio.CancelledError):
        remark(
            f"Move {record.id} is not finished; nothing is lost. A server process goes on with it, or"
            f" `clinic moves resume {record.id}` does; `clinic moves abort {record.id}` gives it up."
        )
        raise


async def _until_settled(
    mover: Mover, record: MoveRecord, show: Show, *, stays: bool
) -> MoveRecord:
    while True:
        board = ProgressBoard()
        with suppress(MoveInProgressError, AttemptLostError):
            async with _showing(board, show):
                return await mover.work(record.id, board, stays=stays)
        # Another process works on it, and if that stops, this one goes on.
        record = await mover.move(record.id)
        if is_settled(record):
            return record
        progress = read_progress(record)
        if progress is not None:
            show(progress)
        await asyncio.sleep(WATCH_S)


@asynccontextmanager
async def _showing(board: ProgressBoard, show: Show) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            show(board.progress())
            await asyncio.sleep(SHOW_S)

    showing = asyncio.ensure_future(repeat())
    try:
        yield
    finally:
        showing.cancel()


@contextmanager
def _displayed() -> Iterator[Show]:
    """Show on a terminal how far the move is; in a pipe nothing is shown."""
    console = Console(stderr=True)
    display = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with display:
        task = display.add_task("planned", total=None, told="")

        def show(progress: MoveProgress) -> None:
            display.update(
                task,
                description=progress.phase.value.removesuffix("_k").replace("_", " "),
                completed=progress.rows,
                total=progress.rows_expected or None,
                told=told_of(progress),
            )

        yield show


def told_of(progress: MoveProgress) -> str:
    """Return the figures of a move in one line."""
    parts = [f"{progress.rows:,}/{progress.rows_expected:,} rows"]
    if progress.megabytes_a_second:
        parts.append(f"{progress.megabytes_a_second:.1f} MB/s")
    parts.append(f"lag {decimal(progress.lag_bytes)}")
    if progress.seconds_left:
        parts.append(f"{progress.seconds_left:.0f} s left")
    return ", ".join(parts)
