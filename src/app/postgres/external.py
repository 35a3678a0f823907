"""A PostgreSQL server that somebody else runs, given by its URL: reached and checked, never stopped."""

import asyncio
from typing import Any

import asyncpg

from app.database_url import read_database_url
from app.postgres.errors import PostgresUnavailableError, PostgresVersionError
from app.postgres.server import MAIN_SERVER
from tenancy.tenant import Server

CONNECT_S_MAX = 10.0
MAJOR_MIN = 15


class ExternalServer:
    """The server behind `CLINIC_DATABASE_URL`; the URL's user administers it."""

    def __init__(self, url: str, *, name: str = MAIN_SERVER) -> None:
        """Take the URL apart. Raises `DatabaseUrlError`."""
        self._url = read_database_url(url)
        self._version = ""
        self.name = name

    @property
    def host(self) -> str:
        """A name, an address or a socket directory."""
        return self._url.host

    @property
    def port(self) -> int:
        """The port."""
        return self._url.port

    @property
    def address(self) -> Server:
        """Where the server listens."""
        url = self._url
        return Server(
            name=self.name,
            host=url.host,
            port=url.port,
            tls=url.tls,
            pooler_host=url.pooler_host,
            pooler_port=url.pooler_port,
        )

    @property
    def version(self) -> str:
        """The PostgreSQL version that `start` met; empty before."""
        return self._version

    @property
    def administrator(self) -> dict[str, Any]:
        """`asyncpg.connect` arguments of the URL's user, on the URL's database."""
        return {
            "host": self._url.host,
            "port": self._url.port,
            "user": self._url.user,
            "password": self._url.password or None,
            "database": self._url.database,
            "ssl": "verify-full" if self._url.tls else False,
        }

    def start(self) -> None:
        """Reach the server and check its version, outside of any event loop.

        Raises `PostgresUnavailableError` or `PostgresVersionError`.
        """
        version = asyncio.run(self._server_version())
        if int(version.partition(".")[0]) < MAJOR_MIN:
            raise PostgresVersionError(
                f"{self._place} is PostgreSQL {version}; {MAJOR_MIN} or newer is needed"
            )
        self._version = version

    def attach(self) -> None:
        """Do nothing: the URL is all there is to know."""

    def stop(self) -> None:
        """Do nothing: the server is not ours."""

    @property
    def has_died(self) -> bool:
        """Return False: we do not answer for it."""
        return False

    def revive(self) -> None:
        """Do nothing: the server is not ours."""

    @property
    def _place(self) -> str:
        return f"the server at {self.host}:{self.port}"

    async def _server_version(self) -> str:
        try:
            connection = await asyncpg.connect(**self.administrator, timeout=CONNECT_S_MAX)
        except TimeoutError as error:
            raise PostgresUnavailableError(
                f"{self._place} did not answer within {CONNECT_S_MAX:.0f} s"
            ) from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise PostgresUnavailableError(f"cannot use {self._place}: {error}") from error
        try:
            # "15.14 (Debian 15.14-0+deb12u1)": the packager's words are left out.
            return str(connection.get_settings().server_version).partition(" ")[0]
        finally:
            await connection.close()
