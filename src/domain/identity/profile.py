"""How users are shown, and who the caller is: account, branches, permissions."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, column, select, table

from auth.permissions import clinic_permissions
from domain.errors import NotFoundError
from domain.identity.access import in_order, main_role, roles_of
from domain.identity.models import UserAccount, UserStatus
from domain.identity.schemas import BranchOfUser, Profile, UserOut
from domain.service import ClinicService

# The organisation's tables, by name: that package builds on this one, not the other way round.
BRANCH = table("branch", column("id", Uuid), column("name", Text))
BRANCH_MEMBER = table(
    "branch_member",
    column("branch_id", Uuid),
    column("user_id", Uuid),
    column("is_default", Boolean),
)

_ACCOUNT_FIELDS = tuple(
    name for name in UserOut.__struct_fields__ if name not in {"roles", "user_type"}
)


def user_fields(row: UserAccount, roles: Collection[str]) -> dict[str, Any]:
    """Return the fields of `UserOut` for an account."""
    fields = {name: getattr(row, name) for name in _ACCOUNT_FIELDS}
    fields["status"] = UserStatus(row.status)
    return {**fields, "roles": in_order(roles), "user_type": main_role(roles)}


class ProfileService(ClinicService):
    """Reads the caller's own account."""

    async def read(self) -> Profile:
        """Return who the caller is and what the caller may do."""
        assert self.actor.user_id is not None
        row = await self.session.get(UserAccount, self.actor.user_id)
        if row is None:
            raise NotFoundError
        roles = await roles_of(self.session, row.id)
        return Profile(
            **user_fields(row, roles),
            branches=await self._branches(row.id),
            permissions=sorted(clinic_permissions(roles)),
        )

    async def _branches(self, user_id: UUID) -> list[BranchOfUser]:
        found = await self.session.execute(
            select(BRANCH.c.id, BRANCH.c.name, BRANCH_MEMBER.c.is_default)
            .join(BRANCH_MEMBER, BRANCH_MEMBER.c.branch_id == BRANCH.c.id)
            .where(BRANCH_MEMBER.c.user_id == user_id)
            .order_by(BRANCH.c.name, BRANCH.c.id)
        )
        return [BranchOfUser(id=row.id, name=row.name, is_default=row.is_default) for row in found]
