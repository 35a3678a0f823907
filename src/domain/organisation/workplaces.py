"""Where practitioners work: at the branches their user is a member of, and where they keep hours.

A practitioner tied to no branch yet belongs to the whole clinic. One tied to branches is shown to those who see one of them.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Uuid, column, exists, or_, table, true

from domain.actor import Actor
from domain.organisation.branch_scope import in_offered_branches, visible_branches
from domain.organisation.models import BranchMember, Practitioner

# By name: scheduling builds on this package, not the other way round.
AVAILABILITY_RULE = table(
    "availability_rule",
    column("practitioner_id", Uuid),
    column("branch_id", Uuid),
    column("archived_at", DateTime(timezone=True)),
)


def is_offered(actor: Actor) -> ColumnElement[bool]:
    """Return the condition that the actor sees a practitioner: at a branch of theirs, or tied to none."""
    if actor.is_patient_only or visible_branches(actor) is None:
        return true()
    return or_(
        Practitioner.user_id == actor.user_id,
        _tied(
            in_offered_branches(BranchMember.branch_id, actor),
            in_offered_branches(AVAILABILITY_RULE.c.branch_id, actor),
        ),
        ~_tied(true(), true()),
    )


def works_at(branch_id: UUID, actor: Actor) -> ColumnElement[bool]:
    """Return the condition that a practitioner works at this branch, as far as the actor sees it."""
    member, rule = BranchMember.branch_id, AVAILABILITY_RULE.c.branch_id
    return _tied(
        (member == branch_id) & in_offered_branches(member, actor),
        (rule == branch_id) & in_offered_branches(rule, actor),
    )


def _tied(membership: ColumnElement[bool], hours: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that the practitioner is a member somewhere, or keeps hours, where these hold."""
    return or_(
        exists().where(BranchMember.user_id == Practitioner.user_id, membership),
        exists().where(
            AVAILABILITY_RULE.c.practitioner_id == Practitioner.id,
            AVAILABILITY_RULE.c.archived_at.is_(None),
            hours,
        ),
    )
