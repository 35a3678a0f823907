"""People, whatever they are to the clinic: one row for one human being, changed in one place."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from msgspec import UNSET, structs
from sqlalchemy import ColumnElement, func, update

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import InvalidFieldError
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.identifiers import (
    add_identifiers,
    read_identifiers,
    replace_identifiers,
)
from domain.organisation.json_objects import checked_object
from domain.organisation.models import Patient, Person, Practitioner
from domain.organisation.person_schemas import PersonChanges, PersonIn
from domain.organisation.phones import read_phone
from domain.organisation.search_text import tidy
from domain.service import ClinicService
from domain.tables import new_id
from tenancy.session import TenantSession

NAMES: Final = ("given_names", "family_name", "second_family_name")
OWN_FIELDS: Final = (*NAMES, "birth_date", "sex", "phone", "email", "address")


class PersonService(ClinicService):
    """Adds and changes people for the services of patients and practitioners, which leave the audit events."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def add(self, new: PersonIn, pointer: str = "") -> UUID:
        """Add a person with documents; return the id. `pointer` is that of the person in the request.

        Raises `InvalidFieldError`, `InvalidDocumentError`, `DuplicateDocumentError`.
        """
        documents = read_identifiers(new.identifiers, self.clinic.country, f"{pointer}/identifiers")
        values = self._checked(structs.asdict(new), pointer)
        person = Person(id=new_id(), created_by=self.actor.user_id, **values)
        self.session.add(person)
        await self.session.flush()
        if documents:
            await add_identifiers(self.session, person.id, documents, self.actor.user_id)
        return person.id

    async def change(self, person_id: UUID, changes: PersonChanges, pointer: str = "") -> bool:
        """Apply what is set; return whether anything was.

        The person's row is taken first and everybody takes it first, so that changes through a patient and
        through a practitioner queue up.
        """
        given = structs.asdict(changes)
        values = self._checked({k: v for k, v in given.items() if v is not UNSET}, pointer)
        documents = {
            name: read_identifiers(given[name], self.clinic.country, f"{pointer}/{name}")
            for name in ("identifiers", "add_identifiers")
            if given[name] is not UNSET
        }
        if not values and not documents:
            return False
        person = await self.session.get(Person, person_id, with_for_update={"key_share": True})
        if person is None:
            raise BrokenReferenceError(f"{pointer}/person_id")
        for name, value in values.items():
            setattr(person, name, value)
        # Set even if nothing else is: new documents are a change of the person too.
        person.updated_at = self.now()
        person.updated_by = self.actor.user_id
        await self.session.flush()
        author = self.actor.user_id
        if "identifiers" in documents:
            await replace_identifiers(self.session, person_id, documents["identifiers"], author)
        if "add_identifiers" in documents:
            await add_identifiers(self.session, person_id, documents["add_identifiers"], author)
        return True

    async def touch(self, person_id: UUID, *, but: UUID | None = None) -> None:
        """Give everybody who shows this person a new version, as what they show changed.

        These are the practitioner, the patient and the patients whose guardian it is, without `but`.
        """
        is_shown: dict[type[Practitioner | Patient], ColumnElement[bool]] = {
            # Patients first, as a booking holds its rows.
            Patient: (Patient.person_id == person_id) | (Patient.guardian_person_id == person_id),
            Practitioner: Practitioner.person_id == person_id,
        }
        for table, condition in is_shown.items():
            await self.session.execute(
                update(table)
                .where(condition, table.id != but)
                .values(version=table.version + 1, updated_at=func.now())
                .execution_options(synchronize_session=False)
            )

    def _checked(self, given: Mapping[str, Any], pointer: str) -> dict[str, Any]:
        """Return the person's own columns among `given` as they are stored."""
        values = {name: given[name] for name in OWN_FIELDS if name in given}
        for name in NAMES:
            if values.get(name) is not None:
                values[name] = tidy(values[name])
        if values.get("sex") is not None:
            values["sex"] = values["sex"].value
        if values.get("email") is not None:
            values["email"] = values["email"].lower()
        if values.get("phone") is not None:
            values["phone"] = read_phone(values["phone"], self.clinic.country, f"{pointer}/phone")
        if values.get("address") is not None:
            checked_object(values["address"], f"{pointer}/address")
        born = values.get("birth_date")
        if born is not None and born > self.now().astimezone(self.clinic.zone).date():
            raise InvalidFieldError(f"{pointer}/birth_date", "in_the_future")
        return values
