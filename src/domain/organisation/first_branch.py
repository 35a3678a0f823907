"""The first branch of a new clinic, made together with its first user."""

from typing import Final
from uuid import UUID

from domain.actor import SYSTEM
from domain.audit import record_audit_event
from domain.organisation.models import Branch, BranchMember
from domain.tables import new_id
from tenancy.session import TenantSession

FIRST_BRANCH_CODE: Final = "PRINCIPAL"


async def create_first_branch(
    session: TenantSession, *, name: str, timezone: str, member_user_id: UUID
) -> UUID:
    """Add an active branch with `member_user_id` as its first member; return its id. `timezone` is an IANA name."""
    branch = Branch(id=new_id(), name=name, code=FIRST_BRANCH_CODE, timezone=timezone)
    session.add(branch)
    await session.flush()
    session.add(BranchMember(branch_id=branch.id, user_id=member_user_id, is_default=True))
    await session.flush()
    await record_audit_event(session, SYSTEM, "create", "branch", branch.id)
    return branch.id
