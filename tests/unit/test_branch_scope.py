"""Who sees the rows of which branch, as conditions; what they let through is tested with rows elsewhere."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from domain.actor import SYSTEM, Actor, Role
from domain.organisation.branch_scope import (
    in_offered_branches,
    in_visible_branches,
    own_patients,
    visible_branches,
)
from domain.organisation.models import Branch, BranchMember, Patient, Room

BRANCH_ROLES = [Role.DENTIST, Role.DOCTOR, Role.NURSE, Role.OPERATOR, Role.DIGITIZER]


def actor(*roles: Role) -> Actor:
    return Actor(user_id=uuid4(), roles=frozenset(roles))


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
def test_admin_and_auditor_see_every_branch(role: Role) -> None:
    assert visible_branches(actor(role)) is None
    assert visible_branches(actor(role, Role.DENTIST)) is None
    assert visible_branches(SYSTEM) is None


@pytest.mark.parametrize("role", BRANCH_ROLES)
def test_other_staff_see_the_branches_of_their_memberships(role: Role) -> None:
    visible = visible_branches(actor(role))
    assert visible is not None
    assert "branch_member.user_id = " in str(visible)


def test_portal_users_see_no_branch_even_as_members() -> None:
    visible = visible_branches(actor(Role.PATIENT))
    assert visible is not None
    assert "false" in str(visible)
    assert "false" in str(in_visible_branches(Room.branch_id, actor(Role.PATIENT)))


def test_somebody_without_any_role_sees_nothing() -> None:
    assert "false" in str(visible_branches(actor()))
    assert own_patients(actor()) is not None


def test_callers_without_a_token_see_nothing() -> None:
    """A comparison of the missing user with NULL would show all patients who have no login."""
    nobody = Actor(user_id=None, kind="anonymous")
    assert "false" in str(visible_branches(nobody))
    assert "false" in str(own_patients(nobody))


def test_what_is_offered_is_shown_to_portal_users_everywhere() -> None:
    assert str(in_offered_branches(Room.branch_id, actor(Role.PATIENT))) == "true"
    offered = in_offered_branches(Room.branch_id, actor(Role.NURSE))
    assert "branch_member.user_id = " in str(offered)


@pytest.mark.parametrize("role", [*BRANCH_ROLES, Role.ADMIN, Role.AUDITOR])
def test_staff_see_all_patients(role: Role) -> None:
    assert own_patients(actor(role)) is None
    assert own_patients(actor(role, Role.PATIENT)) is None


def test_portal_users_see_their_own_patient_only() -> None:
    own = own_patients(actor(Role.PATIENT))
    assert own is not None
    assert "patient.user_id = " in str(own)


@pytest.mark.parametrize("table", [BranchMember, Patient])
def test_scope_holds_inside_a_query_on_the_same_table(table: type) -> None:
    """A correlated subquery would compare the outer row with itself and let everything through."""
    if table is BranchMember:
        inner = in_visible_branches(BranchMember.branch_id, actor(Role.NURSE))
        query = str(
            select(BranchMember.id).join(Branch, Branch.id == BranchMember.branch_id).where(inner)
        )
    else:
        own = own_patients(actor(Role.PATIENT))
        assert own is not None
        query = str(select(Patient.id).join(Patient.person).where(Patient.id.in_(own)))
    assert query.count(f"FROM {table.__tablename__}") == 2  # type: ignore[attr-defined]
