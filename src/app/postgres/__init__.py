"""The program's PostgreSQL server: one interface, whether we run it ourselves or somebody else does."""

from app.postgres.embedded import EmbeddedServer
from app.postgres.errors import (
    PostgresAccountError,
    PostgresError,
    PostgresNotRunningError,
    PostgresSpaceError,
    PostgresUnavailableError,
    PostgresVersionError,
)
from app.postgres.external import ExternalServer
from app.postgres.server import MAIN_SERVER, PostgresServer
from app.postgres.watch import kept_running
from app.settings import Settings

__all__ = [
    "MAIN_SERVER",
    "EmbeddedServer",
    "ExternalServer",
    "PostgresAccountError",
    "PostgresError",
    "PostgresNotRunningError",
    "PostgresServer",
    "PostgresSpaceError",
    "PostgresUnavailableError",
    "PostgresVersionError",
    "kept_running",
    "server_for",
]


def server_for(settings: Settings, *, temporary: bool = False) -> PostgresServer:
    """Return the server that the settings name: not yet started, not yet attached.

    `temporary` is for commands that end soon: an embedded server that they must start ends with them.
    """
    if settings.database_url:
        return ExternalServer(settings.database_url)
    return EmbeddedServer(settings.data_dir, temporary=temporary)
