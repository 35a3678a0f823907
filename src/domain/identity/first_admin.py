"""The first administrator of a new clinic; everybody else is made by an administrator."""

from datetime import UTC, datetime
from uuid import UUID

from auth.passwords import HashScheme
from domain.actor import Role
from domain.identity.models import UserAccount, UserRole, UserStatus
from domain.tables import new_id
from tenancy.session import TenantSession


async def create_first_admin(
    session: TenantSession,
    *,
    email: str,
    password_hash: str,
    first_name: str = "",
    last_name: str = "",
) -> UUID:
    """Add an approved administrator who logs in by e-mail; return the id. `password_hash` is argon2id."""
    name = email.strip().lower()
    user = UserAccount(
        id=new_id(),
        username=name,
        email=name,
        password_hash=password_hash,
        password_scheme=HashScheme.ARGON2ID.value,
        password_changed_at=datetime.now(UTC),
        status=UserStatus.ACTIVE.value,
        first_name=first_name,
        last_name=last_name,
    )
    session.add(user)
    await session.flush()
    session.add(UserRole(user_id=user.id, role=Role.ADMIN.value))
    await session.flush()
    return user.id
