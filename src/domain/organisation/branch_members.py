"""Who works at which branch. A change takes effect at once: tokens that the user holds lose their power.

A membership has no version of its own: saying it twice changes nothing, so that no precondition is needed.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, Select, delete, select, update

from domain.errors import NotFoundError
from domain.identity.access import bump_access_version, lock_user
from domain.identity.models import UserAccount
from domain.organisation.branch_scope import in_visible_branches
from domain.organisation.models import Branch, BranchMember
from domain.organisation.schemas import BranchMemberIn, BranchMemberOut
from domain.paging import Page, PageRequest, fetch_page
from domain.service import ClinicService
from domain.tables import new_id

_COLUMNS = (
    BranchMember.branch_id,
    BranchMember.user_id,
    UserAccount.username,
    UserAccount.first_name,
    UserAccount.last_name,
    BranchMember.is_default,
    BranchMember.created_at,
)


class BranchMemberService(ClinicService):
    """Lists, adds and removes the users of a branch."""

    async def list_members(self, branch_id: UUID, page: PageRequest) -> Page[BranchMemberOut]:
        """Return one page of the users who work at the branch."""
        await self._require_visible(branch_id)
        return await fetch_page(
            self.session,
            _members(branch_id),
            order=[BranchMember.user_id.expression],
            request=page,
            make=lambda row: BranchMemberOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
        )

    async def put_member(
        self, branch_id: UUID, user_id: UUID, wanted: BranchMemberIn
    ) -> BranchMemberOut:
        """Let the user work at the branch; a new default branch takes the place of the one before."""
        await self._require_visible(branch_id)
        # The user's lock keeps two requests from making two default branches.
        if await lock_user(self.session, user_id) is None:
            raise NotFoundError
        if wanted.is_default:
            await self._set_default(user_id, value=False)
        here = (BranchMember.branch_id == branch_id) & (BranchMember.user_id == user_id)
        if await self.session.scalar(select(BranchMember.id).where(here)) is None:
            await self._add(branch_id, user_id, is_default=wanted.is_default)
        else:
            await self._set_default(user_id, value=wanted.is_default, branch_id=branch_id)
        found = await self.session.execute(_members(branch_id).where(here))
        return BranchMemberOut(**found.one()._mapping)  # noqa: SLF001  # SQLAlchemy's public name

    async def remove_member(self, branch_id: UUID, user_id: UUID) -> None:
        """Take the branch from the user; raise `NotFoundError` if they do not work there."""
        await self._require_visible(branch_id)
        await lock_user(self.session, user_id)
        result = await self.session.execute(
            delete(BranchMember)
            .where(BranchMember.branch_id == branch_id, BranchMember.user_id == user_id)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(result, CursorResult)
        if result.rowcount == 0:
            raise NotFoundError
        await self._leave_trace("remove_member", branch_id, user_id)

    async def _add(self, branch_id: UUID, user_id: UUID, *, is_default: bool) -> None:
        self.session.add(
            BranchMember(
                id=new_id(),
                branch_id=branch_id,
                user_id=user_id,
                is_default=is_default,
                created_by=self.actor.user_id,
            )
        )
        await self.session.flush()
        await self._leave_trace("add_member", branch_id, user_id)

    async def _set_default(
        self, user_id: UUID, *, value: bool, branch_id: UUID | None = None
    ) -> None:
        """Set the flag on the user's membership of one branch, or on all of them."""
        statement = update(BranchMember).where(
            BranchMember.user_id == user_id, BranchMember.is_default.is_(not value)
        )
        if branch_id is not None:
            statement = statement.where(BranchMember.branch_id == branch_id)
        await self.session.execute(
            statement.values(is_default=value).execution_options(synchronize_session=False)
        )

    async def _leave_trace(self, action: str, branch_id: UUID, user_id: UUID) -> None:
        await bump_access_version(self.session, user_id)
        await self.audit(action, "branch", branch_id, branch_id=branch_id, user_id=str(user_id))

    async def _require_visible(self, branch_id: UUID) -> None:
        found = await self.session.scalar(
            select(Branch.id).where(
                Branch.id == branch_id,
                Branch.archived_at.is_(None),
                in_visible_branches(Branch.id, self.actor),
            )
        )
        if found is None:
            raise NotFoundError


def _members(branch_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(*_COLUMNS)
        .join(UserAccount, UserAccount.id == BranchMember.user_id)
        .where(BranchMember.branch_id == branch_id)
    )
