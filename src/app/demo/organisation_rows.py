"""The rows of a demo clinic that say who and where: branches, staff, logins, patients."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from app.demo.accounts import Account
from app.demo.agenda import PORTAL_PATIENT
from app.demo.countries import COUNTRIES
from app.demo.identifiers import ClinicIds
from app.demo.people import DemoPerson, make_documents
from app.demo.specification import BranchSpec, ClinicSpec
from auth.passwords import HashScheme
from domain.identity.models import UserAccount, UserRole, UserStatus
from domain.operations.models import DocumentCounter, TenantSetting
from domain.organisation.identity_documents import Document
from domain.organisation.models import (
    Branch,
    BranchMember,
    Patient,
    Person,
    PersonIdentifier,
    Practitioner,
    Room,
    Specialty,
)
from domain.organisation.patients import RECORD_COUNTER
from domain.tables import TenantBase, new_id

Row = dict[str, Any]
Rows = tuple[type[TenantBase], list[Row]]

RECORD_DIGITS: Final = 6
FIRST_PATIENT_DAYS_AGO: Final = 900
CLINIC_DAYS_OLD: Final = 1000


class OrganisationRows:
    """Makes the rows of one clinic from its specification, its logins and its patients."""

    def __init__(
        self,
        spec: ClinicSpec,
        ids: ClinicIds,
        *,
        accounts: Sequence[Account],
        people: Sequence[DemoPerson],
        now: datetime,
    ) -> None:
        self._spec = spec
        self._ids = ids
        self._accounts = accounts
        self._people = people
        self._now = now
        self._founded = {
            "created_at": now - timedelta(days=CLINIC_DAYS_OLD),
            "updated_at": now - timedelta(days=CLINIC_DAYS_OLD),
            "created_by": ids.admin,
            "version": 1,
        }

    def all(self) -> list[Rows]:
        """Return the rows by table, in the order in which they can be inserted."""
        return [
            (Branch, [self._branch(branch) for branch in self._spec.branches]),
            (Room, list(self._rooms())),
            (Specialty, list(self._specialties())),
            (Person, [*self._staff_people(), *self._patient_people()]),
            (PersonIdentifier, [*self._staff_documents(), *self._patient_documents()]),
            (UserAccount, [*self._staff_accounts(), self._portal_account()]),
            (UserRole, list(self._roles())),
            (BranchMember, list(self._members())),
            (Practitioner, list(self._practitioners())),
            (Patient, list(self._patients())),
            (DocumentCounter, [self._record_counter()]),
            (TenantSetting, [self._clinic_settings()]),
        ]

    def _branch(self, branch: BranchSpec) -> Row:
        return {
            **self._founded,
            "id": self._ids.branches[branch.code],
            "name": branch.name,
            "code": branch.code,
            "timezone": branch.timezone,
            "address": {"line": branch.street, "city": branch.city, "country": branch.country},
            "phone": branch.phone,
        }

    def _rooms(self) -> Iterator[Row]:
        for branch in self._spec.branches:
            for room in branch.rooms:
                yield {
                    **self._founded,
                    "id": self._ids.rooms[branch.code, room.name],
                    "branch_id": self._ids.branches[branch.code],
                    "name": room.name,
                    "kind": room.kind,
                }

    def _specialties(self) -> Iterator[Row]:
        for specialty in self._spec.specialties:
            yield {
                **self._founded,
                "id": self._ids.specialties[specialty.code],
                "name": specialty.name,
                "code": specialty.code,
            }

    def _staff_people(self) -> Iterator[Row]:
        chance = Random(f"{self._spec.slug} staff")  # noqa: S311  # to be repeated, not to be secret
        countries = {branch.code: branch.country for branch in self._spec.branches}
        for staff, account, person_id in zip(
            self._spec.staff, self._accounts, self._ids.staff_people, strict=False
        ):
            yield {
                **self._founded,
                "id": person_id,
                "given_names": staff.given_names,
                "family_name": staff.family_name,
                "second_family_name": staff.second_family_name,
                "birth_date": staff.birth_date,
                "sex": staff.sex,
                "phone": COUNTRIES[countries[staff.branches[0]]].phone(chance),
                "email": account.user.username,
                "address": None,
            }

    def _patient_people(self) -> Iterator[Row]:
        for index, person in enumerate(self._people):
            yield {
                **self._registered(index),
                "id": self._ids.people[index],
                "given_names": person.given_names,
                "family_name": person.family_name,
                "second_family_name": person.second_family_name,
                "birth_date": person.birth_date,
                "sex": person.sex,
                "phone": person.phone,
                "email": person.email,
                "address": {
                    "line": person.street,
                    "district": person.district,
                    "city": person.branch.city,
                    "country": person.branch.country,
                },
            }

    def _staff_documents(self) -> Iterator[Row]:
        # The staff come after the patients in the same series, so that nobody shares a number.
        series = make_documents(self._spec.slug, self._spec.country)
        taken = {person.document for person in self._people}
        free = (document for document in series if document not in taken)
        for person_id, document in zip(self._ids.staff_people, free, strict=False):
            yield self._document(person_id, document)

    def _patient_documents(self) -> Iterator[Row]:
        for person_id, person in zip(self._ids.people, self._people, strict=True):
            yield self._document(person_id, person.document)

    def _document(self, person_id: UUID, document: Document) -> Row:
        return {
            "id": new_id(),
            "person_id": person_id,
            "kind": document.kind,
            "country": document.country,
            "value": document.value,
            "is_primary": True,
        }

    def _staff_accounts(self) -> Iterator[Row]:
        for index, staff in enumerate(self._spec.staff):
            yield {
                **self._account(self._accounts[index]),
                "id": self._ids.staff_users[index],
                "first_name": staff.given_names,
                "last_name": f"{staff.family_name} {staff.second_family_name}",
                "person_id": self._ids.staff_people[index],
            }

    def _portal_account(self) -> Row:
        patient = self._people[PORTAL_PATIENT]
        return {
            **self._account(self._accounts[-1]),
            "id": self._ids.portal_user,
            "first_name": patient.given_names,
            "last_name": f"{patient.family_name} {patient.second_family_name}",
            "person_id": self._ids.people[PORTAL_PATIENT],
        }

    def _account(self, account: Account) -> Row:
        return {
            **self._founded,
            "username": account.user.username,
            "email": account.user.username,
            "email_verified_at": self._founded["created_at"],
            "password_hash": account.password_hash,
            "password_scheme": HashScheme.ARGON2ID.value,
            "password_changed_at": self._now,
            "status": UserStatus.ACTIVE.value,
        }

    def _roles(self) -> Iterator[Row]:
        users = [*self._ids.staff_users, self._ids.portal_user]
        for user_id, account in zip(users, self._accounts, strict=True):
            yield {"id": new_id(), "user_id": user_id, "role": account.user.role}

    def _members(self) -> Iterator[Row]:
        for user_id, staff in zip(self._ids.staff_users, self._spec.staff, strict=True):
            for position, code in enumerate(staff.branches):
                yield {
                    "id": new_id(),
                    "branch_id": self._ids.branches[code],
                    "user_id": user_id,
                    "is_default": position == 0,
                }

    def _practitioners(self) -> Iterator[Row]:
        for index, practitioner_id in self._ids.practitioners.items():
            staff = self._spec.staff[index]
            assert staff.specialty is not None
            yield {
                **self._founded,
                "id": practitioner_id,
                "person_id": self._ids.staff_people[index],
                "user_id": self._ids.staff_users[index],
                "license_number": staff.license_number,
                "specialty_id": self._ids.specialties[staff.specialty],
                "experience": staff.experience,
            }

    def _patients(self) -> Iterator[Row]:
        for index, person in enumerate(self._people):
            guardian = None if person.guardian is None else self._ids.people[person.guardian]
            yield {
                **self._registered(index),
                "id": self._ids.patients[index],
                "person_id": self._ids.people[index],
                "user_id": self._ids.portal_user if index == PORTAL_PATIENT else None,
                "record_number": f"{index + 1:0{RECORD_DIGITS}d}",
                "emergency_contact": {
                    "name": person.contact.name,
                    "relationship": person.contact.relationship,
                    "phone": person.contact.phone,
                },
                "guardian_person_id": guardian,
                "do_not_contact": person.do_not_contact,
            }

    def _registered(self, index: int) -> Row:
        """Return when a patient was registered: one after another, from long ago to a month ago."""
        share = index / len(self._people)
        at = self._now - timedelta(days=FIRST_PATIENT_DAYS_AGO * (1 - share) + 30)
        return {**self._founded, "created_at": at, "updated_at": at}

    def _record_counter(self) -> Row:
        return {
            "id": new_id(),
            "kind": RECORD_COUNTER,
            "branch_id": None,
            "prefix": "",
            "next_value": len(self._people) + 1,
        }

    def _clinic_settings(self) -> Row:
        main = self._spec.branches[0]
        return {
            "namespace": "clinic",
            "data": {
                "display_name": self._spec.name,
                "phone": self._spec.phone,
                "email": f"contacto@{self._spec.email_domain}",
                "website": f"https://{self._spec.email_domain}",
                "address": f"{main.street}, {main.city}",
                "appointment_notice": "Llegue diez minutos antes con su documento de identidad.",
            },
            "version": 1,
        }
