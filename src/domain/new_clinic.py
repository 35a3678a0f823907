"""The first rows of a clinic that is being set up: its administrator and its first branch."""

from collections.abc import Awaitable, Callable

from domain.identity.first_admin import create_first_admin
from domain.identity.models import UserAccount
from domain.organisation.first_branch import create_first_branch
from tenancy.session import TenantSession

FIRST_BRANCH_NAME = "Sede principal"


def first_rows(
    *,
    admin_email: str,
    password_hash: Awaitable[str],
    timezone: str,
    must_change_password: bool = False,
) -> Callable[[TenantSession], Awaitable[None]]:
    """Return what adds these rows to a new clinic; the hash may still be in the making."""

    async def seed(session: TenantSession) -> None:
        # Waited for before the first statement, so that no connection is held meanwhile.
        ready_hash = await password_hash
        admin_id = await create_first_admin(session, email=admin_email, password_hash=ready_hash)
        if must_change_password:
            admin = await session.get_one(UserAccount, admin_id)
            admin.must_change_password = True
        await create_first_branch(
            session, name=FIRST_BRANCH_NAME, timezone=timezone, member_user_id=admin_id
        )

    return seed
