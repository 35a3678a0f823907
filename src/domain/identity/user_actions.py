"""What administrators do with accounts: approve, block, unblock, reset the password, give and take roles.

Each action acts at once: the access version grows, so that tokens already issued are void.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import delete

from auth.password_policy import temporary_password
from auth.passwords import HashScheme, PasswordHasher
from domain.actor import Role
from domain.errors import (
    InvalidFieldError,
    InvalidTransitionError,
    NotFoundError,
    StaleVersionError,
)
from domain.identity.access import has_other_admin, lock_admins, lock_user, roles_of
from domain.identity.errors import LastAdminError
from domain.identity.models import UserAccount, UserRole, UserStatus
from domain.identity.revocation import RevokeReason, revoke_sessions
from domain.identity.schemas import TemporaryPassword, UserOut
from domain.identity.users import UserService


class UserActions:
    """Changes of status, roles and password; every one audited."""

    def __init__(self, users: UserService) -> None:
        self._users = users
        self._session = users.session

    async def approve(self, user_id: UUID, version: int) -> UserOut:
        """Let a pending or disabled user in; raise `InvalidTransitionError` for a blocked one."""
        row = await self._lock(user_id, version)
        if row.status == UserStatus.BLOCKED:
            raise InvalidTransitionError
        if row.password_hash is None:
            raise InvalidFieldError("/password", "required")
        return await self._set_status(row, UserStatus.ACTIVE, version, "approve")

    async def block(self, user_id: UUID, version: int) -> UserOut:
        """Shut a user out at once and end all sessions; raise `LastAdminError` for the last administrator."""
        await lock_admins(self._session)
        row = await self._lock(user_id, version)
        if row.status == UserStatus.ACTIVE:
            await self._refuse_last_admin(user_id)
        await revoke_sessions(self._session, user_id, RevokeReason.BLOCKED, self._users.now())
        return await self._set_status(row, UserStatus.BLOCKED, version, "block")

    async def unblock(self, user_id: UUID, version: int) -> UserOut:
        """Let a blocked user in again and lift the lock that failed logins have set.

        A user who has no password yet awaits approval again.
        """
        row = await self._lock(user_id, version)
        status = UserStatus(row.status)
        if status is UserStatus.BLOCKED:
            status = UserStatus.ACTIVE if row.password_hash is not None else UserStatus.PENDING
        unlocked = {"failed_logins": 0, "locked_until": None}
        return await self._set_status(row, status, version, "unblock", unlocked)

    async def reset_password(
        self, user_id: UUID, version: int, hasher: PasswordHasher
    ) -> TemporaryPassword:
        """Give a temporary password, end all sessions; the next login must change it."""
        password = temporary_password()
        password_hash = await hasher.hash(password)
        row = await self._lock(user_id, version)
        await revoke_sessions(
            self._session, user_id, RevokeReason.PASSWORD_RESET, self._users.now()
        )
        changes = {
            "password_hash": password_hash,
            "password_scheme": HashScheme.ARGON2ID.value,
            "password_changed_at": self._users.now(),
            "must_change_password": True,
            "failed_logins": 0,
            "locked_until": None,
        }
        row = await self._users.change_row(row, changes, version=version, action="reset_password")
        return TemporaryPassword(user=await self._users.shown(row), temporary_password=password)

    async def give_role(self, user_id: UUID, role: Role, version: int) -> UserOut:
        """Give the user a role; nothing changes if the user has it."""
        row = await self._lock(user_id, version)
        if role.value in await roles_of(self._session, user_id):
            return await self._users.shown(row)
        self._session.add(
            UserRole(user_id=user_id, role=role.value, created_by=self._users.actor.user_id)
        )
        return await self._void_tokens(row, "give_role", role)

    async def take_role(self, user_id: UUID, role: Role, version: int) -> UserOut:
        """Take a role from the user; raise `NotFoundError` or `LastAdminError`."""
        if role is Role.ADMIN:
            await lock_admins(self._session)
        row = await self._lock(user_id, version)
        if role.value not in await roles_of(self._session, user_id):
            raise NotFoundError
        if role is Role.ADMIN and row.status == UserStatus.ACTIVE:
            await self._refuse_last_admin(user_id)
        await self._session.execute(
            delete(UserRole)
            .where(UserRole.user_id == user_id, UserRole.role == role.value)
            .execution_options(synchronize_session=False)
        )
        return await self._void_tokens(row, "take_role", role)

    async def _lock(self, user_id: UUID, version: int) -> UserAccount:
        row = await lock_user(self._session, user_id)
        if row is None:
            raise NotFoundError
        if row.version != version:
            raise StaleVersionError(row.version)
        return row

    async def _refuse_last_admin(self, user_id: UUID) -> None:
        roles = await roles_of(self._session, user_id)
        if Role.ADMIN in roles and not await has_other_admin(self._session, user_id):
            raise LastAdminError

    async def _set_status(
        self,
        row: UserAccount,
        status: UserStatus,
        version: int,
        action: str,
        more: dict[str, Any] | None = None,
    ) -> UserOut:
        """Store the status; the same status again changes nothing but what `more` says."""
        changes = dict(more or {})
        if row.status != status:
            changes |= {"status": status.value, "access_version": row.access_version + 1}
        row = await self._users.change_row(row, changes, version=version, action=action)
        return await self._users.shown(row)

    async def _void_tokens(self, row: UserAccount, action: str, role: Role) -> UserOut:
        """Make the change of a role act at once, and leave an event that names the role."""
        row.access_version += 1
        row.updated_by = self._users.actor.user_id
        await self._session.flush()
        await self._session.refresh(row)
        await self._users.audit(action, self._users.entity, row.id, role=role.value)
        return await self._users.shown(row)
