"""Turns the Authorization header into the request's principal; everything that is not public needs one."""

from typing import Protocol

from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from auth.errors import InvalidTokenError, MissingTokenError, PasswordChangeRequiredError
from auth.principal import Principal
from auth.route_options import BEFORE_PASSWORD_CHANGE, NO_TENANT, PUBLIC
from auth.tokens import Audience, TokenIssuer

_AUTHORIZATION = b"authorization"


class ServiceTokens(Protocol):
    """Knows the service tokens of all clinics; a port, filled by the composition root."""

    def recognises(self, token: str) -> bool:
        """Return whether the token has the shape of a service token."""

    async def verify(self, token: str) -> Principal:
        """Return the service behind the token; raise `InvalidTokenError` or `TokenExpiredError`."""


class Authenticate(ASGIMiddleware):
    """Puts a `Principal` into `scope["user"]` and the token's claims into `scope["auth"]`, or refuses.

    On public routes nothing is read and nothing is set.
    """

    exclude_opt_key = PUBLIC

    def __init__(self, tokens: TokenIssuer, service_tokens: ServiceTokens | None = None) -> None:
        self._tokens = tokens
        self._service_tokens = service_tokens

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Authenticate the caller, then go on; raise `AuthError` otherwise."""
        token = bearer_token(scope)
        options = scope["route_handler"].opt
        audience = Audience.PLATFORM if options.get(NO_TENANT) else Audience.CLINIC
        services = self._service_tokens
        if services is not None and audience is Audience.CLINIC and services.recognises(token):
            principal = await services.verify(token)
            scope["auth"] = None
        else:
            claims = self._tokens.verify(token, audience)
            principal = claims.principal()
            scope["auth"] = claims
        if principal.must_change_password and not options.get(BEFORE_PASSWORD_CHANGE):
            raise PasswordChangeRequiredError
        scope["user"] = principal
        await next_app(scope, receive, send)


def bearer_token(scope: Scope) -> str:
    """Return the token of the one Authorization header (RFC 6750 2.1); raise `MissingTokenError` or `InvalidTokenError`."""
    values = [value for name, value in scope["headers"] if name.lower() == _AUTHORIZATION]
    if not values:
        raise MissingTokenError
    if len(values) > 1:
        raise InvalidTokenError
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise MissingTokenError
    return token.strip()
