"""Access tokens (JWT, HS256, keys by `kid`) and refresh tokens (opaque, stored as SHA-256). Name no home and no epoch."""

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import jwt
import msgspec
from msgspec import Struct

from auth.errors import InvalidTokenError, TokenExpiredError
from auth.principal import Principal, PrincipalKind

ALGORITHM = "HS256"
SECRET_BYTES_MIN = 32
"""RFC 7518 3.2: the key is at least as long as the hash."""

ACCESS_TTL_S = 3_600
REFRESH_TTL_S = 7 * 86_400
LEEWAY_S = 5
"""How far the clocks of two servers may be apart."""

TOKEN_LENGTH_MAX = 4_096
VERIFIED_MAX = 4_096
"""Tokens of one process that are remembered as verified; the one unused for longest goes."""

REFRESH_PREFIX = "pcr_"
REFRESH_BYTES = 32
_REFRESH_SHAPE = re.compile(rf"{REFRESH_PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
_REQUIRED_CLAIMS = ["iss", "aud", "sub", "sid", "av", "iat", "exp", "jti"]


class Audience(StrEnum):
    """Whom an access token is for; a token for one is refused by the other."""

    CLINIC = "clinic"
    PLATFORM = "platform"


class SigningKey(Struct, frozen=True):
    """A secret and the name it has in token headers."""

    kid: str
    secret: str

    def __post_init__(self) -> None:
        """Refuse a secret that is shorter than the signature's hash."""
        if len(self.secret.encode()) < SECRET_BYTES_MIN:
            message = f"signing key {self.kid!r} is shorter than {SECRET_BYTES_MIN} bytes"
            raise ValueError(message)


class Grant(Struct, frozen=True, kw_only=True):
    """What an access token is to say; `clinic_id` is None for operators."""

    subject: UUID
    session_id: UUID
    clinic_id: UUID | None = None
    access_version: int = 0
    roles: frozenset[str] = frozenset()
    must_change_password: bool = False


class AccessClaims(Struct, frozen=True, kw_only=True):
    """The verified claims of an access token (RFC 7519); `pwd` means that the password must be changed first."""

    iss: str
    aud: Audience
    sub: UUID
    sid: UUID
    av: int
    iat: int
    exp: int
    jti: str
    tenant_id: UUID | None = None
    roles: frozenset[str] = frozenset()
    pwd: bool = False

    def principal(self) -> Principal:
        """Return the caller these claims speak of."""
        return Principal(
            kind=PrincipalKind.USER if self.aud is Audience.CLINIC else PrincipalKind.OPERATOR,
            subject=self.sub,
            tenant_id=self.tenant_id,
            session_id=self.sid,
            access_version=self.av,
            roles=self.roles,
            must_change_password=self.pwd,
        )


class TokenIssuer:
    """Issues and verifies access tokens; verifies with every key given, signs with the first."""

    def __init__(
        self,
        keys: tuple[SigningKey, ...],
        *,
        issuer: str,
        access_ttl_s: int = ACCESS_TTL_S,
        refresh_ttl_s: int = REFRESH_TTL_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secrets = {key.kid: key.secret for key in keys}
        if not keys or len(self._secrets) != len(keys):
            message = "signing keys: at least one, each with a kid of its own"
            raise ValueError(message)
        self._current = keys[0]
        self._issuer = issuer
        self._clock = clock
        # Claims by audience and SHA-256 of the whole token: of what verified, never of what was refused.
        self._verified: OrderedDict[tuple[Audience, bytes], AccessClaims] = OrderedDict()
        self.access_ttl_s = access_ttl_s
        self.refresh_ttl_s = refresh_ttl_s

    def issue(self, grant: Grant, audience: Audience) -> str:
        """Return a signed access token that lives `access_ttl_s` seconds."""
        issued_at = int(self._clock().timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": audience.value,
            "sub": str(grant.subject),
            "sid": str(grant.session_id),
            "av": grant.access_version,
            "roles": sorted(grant.roles),
            "iat": issued_at,
            "exp": issued_at + self.access_ttl_s,
            "jti": uuid4().hex,
        }
        if grant.clinic_id is not None:
            claims["tenant_id"] = str(grant.clinic_id)
        if grant.must_change_password:
            claims["pwd"] = True
        return jwt.encode(
            claims, self._current.secret, algorithm=ALGORITHM, headers={"kid": self._current.kid}
        )

    def verify(self, token: str, audience: Audience) -> AccessClaims:
        """Return the claims of a token for `audience`; raise `TokenExpiredError` or `InvalidTokenError`.

        A token that verified is known again until it expires: a signature does not become wrong, and whether its
        session lives is not asked here. The keys are those of this issuer for its whole life.
        """
        if len(token) > TOKEN_LENGTH_MAX:
            raise InvalidTokenError
        key = (audience, hashlib.sha256(token.encode()).digest())
        claims = self._verified.get(key)
        if claims is None:
            claims = self._verify_anew(token, audience)
            self._remember(key, claims)
        elif claims.exp <= self._clock().timestamp() - LEEWAY_S:
            del self._verified[key]
            raise TokenExpiredError
        else:
            self._verified.move_to_end(key)
        return claims

    def _remember(self, key: tuple[Audience, bytes], claims: AccessClaims) -> None:
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.popitem(last=False)
        self._verified[key] = claims

    def _verify_anew(self, token: str, audience: Audience) -> AccessClaims:
        try:
            claims = msgspec.convert(self._decode(token, audience), AccessClaims)
        except jwt.ExpiredSignatureError:
            raise TokenExpiredError from None
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError):
            raise InvalidTokenError from None
        if (claims.tenant_id is None) is (audience is Audience.CLINIC):
            raise InvalidTokenError
        return claims

    def _decode(self, token: str, audience: Audience) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        secret = self._secrets.get(kid) if isinstance(kid, str) else None
        if secret is None:
            raise InvalidTokenError
        return jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            audience=audience.value,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={"require": _REQUIRED_CLAIMS},
        )


def new_refresh_token() -> str:
    """Return a new opaque refresh token (256 random bits)."""
    return REFRESH_PREFIX + secrets.token_urlsafe(REFRESH_BYTES)


def refresh_digest(token: str) -> bytes | None:
    """Return the SHA-256 under which a refresh token is stored, or None if it cannot be one."""
    if _REFRESH_SHAPE.fullmatch(token) is None:
        return None
    return hashlib.sha256(token.encode()).digest()
