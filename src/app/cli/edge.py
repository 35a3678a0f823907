"""The edge of the command line: whatever goes wrong becomes one line on stderr and an exit code."""

import logging
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Any, Final, NoReturn

import asyncpg
import rich_click as click
from sqlalchemy.exc import SQLAlchemyError

from app.cli.errors import CommandError
from app.postgres.errors import PostgresError
from app.settings import SettingsError
from domain.errors import ClinicError
from tenancy.errors import TenancyError

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143

OURS: Final = (CommandError, SettingsError, PostgresError, TenancyError, ClinicError)
EXPLANATIONS: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    (
        (
            asyncpg.InvalidCatalogNameError,
            asyncpg.UndefinedTableError,
            asyncpg.UndefinedColumnError,
            asyncpg.InvalidSchemaNameError,
        ),
        "the databases are not set up for this release ({error}): run `clinic migrate`",
    ),
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        "PostgreSQL does not let us in ({error}): run `clinic migrate`, and check CLINIC_ROLE_SECRET",
    ),
    (
        (asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError, ConnectionError),
        "the connection to PostgreSQL was lost: was `clinic serve` stopped just now?",
    ),
    ((asyncpg.PostgresError,), "PostgreSQL refuses: {error}"),
    ((TimeoutError,), "PostgreSQL did not answer in time"),
)
"""The first that fits is said."""

BUG: Final = (
    "internal error: {kind}: {error} (CLINIC_LOG_LEVEL=debug shows where); please report it"
)


def run_safely(command: click.Command) -> NoReturn:
    """Run the command and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    _log_in_lines()
    try:
        # A number is the exit code of --help and the like, or of a command that found something wrong.
        result = command.main(standalone_mode=False)
    except click.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        _say(error.format_message())
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001  # this is the edge
        _say(one_line(error))
        if _wants_traceback():
            traceback.print_exception(error)
        sys.exit(EXIT_FAILED)
    sys.exit(result if isinstance(result, int) else 0)


def one_line(error: BaseException) -> str:
    """Return what to tell the one who called, in one line."""
    return " ".join(_message(_cause(error)).split())


def _message(error: BaseException) -> str:
    if isinstance(error, OURS):
        place: Any = getattr(error, "pointer", "")
        return (
            f"{error} ({place.lstrip('/')}: {getattr(error, 'code', '')})" if place else str(error)
        )
    for kinds, explanation in EXPLANATIONS:
        if isinstance(error, kinds):
            return explanation.format(error=error)
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return BUG.format(kind=type(error).__name__, error=error)


def _cause(error: BaseException) -> BaseException:
    """Return the driver's own error where SQLAlchemy has wrapped it."""
    if isinstance(error, SQLAlchemyError):
        wrapped = getattr(error, "orig", None)
        inner = wrapped.__cause__ if wrapped is not None else None
        return inner or wrapped or error
    return error


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """End as after an exception, so that whatever was started is stopped."""
    sys.exit(EXIT_TERMINATED)


class OneLine(logging.Formatter):
    """Log lines of a command: what happened, without the traceback that a service's log has."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's own name
        """Return nothing of it, unless tracebacks are wanted."""
        return super().formatException(ei) if _wants_traceback() else ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message in one line, unless tracebacks are wanted."""
        text = super().format(record)
        return text if _wants_traceback() else " ".join(text.split())


def _log_in_lines() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("clinic: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _wants_traceback() -> bool:
    return os.environ.get("CLINIC_LOG_LEVEL", "").lower() == "debug"


def _say(message: str) -> None:
    click.echo(f"clinic: {message}", err=True)
