"""Reads `CLINIC_DATABASE_URL`: where an external PostgreSQL server is and who administers it."""

from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

PORT_DEFAULT = 5432
PORT_MAX = 65_535
DATABASE_DEFAULT = "postgres"
PARAMETERS = frozenset({"host", "pooler", "sslmode"})
TLS_BY_SSLMODE = {"disable": False, "verify-full": True}


class DatabaseUrlError(ValueError):
    """The URL cannot be used; the message says why and never repeats the URL, which holds a password."""


class DatabaseUrl(Struct, frozen=True, kw_only=True):
    """An administrator's access to one server; `host` is a name, an address or a socket directory."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool
    pooler_host: str | None = None
    pooler_port: int | None = None

    def __repr__(self) -> str:
        """Return where it points to, without the password."""
        return f"DatabaseUrl({self.user}@{self.host}:{self.port}/{self.database})"


def read_database_url(url: str) -> DatabaseUrl:
    """Return the parts of `postgresql://user:password@host:port/database`; raise `DatabaseUrlError`.

    A socket directory goes into `?host=`; `sslmode` is `disable` (the default) or `verify-full`; `pooler` is `host:port` of
    a pooler in front of the server, which requests go to.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise DatabaseUrlError("it must look like postgresql://user:password@host:5432/postgres")
    parameters = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(parameters.keys() - PARAMETERS)
    if unknown:
        raise DatabaseUrlError(
            f"unknown parameter {unknown[0]}; known are host, pooler and sslmode"
        )
    sslmode = parameters.get("sslmode", "disable")
    if sslmode not in TLS_BY_SSLMODE:
        raise DatabaseUrlError("sslmode must be disable or verify-full")
    try:
        port = parts.port or PORT_DEFAULT
    except ValueError as error:
        raise DatabaseUrlError("the port is not a number up to 65535") from error
    pooler_host, pooler_port = _pooler(parameters.get("pooler"))
    host = parameters.get("host") or parts.hostname
    if not host or not parts.username:
        raise DatabaseUrlError("it names no " + ("user" if host else "host"))
    return DatabaseUrl(
        host=host,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")) or DATABASE_DEFAULT,
        tls=TLS_BY_SSLMODE[sslmode],
        pooler_host=pooler_host,
        pooler_port=pooler_port,
    )


def _pooler(address: str | None) -> tuple[str | None, int | None]:
    if address is None:
        return None, None
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
        raise DatabaseUrlError("pooler must be host:port, or directory:port of its socket")
    return host.removeprefix("[").removesuffix("]"), int(port)
