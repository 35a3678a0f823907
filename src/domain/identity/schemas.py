"""What goes in and out about users: accounts, profiles, sessions."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from auth.password_policy import PASSWORD_LENGTH_MAX
from domain.actor import Role
from domain.identity.models import UserStatus

Line = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Prose = Annotated[str, Meta(max_length=2_000, pattern=r"^[^\x00]*$")]
Email = Annotated[
    str,
    Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]+\.[^@\s.]{2,}$"),
]
Username = Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
Phone = Annotated[str, Meta(max_length=20, pattern=r"^\+?[0-9 ()./-]{3,20}$")]
Language = Literal["es", "en"]
ZoneName = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")]
NewPassword = Annotated[str, Meta(min_length=1, max_length=PASSWORD_LENGTH_MAX)]
Settings = dict[Annotated[str, Meta(max_length=64)], Any]

SETTINGS_BYTES_MAX = 16_384


class UserOut(Struct, frozen=True, kw_only=True):
    """One user; `user_type` is the main one of the roles."""

    id: UUID
    username: str
    email: str | None
    email_verified_at: datetime | None
    status: UserStatus
    roles: list[Role]
    user_type: str
    must_change_password: bool
    password_changed_at: datetime | None
    first_name: str
    last_name: str
    phone: str | None
    language: str
    timezone: str | None
    avatar_document_id: UUID | None
    bio: str | None
    notifications_enabled: bool
    settings: dict[str, Any]
    person_id: UUID | None
    legacy_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int


class UserListed(Struct, frozen=True, kw_only=True):
    """One user as a list shows it."""

    id: UUID
    username: str
    email: str | None
    status: UserStatus
    roles: list[Role]
    user_type: str
    must_change_password: bool
    first_name: str
    last_name: str
    phone: str | None
    last_login_at: datetime | None
    locked_until: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class UserIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new user. Without `username` it is the e-mail; without `password` one is set by reset-password."""

    email: Email
    username: Username | None = None
    password: NewPassword | None = None
    roles: Annotated[frozenset[Role], Meta(min_length=1)]
    status: Literal["pending", "active"] = "pending"
    must_change_password: bool = False
    first_name: Line = ""
    last_name: Line = ""
    phone: Phone | None = None
    language: Language = "es"
    timezone: ZoneName | None = None
    bio: Prose | None = None
    notifications_enabled: bool = True
    settings: Settings = {}
    person_id: UUID | None = None


class UserChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a user; status, roles and password have actions of their own."""

    email: Email | UnsetType = UNSET
    username: Username | UnsetType = UNSET
    first_name: Line | UnsetType = UNSET
    last_name: Line | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    language: Language | UnsetType = UNSET
    timezone: ZoneName | UnsetType | None = UNSET
    bio: Prose | UnsetType | None = UNSET
    notifications_enabled: bool | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    person_id: UUID | UnsetType | None = UNSET


class RoleIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role to give."""

    role: Role


class UserFilter(Struct, frozen=True, kw_only=True):
    """Which users a list shows."""

    status: UserStatus | None = None
    role: Role | None = None
    branch_id: UUID | None = None
    q: str | None = None


class TemporaryPassword(Struct, frozen=True, kw_only=True):
    """A password that is shown once and must be changed at the next login."""

    user: UserOut
    temporary_password: str


class PasswordChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The caller's own new password."""

    current_password: NewPassword
    new_password: NewPassword


class BranchOfUser(Struct, frozen=True, kw_only=True):
    """A branch that the user works at."""

    id: UUID
    name: str
    is_default: bool


class Profile(UserOut, frozen=True, kw_only=True):
    """The caller: account, branches, and what the roles allow."""

    branches: list[BranchOfUser]
    permissions: list[str]


class SessionOut(Struct, frozen=True, kw_only=True):
    """One login of the caller that is still alive; `id` names the whole family of its tokens."""

    id: UUID
    started_at: datetime
    last_refreshed_at: datetime
    expires_at: datetime
    user_agent: str | None
    ip: str | None
    is_current: bool
