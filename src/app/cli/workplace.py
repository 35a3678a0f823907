"""What a command works with: the running server, tenancy on it, and the platform's operations."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from msgspec import Struct

from app.cli.output import busy
from app.factory import make_password_hasher, platform_options
from app.postgres import EmbeddedServer, PostgresServer, PostgresSpaceError, server_for
from app.preparation import tenancy_options
from app.settings import Settings
from auth.passwords import PasswordHasher
from tenancy.platform import Platform, make_platform
from tenancy.runtime import Tenancy

ResultT = TypeVar("ResultT")


class Workplace(Struct, frozen=True, kw_only=True):
    """Everything a command may need, open for the length of one job."""

    settings: Settings
    server: PostgresServer
    tenancy: Tenancy
    platform: Platform
    hasher: PasswordHasher


def run_job(settings: Settings, job: Callable[[Workplace], Awaitable[ResultT]]) -> ResultT:
    """Run the job on the server that is there, started for it if none runs, and return its result."""
    with running_server(settings, temporary=True) as server:
        return run_on(settings, server, job)


def run_on(
    settings: Settings, server: PostgresServer, job: Callable[[Workplace], Awaitable[ResultT]]
) -> ResultT:
    """Run the job on a server that is running already and return its result."""
    return asyncio.run(_with_workplace(settings, server, job))


@contextmanager
def running_server(settings: Settings, *, temporary: bool = False) -> Iterator[PostgresServer]:
    """Yield the server of the settings; at the end it is stopped if it was started here."""
    server = server_for(settings, temporary=temporary)
    with busy("Looking for PostgreSQL"):
        server.start()
    try:
        yield server
    except Exception as error:
        # A full disk shows in a hundred ways, from a refused statement to a server that has crashed.
        if isinstance(server, EmbeddedServer) and server.is_disk_full:
            raise PostgresSpaceError(f"the disk that holds {server.data_dir} is full") from error
        raise
    finally:
        with busy("Leaving PostgreSQL"):
            server.stop()


async def _with_workplace(
    settings: Settings, server: PostgresServer, job: Callable[[Workplace], Awaitable[ResultT]]
) -> ResultT:
    tenancy = Tenancy(tenancy_options(settings, server.address))
    hasher = make_password_hasher(settings)
    try:
        return await job(
            Workplace(
                settings=settings,
                server=server,
                tenancy=tenancy,
                platform=make_platform(tenancy, platform_options(settings)),
                hasher=hasher,
            )
        )
    finally:
        hasher.close()
        await tenancy.close()
