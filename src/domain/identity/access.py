"""Roles of users, and the switch that takes the power from tokens already issued."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ScalarSelect, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.functions import func

from domain.actor import Role
from domain.identity.models import UserAccount, UserRole, UserStatus
from tenancy.session import TenantSession


def main_role(roles: Iterable[str]) -> str:
    """Return the role that a user with several is called by; empty without any."""
    held = set(roles)
    return next((role.value for role in Role if role in held), "")


def in_order(roles: Iterable[str]) -> list[Role]:
    """Return the roles, the main one first."""
    held = set(roles)
    return [role for role in Role if role in held]


def roles_column() -> ScalarSelect[list[str]]:
    """Return a column with the roles of the selected `UserAccount`, as an array that may be null."""
    return (
        select(func.array_agg(aggregate_order_by(UserRole.role, UserRole.role)))
        .where(UserRole.user_id == UserAccount.id)
        .correlate(UserAccount)
        .scalar_subquery()
    )


async def roles_of(session: TenantSession, user_id: UUID) -> frozenset[str]:
    """Return the roles of one user."""
    found = await session.scalars(select(UserRole.role).where(UserRole.user_id == user_id))
    return frozenset(found)


async def lock_user(session: TenantSession, user_id: UUID) -> UserAccount | None:
    """Return the user as it is now and keep others from changing it, its roles or its sessions until the end.

    Everything that ends or continues a session holds this row lock (FOR NO KEY UPDATE).
    """
    return await session.scalar(
        select(UserAccount)
        .where(UserAccount.id == user_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


async def lock_admins(session: TenantSession) -> None:
    """Lock the active administrators in one order, so that the last two cannot both go at the same moment."""
    await session.execute(
        select(UserAccount.id)
        .join(UserAccount.roles)
        .where(UserRole.role == Role.ADMIN, UserAccount.status == UserStatus.ACTIVE)
        .order_by(UserAccount.id)
        .with_for_update(key_share=True, of=UserAccount)
    )


async def has_other_admin(session: TenantSession, user_id: UUID) -> bool:
    """Return whether an active administrator besides this user exists; exact under `lock_admins`."""
    other = await session.scalar(
        select(UserAccount.id)
        .join(UserAccount.roles)
        .where(
            UserRole.role == Role.ADMIN,
            UserAccount.status == UserStatus.ACTIVE,
            UserAccount.id != user_id,
        )
        .limit(1)
    )
    return other is not None


async def bump_access_version(session: TenantSession, user_id: UUID) -> None:
    """Make every access token of this user void at once: the next refresh brings the new roles.

    To be called with each change of a user's roles, branches or status. The ETag stays as it is.
    """
    await session.execute(
        update(UserAccount)
        .where(UserAccount.id == user_id)
        .values(
            access_version=UserAccount.access_version + 1,
            updated_at=UserAccount.updated_at,
        )
        .execution_options(synchronize_session=False)
    )
