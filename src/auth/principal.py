"""Who is calling, as their token says it: a frozen value, no look-ups."""

from enum import StrEnum
from uuid import UUID

from msgspec import Struct

TENANT_CLAIM = "tenant_id"
"""The name under which tokens, and the bodies of logins, say which clinic they are for."""


class PrincipalKind(StrEnum):
    """Which directory the caller is in."""

    USER = "user"
    """A user of one clinic, kept in the clinic's home."""
    OPERATOR = "operator"
    """Staff of the platform, kept in the registry."""
    SERVICE = "service"
    """A machine with a service token of one clinic, kept in the registry."""


class Principal(Struct, frozen=True, kw_only=True):
    """The authenticated caller of one request.

    Users have a session and an access version, operators a session, services their scopes instead of roles.
    """

    kind: PrincipalKind
    subject: UUID
    tenant_id: UUID | None = None
    session_id: UUID | None = None
    access_version: int = 0
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    must_change_password: bool = False
