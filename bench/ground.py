"""What every measurement stands on: a PostgreSQL of its own, the product's settings, a place for logs."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from app.postgres import EmbeddedServer
from app.preparation import prepare_server
from app.settings import Settings
from tenancy.credentials import Credentials, DatabaseRole

WORKERS = 2

# The disk would hide what is to be compared: nobody waits for it here, so the processors decide.
TUNING = {"synchronous_commit": "off", "max_connections": "500"}

SETTINGS = {
    "CLINIC_BASE_DOMAINS": "localhost",
    "CLINIC_WORKERS": str(WORKERS),
    "CLINIC_ACCESS_TOKEN_MINUTES": "1440",  # tokens are made before the clock starts
    "CLINIC_LOG_LEVEL": "warning",  # the others write no access log either
    "CLINIC_POOL_SIZE_DEDICATED": "2",  # 50 databases at once stay under the next line's ceiling
    "CLINIC_CONNECTIONS_MAX_PER_WORKER": "150",
}


class Ground:
    """A running PostgreSQL with the product's registry and pool in it."""

    def __init__(self, directory: Path, postgres: EmbeddedServer, environ: dict[str, str]) -> None:
        self.directory = directory
        self.postgres = postgres
        self.environ = environ
        self.settings = Settings.from_environment(environ)
        self.logs = directory / "logs"
        self.logs.mkdir(exist_ok=True)

    async def administrator(self, database: str = "postgres") -> asyncpg.Connection:
        """Return a superuser's connection; the caller closes it."""
        return await asyncpg.connect(**(self.postgres.administrator | {"database": database}))

    def connect_arguments(
        self, database: str, role: DatabaseRole = DatabaseRole.APP
    ) -> dict[str, Any]:
        """Return how the application's role reaches a database."""
        credentials = Credentials(self.settings.role_secret)
        return credentials.connect_arguments(self.postgres.address, database, role)

    async def postmaster_pid(self) -> int:
        """Return the process whose children are PostgreSQL's back ends."""
        connection = await self.administrator()
        try:
            return psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).ppid()
        finally:
            await connection.close()

    async def settle(self) -> None:
        """Write out what earlier steps left to be written, so that no later one pays for it."""
        connection = await self.administrator()
        try:
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()


@asynccontextmanager
async def ground(kept_in: Path | None) -> AsyncIterator[Ground]:
    """Yield a ground; without `kept_in` everything is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="clinic-bench-") as temporary:
        directory = (kept_in or Path(temporary)).absolute()
        directory.mkdir(parents=True, exist_ok=True)
        postgres = EmbeddedServer(directory, tuning=TUNING)
        postgres.start()
        try:
            made = Ground(directory, postgres, SETTINGS | {"CLINIC_DATA_DIR": str(directory)})
            await prepare_server(made.settings, postgres)
            yield made
        finally:
            postgres.stop()
