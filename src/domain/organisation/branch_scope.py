"""Who sees the rows of which branch: the one place where branches are filtered.

Rows that belong to a branch (rooms, appointments, availability, and practitioners through where they work) are shown
to members of that branch alone; administrators and auditors see every branch. Patients belong to the clinic and not to
a branch: whoever comes to two branches has one record, so all staff see all patients. Portal users are members of no
branch: they see their own rows only (`own_patients`), and every path that they may use asks for that first.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import BindParameter, ColumnElement, Select, exists, false, select, true
from sqlalchemy.orm import InstrumentedAttribute

from domain.actor import Actor
from domain.errors import BranchForbiddenError
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.models import Branch, BranchMember, Patient
from tenancy.session import TenantSession

BranchColumn = ColumnElement[UUID] | InstrumentedAttribute[UUID] | InstrumentedAttribute[Any]


class BranchInUse(Struct, frozen=True):
    """A branch as far as those who write its rows need it; `timezone` is an IANA name."""

    id: UUID
    timezone: str
    is_active: bool


class Reach(StrEnum):
    """How far somebody sees: it decides the form of the conditions, and the user's id is all that they hold."""

    NOTHING = "nothing"
    """Nobody is known behind the call, as on public routes."""
    OWN_RECORD = "own_record"
    """Portal users."""
    OWN_BRANCHES = "own_branches"
    EVERYTHING = "everything"


UserId = UUID | BindParameter[Any] | None
"""A user, or the place in a statement for one."""


def reach_of(actor: Actor) -> Reach:
    """Return how far the actor sees."""
    if actor.sees_all_branches:
        return Reach.EVERYTHING
    if actor.user_id is None:
        return Reach.NOTHING
    return Reach.OWN_RECORD if actor.is_patient_only else Reach.OWN_BRANCHES


def visible_branches(actor: Actor) -> Select[UUID] | None:
    """Return a subquery with the ids of the branches whose rows the actor sees; None stands for all of them."""
    return branches_within(reach_of(actor), actor.user_id)


def branches_within(reach: Reach, user_id: UserId) -> Select[UUID] | None:
    """As `visible_branches`, for anybody who sees so far."""
    if reach is Reach.EVERYTHING:
        return None
    if reach is not Reach.OWN_BRANCHES:
        return select(BranchMember.branch_id).where(false()).correlate(None)
    # Not to be correlated: it may stand inside a query on the same table.
    return select(BranchMember.branch_id).where(BranchMember.user_id == user_id).correlate(None)


def in_visible_branches(column: BranchColumn, actor: Actor) -> ColumnElement[bool]:
    """Return the condition that `column` holds a branch whose rows the actor sees; NULL is no such branch."""
    visible = visible_branches(actor)
    return true() if visible is None else column.in_(visible)


def in_offered_branches(column: BranchColumn, actor: Actor) -> ColumnElement[bool]:
    """As `in_visible_branches`, for what the clinic shows to its patients too: portal users see it everywhere."""
    return true() if actor.is_patient_only else in_visible_branches(column, actor)


def own_patients(actor: Actor) -> Select[UUID] | None:
    """Return a subquery with the ids of the patients a portal user may see; None stands for all of the clinic."""
    return patients_within(reach_of(actor), actor.user_id)


def patients_within(reach: Reach, user_id: UserId) -> Select[UUID] | None:
    """As `own_patients`, for anybody who sees so far."""
    if reach is Reach.NOTHING:
        return select(Patient.id).where(false()).correlate(None)
    if reach is not Reach.OWN_RECORD:
        return None
    return select(Patient.id).where(Patient.user_id == user_id).correlate(None)


async def require_branch(session: TenantSession, actor: Actor, branch_id: UUID) -> BranchInUse:
    """Return the branch that the actor is about to write rows of.

    Raises `BrokenReferenceError` when the clinic has no such branch (any more) and `BranchForbiddenError`
    when the actor does not work there, as portal users never do.
    """
    membership = exists().where(
        BranchMember.branch_id == Branch.id, BranchMember.user_id == actor.user_id
    )
    found = await session.execute(
        select(Branch.id, Branch.timezone, Branch.is_active, membership.label("works_there")).where(
            Branch.id == branch_id, Branch.archived_at.is_(None)
        )
    )
    row = found.one_or_none()
    if row is None:
        raise BrokenReferenceError("/branch_id")
    if visible_branches(actor) is not None and (actor.is_patient_only or not row.works_there):
        raise BranchForbiddenError
    return BranchInUse(row.id, row.timezone, row.is_active)
