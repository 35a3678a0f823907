"""Guards of routes: permissions only, no input or output; row-level rules belong to the domain.

They are coroutines though they await nothing: Litestar runs plain functions as guards in a thread each.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from auth.errors import MissingTokenError, PermissionDeniedError
from auth.permissions import PERMISSIONS, permissions_of
from auth.principal import Principal, PrincipalKind

AnyConnection = ASGIConnection[Any, Any, Any, Any]


def needs(permission: str) -> Guard:
    """Return a guard that lets through callers who have `permission`; an unknown name fails at import."""
    if permission not in PERMISSIONS:
        message = f"no role has the permission {permission!r}"
        raise ValueError(message)

    async def guard(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
        if permission not in permissions_of(_principal(connection)):
            raise PermissionDeniedError

    return guard


async def users_only(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
    """Guard of what belongs to a person, such as sessions and passwords: no machines."""
    if _principal(connection).kind is not PrincipalKind.USER:
        raise PermissionDeniedError


def _principal(connection: AnyConnection) -> Principal:
    principal = connection.scope.get("user")
    if not isinstance(principal, Principal):
        raise MissingTokenError
    return principal
