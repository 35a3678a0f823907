"""How a transaction enters its home, and the login it depends on."""

from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class Mode(StrEnum):
    """How a transaction enters its home; declared per handler."""

    READ = "ro"
    """Takes no lock, never waits, cannot write."""
    WRITE = "rw"
    """Holds the tenant's shared fence until its end."""
    AUDITED_READ = "audit"
    """As WRITE, without waiting for the disk: a read that leaves an audit event."""


class Login(Struct, frozen=True):
    """The login session that a transaction depends on, and the access version its token was issued for."""

    session_id: UUID
    access_version: int
