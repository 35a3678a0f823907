"""How commands print: results on stdout, as a table or JSON; progress and remarks on stderr."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import rich_click as click
from msgspec import Struct, structs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

WIDTH_UNLIMITED = 10_000


def print_json(value: Any) -> None:
    """Print a value for programs."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_rows(rows: Sequence[Struct], kind: type[Struct], *, as_json: bool) -> None:
    """Print a list: as JSON, or as a table that is cut to the terminal's width, but never in a pipe."""
    if as_json:
        print_json(rows)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_UNLIMITED)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in kind.__struct_fields__:
        table.add_column(name.upper().replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(value) for value in structs.astuple(row)))
    console.print(table)


def print_fields(row: Struct, *, as_json: bool) -> None:
    """Print one thing: as JSON, or a line for each field."""
    if as_json:
        print_json(row)
        return
    width = max(len(name) for name in row.__struct_fields__)
    for name, value in structs.asdict(row).items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {_cell(value)}")


def remark(message: str) -> None:
    """Say something that is not part of the result."""
    click.echo(message, err=True)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on a terminal that something takes its time."""
    console = Console(stderr=True)
    with console.status(f"{what} ..."):
        yield


@contextmanager
def counted(what: str) -> Iterator[Progress]:
    """Show on a terminal how far something with a known number of steps has come."""
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        progress.add_task(what, total=None)
        yield progress


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
