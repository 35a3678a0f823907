"""What goes in and out at login and refresh."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from auth.password_policy import PASSWORD_LENGTH_MAX
from auth.principal import TENANT_CLAIM
from auth.tokens import TOKEN_LENGTH_MAX

USER_AGENT_LENGTH_MAX = 300

LoginName = Annotated[str, Meta(min_length=1, max_length=254)]
GivenPassword = Annotated[str, Meta(max_length=PASSWORD_LENGTH_MAX)]


class LoginIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`username` or `email` (either field takes either), and password; the clinic may be named here too."""

    username: LoginName | None = None
    email: LoginName | None = None
    password: GivenPassword
    clinic: str | None = field(default=None, name=TENANT_CLAIM)

    def __post_init__(self) -> None:
        """Refuse a login by two names or none."""
        if (self.username is None) is (self.email is None):
            message = "Expected one of `username` and `email`"
            raise ValueError(message)

    @property
    def name(self) -> str:
        """The name given."""
        return self.username or self.email or ""


class RefreshIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refresh token to be exchanged."""

    refresh: Annotated[str, Meta(max_length=TOKEN_LENGTH_MAX)]


class Device(Struct, frozen=True, kw_only=True):
    """From where somebody logs in."""

    address: str
    user_agent: str | None = None


class TokenPair(Struct, frozen=True, kw_only=True):
    """A new access token and the refresh token that continues the session; `expires_in` in seconds."""

    access: str
    refresh: str
    token_type: str = "Bearer"  # noqa: S105  # the scheme's name, not a secret
    expires_in: int


class LoginUser(Struct, frozen=True, kw_only=True):
    """The user as the login's answer shows it."""

    id: UUID
    username: str
    email: str | None
    user_type: str
    first_name: str
    last_name: str
    roles: list[str]
    must_change_password: bool


class LoggedIn(Struct, frozen=True, kw_only=True):
    """A login that succeeded."""

    tokens: TokenPair
    user: LoginUser


class Refused(Struct, frozen=True):
    """A refusal whose traces must be kept: the caller answers with `error` and lets the transaction commit."""

    error: Exception
