"""Statements that are built once hold nothing of the request that they were built in."""

from uuid import uuid4

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import InvalidRequestError

from domain.actor import Actor, Role
from domain.organisation.branch_scope import Reach, reach_of
from domain.organisation.patients import _patient_list
from domain.prepared_lists import PreparedList
from domain.scheduling.appointment_lists import agenda_list, appointment_list

FILTERS = ("branch_id", "patient_id", "practitioner_id", "room_id", "since", "statuses", "until")


def statements_of(prepared: PreparedList) -> list[object]:
    return [prepared._first, prepared._following]


@pytest.mark.parametrize("reach", Reach)
def test_every_value_of_a_prepared_list_must_be_bound_anew(reach: Reach) -> None:
    lists = [
        agenda_list(reach, frozenset({"branch_id", "practitioner_id"})),
        appointment_list(reach, frozenset(FILTERS), descending=True),
        _patient_list(reach, by_birth_date=True),
    ]
    for statement in (statement for made in lists for statement in statements_of(made)):
        compiled = statement.compile(dialect=postgresql.dialect())
        assert compiled.binds
        assert all(bind.required for bind in compiled.binds.values()), compiled
        with pytest.raises(InvalidRequestError):
            compiled.construct_params({}, _check=True)


def test_one_form_is_built_once() -> None:
    form = agenda_list(Reach.EVERYTHING, frozenset({"branch_id"}))
    assert form is agenda_list(Reach.EVERYTHING, frozenset({"branch_id"}))
    assert form is not agenda_list(Reach.OWN_BRANCHES, frozenset({"branch_id"}))


def test_reach_is_decided_by_the_actor_and_holds_no_user() -> None:
    someone = uuid4()
    reaches = {
        reach_of(Actor(user_id=someone, roles=frozenset(roles)))
        for roles in ({Role.ADMIN}, {Role.DENTIST}, {Role.PATIENT}, set[Role]())
    }
    assert reaches == {Reach.EVERYTHING, Reach.OWN_BRANCHES, Reach.OWN_RECORD}
    assert reach_of(Actor(user_id=None, kind="anonymous")) is Reach.NOTHING
    for reach in (Reach.OWN_BRANCHES, Reach.OWN_RECORD):
        assert "actor_id" in str(statements_of(agenda_list(reach, frozenset()))[0])
