"""Patients of a demo clinic: made from a fixed seed, so that the same clinic has the same people at every start."""

import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Final

from faker import Faker
from msgspec import Struct, structs

from app.demo.countries import COUNTRIES
from app.demo.specification import BranchSpec, ClinicSpec
from domain.organisation.identity_documents import Document, make_valid, read_document

REFERENCE_DAY: Final = date(2026, 6, 1)
"""Ages are counted from here, not from today, so that birth dates stay the same."""

AGE_OF_MAJORITY: Final = 18
PARENT_AGE_MIN: Final = 18
DAYS_A_YEAR: Final = 365.25
MINORS_PERCENT: Final = 18
MAIN_BRANCH_PERCENT: Final = 55
SECOND_NAME_PERCENT: Final = 40
LOCAL_FAMILY_NAME_PERCENT: Final = 45
WITH_EMAIL_PERCENT: Final = 70
DO_NOT_CONTACT_PERCENT: Final = 3
DOCUMENT_SERIALS: Final = 5_000_000
DOCUMENTS_MAX: Final = 2_000
HOUSE_NUMBER_MAX: Final = 2400
RELATIONSHIPS: Final = {
    "female": ("madre", "hermana", "hija", "cónyuge"),
    "male": ("padre", "hermano", "hijo", "cónyuge"),
}
EMAIL_DOMAIN: Final = "correo.example"


class Contact(Struct, frozen=True):
    """Whom to call in an emergency."""

    name: str
    relationship: str
    phone: str


class DemoPerson(Struct, frozen=True, kw_only=True):
    """One patient; `guardian` is the index of an adult among the same patients, for minors only."""

    given_names: str
    family_name: str
    second_family_name: str
    sex: str
    birth_date: date
    phone: str
    email: str | None
    street: str
    district: str
    branch: BranchSpec
    document: Document
    contact: Contact
    do_not_contact: bool
    guardian: int | None = None


def make_people(spec: ClinicSpec, count: int) -> tuple[DemoPerson, ...]:
    """Return `count` patients, adults first; the first one lives near the main branch."""
    return _Registrar(spec).make(count)


def make_documents(seed: str, country: str, *, of_minors: bool = False) -> Iterator[Document]:
    """Yield identity documents of people in `country`, all different, the same for the same seed."""
    usual = COUNTRIES[country]
    kind = usual.minor_document_kind if of_minors else usual.document_kind
    chance = Random(f"{seed} {country} {of_minors}")  # noqa: S311  # to be repeated, not to be secret
    for serial in chance.sample(range(DOCUMENT_SERIALS), DOCUMENTS_MAX):
        yield read_document(kind, country, make_valid(kind, country, serial))


class _Registrar:
    """Makes the people of one clinic, one after another; all chance is its own."""

    def __init__(self, spec: ClinicSpec) -> None:
        self._spec = spec
        self._chance = Random(f"{spec.slug} people")  # noqa: S311  # to be repeated, not to be secret
        self._names = {}
        for country in sorted({branch.country for branch in spec.branches}):
            self._names[country] = Faker(COUNTRIES[country].locale)
            self._names[country].seed_instance(f"{spec.slug} {country}")

    def make(self, count: int) -> tuple[DemoPerson, ...]:
        has_minors = self._spec.patient_age_min < AGE_OF_MAJORITY
        minors = count * MINORS_PERCENT // 100 if has_minors else 0
        adults = count - minors
        documents = self._documents(of_minors=False)
        people = [self._adult(index, documents) for index in range(adults)]
        possible_parents = [
            index for index, person in enumerate(people) if self._can_be_parent(person)
        ]
        documents = self._documents(of_minors=True)
        for index in range(adults, count):
            guardian = self._chance.choice(possible_parents)
            people.append(self._minor(index, guardian, people[guardian], documents))
        return tuple(people)

    def _documents(self, *, of_minors: bool) -> dict[str, Iterator[Document]]:
        return {
            country: make_documents(self._spec.slug, country, of_minors=of_minors)
            for country in self._names
        }

    def _adult(self, index: int, documents: dict[str, Iterator[Document]]) -> DemoPerson:
        branch = self._branch(index)
        age_min = max(AGE_OF_MAJORITY, self._spec.patient_age_min)
        return self._person(
            index,
            branch,
            self._birth_date(age_min, self._spec.patient_age_max),
            self._family_name(branch.country),
            next(documents[branch.country]),
        )

    def _minor(
        self,
        index: int,
        guardian: int,
        parent: DemoPerson,
        documents: dict[str, Iterator[Document]],
    ) -> DemoPerson:
        """Return a child of the guardian: same family, address and telephone."""
        child = self._person(
            index,
            parent.branch,
            self._birth_date(self._spec.patient_age_min, AGE_OF_MAJORITY - 1),
            parent.family_name,
            next(documents[parent.branch.country]),
        )
        relationship = "madre" if parent.sex == "female" else "padre"
        return structs.replace(
            child,
            phone=parent.phone,
            email=parent.email,
            street=parent.street,
            district=parent.district,
            contact=Contact(_full_name(parent), relationship, parent.phone),
            guardian=guardian,
        )

    def _person(
        self,
        index: int,
        branch: BranchSpec,
        birth_date: date,
        family_name: str,
        document: Document,
    ) -> DemoPerson:
        sex = "female" if self._happens(self._spec.patients_female_percent) else "male"
        given_names = self._given_names(branch.country, sex)
        street = self._chance.choice(COUNTRIES[branch.country].streets)
        return DemoPerson(
            given_names=given_names,
            family_name=family_name,
            second_family_name=self._family_name(branch.country),
            sex=sex,
            birth_date=birth_date,
            phone=COUNTRIES[branch.country].phone(self._chance),
            email=self._email(index, given_names, family_name),
            street=f"{street} {self._chance.randint(100, HOUSE_NUMBER_MAX)}",
            district=self._chance.choice(branch.districts),
            branch=branch,
            document=document,
            contact=self._contact(branch.country),
            do_not_contact=self._happens(DO_NOT_CONTACT_PERCENT),
        )

    def _branch(self, index: int) -> BranchSpec:
        main, *others = self._spec.branches
        is_main = index == 0 or self._happens(MAIN_BRANCH_PERCENT)
        return main if is_main else self._chance.choice(others)

    def _birth_date(self, age_min: int, age_max: int) -> date:
        """Return the birth date of somebody who was between these ages, in full years, on the reference day."""
        youngest = int(age_min * DAYS_A_YEAR) + 1
        oldest = int((age_max + 1) * DAYS_A_YEAR) - 1
        return REFERENCE_DAY - timedelta(days=self._chance.randint(youngest, oldest))

    def _given_names(self, country: str, sex: str) -> str:
        names = self._names[country]
        given = names.first_name_female if sex == "female" else names.first_name_male
        first, second = given(), given()
        has_second = second != first and self._happens(SECOND_NAME_PERCENT)
        return f"{first} {second}" if has_second else str(first)

    def _family_name(self, country: str) -> str:
        local = COUNTRIES[country].family_names
        if local and self._happens(LOCAL_FAMILY_NAME_PERCENT):
            return self._chance.choice(local)
        return str(self._names[country].last_name())

    def _email(self, index: int, given_names: str, family_name: str) -> str | None:
        if index > 0 and not self._happens(WITH_EMAIL_PERCENT):
            return None
        return f"{ascii_name(given_names)}.{ascii_name(family_name)}{index + 1}@{EMAIL_DOMAIN}"

    def _contact(self, country: str) -> Contact:
        sex = self._chance.choice(("female", "male"))
        name = f"{self._given_names(country, sex)} {self._family_name(country)}"
        return Contact(
            name, self._chance.choice(RELATIONSHIPS[sex]), COUNTRIES[country].phone(self._chance)
        )

    def _can_be_parent(self, person: DemoPerson) -> bool:
        """Whether the person was of age when the oldest child that is made here was born."""
        age = (REFERENCE_DAY - person.birth_date).days / DAYS_A_YEAR
        return age >= AGE_OF_MAJORITY + PARENT_AGE_MIN

    def _happens(self, percent: int) -> bool:
        return self._chance.randrange(100) < percent


def ascii_name(name: str) -> str:
    """Return the first word of a name as it stands in an e-mail address."""
    plain = unicodedata.normalize("NFKD", name.split(maxsplit=1)[0].lower())
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def _full_name(person: DemoPerson) -> str:
    return f"{person.given_names} {person.family_name}"
