"""Logs for people who run the service: one line a request, a traceback for each fault of ours.

A line has ids, times and codes; never a body, a query, a name or a token.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Final, TextIO

import msgspec
import structlog
from litestar.types import Scope
from sqlalchemy.exc import SQLAlchemyError

from app.problem_documents import SERVER_ERROR, describe
from app.request_state import REQUEST_ID, resolved_of

UNEXPECTED_KEPT_MAX: Final = 100
CHAIN_LENGTH_MAX: Final = 10
FRAMES_MAX: Final = 12
"""Frames, the innermost ones, that are shown of each link."""

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

log = structlog.get_logger("clinic")


def configure_logging(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send this process' logs, also those of libraries, to `stream` (stderr) as JSON or text lines."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # No formatter of tracebacks that prints local variables: they hold what patients told.
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_json_line)
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[handler], force=True)
    # Of what goes well, people want to know that a clinic has moved.
    logging.getLogger("tenancy.mover").setLevel(max(LEVELS[level], logging.INFO))


def _json_line(event: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


async def note_unexpected(error: Exception, scope: Scope) -> None:
    """After-exception hook: log faults of ours with their traceback, and why the service was unavailable.

    Where the application's state has a list of `unexpected_errors`, as in tests, faults are kept in it too.
    """
    status = describe(error).row.status
    if status < SERVER_ERROR:
        return
    about = {
        "request_id": scope["state"].get(REQUEST_ID),
        "tenant_id": tenant_of(scope),
        "route": scope.get("path_template"),
    }
    if status > SERVER_ERROR:
        log.warning("unavailable", **about, causes=[_name(link) for link in _chain(error)])
        return
    kept: list[Exception] | None = scope["litestar_app"].state.get("unexpected_errors")
    if kept is not None and len(kept) < UNEXPECTED_KEPT_MAX:
        kept.append(error)
    log.error("unexpected_error", **about, traceback=discreet_traceback(error))


def tenant_of(scope: Scope) -> str | None:
    """Return the id of the request's clinic for a log line."""
    resolved = resolved_of(scope)
    return str(resolved.tenant.id) if resolved else None


def discreet_traceback(error: BaseException) -> str:
    """Return the traceback with its causes; messages of database errors, which quote values, are left out."""
    lines: list[str] = []
    for link in _chain(error):
        lines.extend(traceback.format_tb(link.__traceback__, limit=-FRAMES_MAX))
        is_of_database = isinstance(link, SQLAlchemyError) or hasattr(link, "sqlstate")
        lines.append(_name(link) if is_of_database else f"{_name(link)}: {link}")
        lines.append("\n")
    return "".join(lines)


def _name(error: BaseException) -> str:
    """Return the error's class, and its SQLSTATE if it has one."""
    sqlstate = getattr(error, "sqlstate", None)
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{name} {sqlstate}" if sqlstate else name


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, the last first."""
    link: BaseException | None = error
    for _ in range(CHAIN_LENGTH_MAX):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
