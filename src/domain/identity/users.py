"""The clinic's users as administrators keep them: list, read, create, change."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, structs
from sqlalchemy import ColumnElement, Row, exists, or_, select

from auth.passwords import HashScheme, PasswordHasher
from domain.errors import InvalidFieldError, NotFoundError
from domain.identity.access import in_order, lock_user, main_role, roles_column, roles_of
from domain.identity.errors import WeakPasswordError
from domain.identity.models import UserAccount, UserRole, UserStatus
from domain.identity.profile import BRANCH_MEMBER, user_fields
from domain.identity.schemas import (
    SETTINGS_BYTES_MAX,
    UserChanges,
    UserFilter,
    UserIn,
    UserListed,
    UserOut,
)
from domain.paging import Page, PageRequest, fetch_page
from domain.service import RowService
from domain.tables import new_id

_LISTED = tuple(
    getattr(UserAccount, name)
    for name in UserListed.__struct_fields__
    if name not in {"roles", "user_type"}
)


class UserRepository(SQLAlchemyAsyncRepository[UserAccount]):
    """Single accounts."""

    model_type = UserAccount


class UserService(RowService[UserAccount]):
    """Lists, reads, creates and changes the accounts of the clinic."""

    repository_type = UserRepository
    entity = "user_account"

    async def list_users(self, wanted: UserFilter, page: PageRequest) -> Page[UserListed]:
        """Return one page of the users that match, the oldest first."""
        return await fetch_page(
            self.session,
            select(*_LISTED, roles_column().label("roles")).where(*_conditions(wanted)),
            order=[UserAccount.id.expression],
            request=page,
            make=_listed,
        )

    async def get_user(self, user_id: UUID) -> UserOut:
        """Return one user; raise `NotFoundError` when this clinic has none with that id."""
        return await self.shown(await self.get_row(user_id))

    async def shown(self, row: UserAccount) -> UserOut:
        """Return the account with its roles."""
        return UserOut(**user_fields(row, await roles_of(self.session, row.id)))

    async def create_user(self, new: UserIn, hasher: PasswordHasher) -> UserOut:
        """Add a user, who awaits approval unless it is given at once.

        Raises `WeakPasswordError`, `InvalidFieldError`.
        """
        email = new.email.lower()
        username = (new.username or email).lower()
        _check_username(username, email)
        _check_zone(new.timezone)
        _check_settings(new.settings)
        if new.status == "active" and new.password is None:
            raise InvalidFieldError("/password", "required")
        password: dict[str, Any] = {}
        if new.password is not None:
            code = hasher.policy.objection(new.password, names=(email, username))
            if code is not None:
                raise WeakPasswordError(code)
            password = {
                "password_hash": await hasher.hash(new.password),
                "password_scheme": HashScheme.ARGON2ID.value,
                "password_changed_at": self.now(),
            }
        plain = structs.asdict(new)
        for name in ("roles", "password", "email", "username"):
            del plain[name]
        row = await self.add_row(
            UserAccount(id=new_id(), email=email, username=username, **plain, **password)
        )
        await self._give_roles(row.id, [role.value for role in in_order(new.roles)])
        await self.session.refresh(row)
        return await self.shown(row)

    async def change_user(self, user_id: UUID, changes: UserChanges, version: int) -> UserOut:
        """Change the account if it still has `version`; a username that is the e-mail follows it."""
        row = await lock_user(self.session, user_id)
        if row is None:
            raise NotFoundError
        values = {k: v for k, v in structs.asdict(changes).items() if v is not UNSET}
        _check_zone(values.get("timezone"))
        _check_settings(values.get("settings") or {})
        email = values["email"].lower() if "email" in values else row.email
        username = values["username"].lower() if "username" in values else row.username
        if email != row.email:
            values |= {"email": email, "email_verified_at": None}
            if "username" not in values and row.username == row.email:
                username = email or username
        if username != row.username:
            values["username"] = username
        _check_username(username, email)
        return await self.shown(await self.change_row(row, values, version=version))

    async def _give_roles(self, user_id: UUID, roles: list[str]) -> None:
        self.session.add_all(
            UserRole(user_id=user_id, role=role, created_by=self.actor.user_id) for role in roles
        )
        await self.session.flush()


def _listed(row: Row[Any]) -> UserListed:
    fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name
    roles = fields.pop("roles") or ()
    fields["status"] = UserStatus(row.status)
    return UserListed(**fields, roles=in_order(roles), user_type=main_role(roles))


def _conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(UserAccount.status == wanted.status.value)
    if wanted.role is not None:
        conditions.append(UserAccount.roles.any(UserRole.role == wanted.role.value))
    if wanted.branch_id is not None:
        conditions.append(
            exists().where(
                BRANCH_MEMBER.c.user_id == UserAccount.id,
                BRANCH_MEMBER.c.branch_id == wanted.branch_id,
            )
        )
    for word in (wanted.q or "").split():
        columns = (
            UserAccount.username,
            UserAccount.email,
            UserAccount.first_name,
            UserAccount.last_name,
        )
        conditions.append(or_(*(column.icontains(word, autoescape=True) for column in columns)))
    return conditions


def _check_username(username: str, email: str | None) -> None:
    """Refuse a username that is another account's e-mail: a name at login means one account."""
    if "@" in username and username != email:
        raise InvalidFieldError("/username", "username_is_another_email")


def _check_zone(name: str | None) -> None:
    if name is None:
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidFieldError("/timezone", "unknown_zone") from None


def _check_settings(settings: dict[str, Any]) -> None:
    encoded = msgspec.json.encode(settings)
    if len(encoded) > SETTINGS_BYTES_MAX:
        raise InvalidFieldError("/settings", "too_large")
    if rb"\u0000" in encoded:
        raise InvalidFieldError("/settings", "invalid_character")
