"""What the rest of the program knows of its PostgreSQL server, embedded or external: no more than this."""

from typing import Any, Protocol

from tenancy.tenant import Server

MAIN_SERVER = "main"


class PostgresServer(Protocol):
    """The server that holds the registry and the first clinics."""

    name: str

    @property
    def host(self) -> str:
        """A name, an address or a socket directory; known after `start` or `attach`."""

    @property
    def port(self) -> int:
        """The port, of a socket directory too; known after `start` or `attach`."""

    @property
    def address(self) -> Server:
        """Host, port and TLS as tenancy takes them."""

    @property
    def version(self) -> str:
        """Its PostgreSQL version, as `18.6`; known after `start` or `attach`."""

    @property
    def administrator(self) -> dict[str, Any]:
        """`asyncpg.connect` arguments of a user who may create roles and databases."""

    def start(self) -> None:
        """See to it that the server runs and fits; raise `PostgresError`."""

    def attach(self) -> None:
        """Find the running server without starting or checking anything; raise `PostgresNotRunningError`."""

    def stop(self) -> None:
        """Stop the server if this object is the one that answers for it; else do nothing."""

    @property
    def has_died(self) -> bool:
        """Whether the server that this object answers for runs no more, though nobody stopped it through us."""

    def revive(self) -> None:
        """Start a server that has died again, where its clients look for it; raise `PostgresError`."""
