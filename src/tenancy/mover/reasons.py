"""Why a try at a move has failed, in words that the journal may keep: nothing of a clinic's rows, no secret."""

from typing import Final

import asyncpg

from tenancy.mover.errors import MoveError

DATA_EXCEPTION: Final = "22"
"""The class of SQLSTATEs whose messages quote the value that was wrong."""


def reason_of(error: BaseException) -> str:
    """Return the error's kind and, of a server's, its SQLSTATE and first line; a move's own error is told in full."""
    if isinstance(error, MoveError):
        return str(error)
    kind = type(error).__name__
    if not isinstance(error, asyncpg.PostgresError) or not error.sqlstate:
        # Whatever else fails, a driver's or the registry's client, may name addresses and parameters.
        return kind
    if error.sqlstate.startswith(DATA_EXCEPTION):
        return f"{kind} ({error.sqlstate})"
    # Rows are quoted in DETAIL and CONTEXT, which come below.
    first_line = str(error).partition("\n")[0]
    return f"{kind} ({error.sqlstate}): {first_line}"
