"""What can go wrong with the PostgreSQL server: one clear line each, which says the way out."""


class PostgresError(Exception):
    """The PostgreSQL server cannot be used."""


class PostgresUnavailableError(PostgresError):
    """The server cannot be reached, refuses us, or did not start in time."""


class PostgresVersionError(PostgresError):
    """The server or the data directory is of a PostgreSQL release that does not fit."""


class PostgresNotRunningError(PostgresError):
    """No server runs on this data directory."""


class PostgresSpaceError(PostgresError):
    """The disk is full, or a directory may not be written."""


class PostgresAccountError(PostgresError):
    """There is no system user whom PostgreSQL could run as."""
