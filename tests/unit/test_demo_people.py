"""The people of the demo are the same at every start, and could exist."""

import random
from collections import Counter

import pytest

from app.demo.accounts import demo_users
from app.demo.clinics import DEMO_CLINICS, PATIENTS
from app.demo.people import AGE_OF_MAJORITY, REFERENCE_DAY, DemoPerson, make_people
from app.demo.specification import ClinicSpec
from domain.actor import STAFF_ROLES, Role
from domain.organisation.check_digits import run_check_character
from domain.organisation.identity_documents import read_document
from domain.organisation.phones import E164
from tenancy.tenant import StrategyName

MADE = {spec.slug: make_people(spec, PATIENTS) for spec in DEMO_CLINICS}
"""Made once: what is tested does not change it."""

each_clinic = pytest.mark.parametrize("spec", DEMO_CLINICS, ids=lambda spec: spec.slug)


def age(person: DemoPerson) -> int:
    birthday = (person.birth_date.month, person.birth_date.day)
    had_birthday = birthday <= (REFERENCE_DAY.month, REFERENCE_DAY.day)
    return REFERENCE_DAY.year - person.birth_date.year - (not had_birthday)


def test_each_strategy_has_one_clinic() -> None:
    assert [spec.strategy for spec in DEMO_CLINICS] == list(StrategyName)
    assert Counter(spec.vertical for spec in DEMO_CLINICS) == {"dental": 2, "occupational": 1}


@each_clinic
def test_people_are_the_same_at_every_start(spec: ClinicSpec) -> None:
    shared_state = random.getstate()
    assert make_people(spec, PATIENTS) == MADE[spec.slug]
    assert random.getstate() == shared_state


def test_clinics_have_different_people() -> None:
    documents = [{p.document for p in people} for people in MADE.values()]
    assert len(set.union(*documents)) > 2.9 * PATIENTS


@each_clinic
def test_documents_are_valid_and_nobody_shares_one(spec: ClinicSpec) -> None:
    documents = [person.document for person in MADE[spec.slug]]
    assert len(set(documents)) == PATIENTS
    for document in documents:
        assert read_document(document.kind, document.country, document.value) == document


def test_chilean_numbers_end_in_their_check_digit() -> None:
    people = MADE["minera-abc"]
    runs = [p.document.value for p in people if p.document.kind == "run"]
    assert runs
    assert all(run[-1] == run_check_character(run[:-1]) for run in runs)


@each_clinic
def test_documents_are_of_the_country_where_the_patient_goes(spec: ClinicSpec) -> None:
    people = MADE[spec.slug]
    assert {p.branch.code for p in people} == {branch.code for branch in spec.branches}
    assert all(p.document.country == p.branch.country for p in people)
    assert people[0].document.country == spec.country


@each_clinic
def test_phones_are_e164(spec: ClinicSpec) -> None:
    for person in MADE[spec.slug]:
        assert E164.fullmatch(person.phone)
        assert E164.fullmatch(person.contact.phone)
    for branch in spec.branches:
        assert E164.fullmatch(branch.phone)


@each_clinic
def test_ages_fit_the_clinic(spec: ClinicSpec) -> None:
    ages = [age(person) for person in MADE[spec.slug]]
    assert min(ages) >= spec.patient_age_min
    assert max(ages) <= spec.patient_age_max


@each_clinic
def test_minors_and_only_they_have_an_adult_of_their_family(spec: ClinicSpec) -> None:
    people = MADE[spec.slug]
    for person in people:
        assert (person.guardian is not None) == (age(person) < AGE_OF_MAJORITY)
        if person.guardian is not None:
            guardian = people[person.guardian]
            assert age(guardian) - age(person) >= AGE_OF_MAJORITY
            assert (guardian.family_name, guardian.branch) == (person.family_name, person.branch)


@each_clinic
def test_twelve_people_fill_every_role_of_the_staff(spec: ClinicSpec) -> None:
    assert len(spec.staff) == 12
    assert {staff.role for staff in spec.staff} == STAFF_ROLES
    first_of_role = {staff.role: staff for staff in reversed(spec.staff)}
    every_branch = {branch.code for branch in spec.branches}
    assert all(set(staff.branches) == every_branch for staff in first_of_role.values())


@each_clinic
def test_practitioners_work_where_they_belong_and_offer_something(spec: ClinicSpec) -> None:
    licenses = [staff.license_number for staff in spec.staff if staff.specialty]
    assert len(set(licenses)) == len(licenses) >= 5
    for staff in spec.staff:
        assert bool(staff.shifts) == bool(staff.specialty)
        assert {shift.branch for shift in staff.shifts} <= set(staff.branches)
        if staff.specialty:
            assert [s for s in spec.services if s.specialty == staff.specialty]


@each_clinic
def test_branches_are_in_different_time_zones(spec: ClinicSpec) -> None:
    assert len({branch.timezone for branch in spec.branches}) == len(spec.branches) >= 2


@each_clinic
def test_logins_are_of_every_role_and_keep_known_passwords(spec: ClinicSpec) -> None:
    users = demo_users(spec, {f"admin@{spec.slug}.example": "kept from before"})
    assert {user.role for user in users} == {role.value for role in Role}
    assert len({user.username for user in users}) == len(users) == 13
    assert users[0].password == "kept from before"
    assert len({user.password for user in users}) == 13
    assert all(
        user.password != again.password
        for user, again in zip(users, demo_users(spec, {}), strict=True)
    )
