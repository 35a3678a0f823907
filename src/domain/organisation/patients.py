"""The clinic's patients: found, registered, changed, archived. All staff see all of them, a portal user only their own row."""

from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET
from sqlalchemy import ColumnElement, Row, Select, bindparam, select
from sqlalchemy.orm import aliased

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import InvalidFieldError, NotFoundError, StaleVersionError
from domain.operations.counters import next_number
from domain.organisation.branch_scope import Reach, own_patients, patients_within, reach_of
from domain.organisation.errors import PatientMergedError
from domain.organisation.identifiers import identifiers_of
from domain.organisation.json_objects import checked_object
from domain.organisation.models import (
    Patient,
    PatientStatus,
    Person,
    PersonIdentifier,
)
from domain.organisation.patient_schemas import PatientChanges, PatientFilter, PatientIn
from domain.organisation.people import OWN_FIELDS, PersonService
from domain.organisation.people_search import has_document, matches
from domain.organisation.person_schemas import (
    DocumentListed,
    GuardianOut,
    IdentifierOut,
    PatientListed,
    PatientOut,
    PersonChanges,
    PersonIn,
)
from domain.paging import Page, PageRequest, fetch_page
from domain.prepared_lists import FORMS_MAX, PreparedList
from domain.service import RowService
from domain.tables import new_id
from tenancy.session import TenantSession

RECORD_COUNTER: Final = "patient_record"
GUARDIAN: Final = "guardian_"
NOBODY: Final = PatientIn()
OF_PERSON: Final = (*OWN_FIELDS, "identifiers")

_Guardian = aliased(Person)

_LISTED = (
    *(getattr(Patient, name) for name in ("id", "person_id", "record_number", "status")),
    *(getattr(Person, name) for name in OWN_FIELDS[:6]),
    *(getattr(Patient, name) for name in ("created_at", "updated_at", "version")),
    *(getattr(PersonIdentifier, name) for name in DocumentListed.__struct_fields__),
)
_ORDER = (Patient.id.expression,)
_SHOWN = (
    *(
        getattr(Patient, name)
        for name in PatientOut.__struct_fields__
        if name not in {*OWN_FIELDS, "identifiers", "guardian"}
    ),
    *(getattr(Person, name) for name in OWN_FIELDS),
    *(getattr(_Guardian, name).label(GUARDIAN + name) for name in GuardianOut.__struct_fields__),
)


class PatientRepository(SQLAlchemyAsyncRepository[Patient]):
    """Single patients."""

    model_type = Patient


class PatientService(RowService[Patient]):
    """Lists, registers, changes and archives patients."""

    repository_type = PatientRepository
    entity = "patient"

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.people = PersonService(session, actor, clinic, clock)

    async def list_patients(self, wanted: PatientFilter, page: PageRequest) -> Page[PatientListed]:
        """Return one page of the patients that match, the newest first."""
        if not wanted.q and not wanted.document:
            values: dict[str, Any] = {"status": wanted.status.value, "actor_id": self.actor.user_id}
            if wanted.birth_date is not None:
                values["birth_date"] = wanted.birth_date
            form = _patient_list(reach_of(self.actor), by_birth_date=wanted.birth_date is not None)
            return await form.fetch(self.session, values, page, _listed)
        return await fetch_page(
            self.session,
            _found().where(*self._visible(), *await self._conditions(wanted)),
            order=_ORDER,
            request=page,
            make=_listed,
            descending=True,
        )

    async def read_patient(self, patient_id: UUID) -> PatientOut:
        """Return one patient and leave an audit event of the reading."""
        shown = await self.show_patient(patient_id)
        await self.audit("read", self.entity, patient_id)
        return shown

    async def show_patient(self, patient_id: UUID) -> PatientOut:
        """Return one patient; raise `NotFoundError` when there is none, or none that the actor sees."""
        found = await self.session.execute(
            _joined().where(Patient.id == patient_id, *self._visible())
        )
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        return _shown(row, await identifiers_of(self.session, row.person_id))

    async def create_patient(self, new: PatientIn) -> PatientOut:
        """Register a patient under the next record number, and the person unless they are known.

        Raises `InvalidFieldError`, `InvalidDocumentError`, `DuplicateDocumentError`.
        """
        person_id = await self._person(new)
        values = {
            "user_id": new.user_id,
            "emergency_contact": new.emergency_contact,
            "do_not_contact": new.do_not_contact,
            "guardian_person_id": await self._guardian(new.guardian_person_id, new.guardian),
        }
        _check(values, person_id)
        # Last before the row: the counter is locked from here to the end of the transaction.
        record_number = await next_number(self.session, RECORD_COUNTER)
        patient_id = new_id()
        await self.add_row(
            Patient(id=patient_id, person_id=person_id, record_number=record_number, **values)
        )
        return await self.show_patient(patient_id)

    async def change_patient(
        self, patient_id: UUID, changes: PatientChanges, version: int
    ) -> PatientOut:
        """Change a patient and the person; raise `PatientMergedError` for one who was merged."""
        row = await self._get_at(patient_id, version)
        values = {
            name: value
            for name in ("emergency_contact", "user_id", "do_not_contact", "guardian_person_id")
            if (value := getattr(changes, name)) is not UNSET
        }
        if changes.guardian is not UNSET:
            known = values.get("guardian_person_id")
            values["guardian_person_id"] = await self._guardian(known, changes.guardian)
        _check(values, row.person_id)
        if changes.status is not UNSET and changes.status != row.status:
            is_archived = changes.status == "archived"
            values |= {"status": changes.status, "archived_at": self.now() if is_archived else None}
        own = {name: getattr(changes, name) for name in PersonChanges.__struct_fields__}
        if await self.people.change(row.person_id, PersonChanges(**own)):
            await self.people.touch(row.person_id, but=row.id)
            values["updated_at"] = self.now()
        await self.change_row(row, values, version=version)
        return await self.show_patient(patient_id)

    async def archive_patient(self, patient_id: UUID, version: int) -> None:
        """Take a patient from the lists; the record stays and can be brought back."""
        archived = {"status": PatientStatus.ARCHIVED.value, "archived_at": self.now()}
        row = await self._get_at(patient_id, version)
        if row.status != PatientStatus.ARCHIVED:
            await self.change_row(row, archived, version=version, action="archive")

    async def get_row(self, row_id: UUID) -> Patient:
        """Return the patient for a change; raise `NotFoundError`, or `PatientMergedError` for a merged one."""
        row = await self.session.scalar(
            select(Patient).where(Patient.id == row_id, *self._visible())
        )
        if row is None:
            raise NotFoundError
        if row.status == PatientStatus.MERGED:
            raise PatientMergedError(row.merged_into_id)
        return row

    async def _get_at(self, patient_id: UUID, version: int) -> Patient:
        """Return the patient at the version that the caller read, before anything else is changed for it."""
        row = await self.get_row(patient_id)
        if row.version != version:
            raise StaleVersionError(row.version)
        return row

    async def _person(self, new: PatientIn) -> UUID:
        if new.person_id is None:
            return await self.people.add(_person_in(new))
        if any(getattr(new, name) != getattr(NOBODY, name) for name in OF_PERSON):
            raise InvalidFieldError("/person_id", "ambiguous")
        return new.person_id

    async def _guardian(self, known: UUID | None, new: PersonIn | None) -> UUID | None:
        if new is None:
            return known
        if known is not None:
            raise InvalidFieldError("/guardian", "ambiguous")
        return await self.people.add(new, "/guardian")

    def _visible(self) -> list[ColumnElement[bool]]:
        own = own_patients(self.actor)
        return [] if own is None else [Patient.id.in_(own)]

    async def _conditions(self, wanted: PatientFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = [Patient.status == wanted.status.value]
        if wanted.q:
            conditions += await matches(self.session, Patient.person_id, wanted.q)
        if wanted.document:
            conditions.append(has_document(Patient.person_id, wanted.document))
        if wanted.birth_date is not None:
            born = select(Person.id).where(Person.birth_date == wanted.birth_date)
            conditions.append(Patient.person_id.in_(born))
        return conditions


@lru_cache(FORMS_MAX)
def _patient_list(reach: Reach, *, by_birth_date: bool) -> PreparedList:
    """Return the list of patients who are not searched for."""
    statement = _found().where(Patient.status == bindparam("status"))
    own = patients_within(reach, bindparam("actor_id"))
    if own is not None:
        statement = statement.where(Patient.id.in_(own))
    if by_birth_date:
        statement = statement.where(Person.birth_date == bindparam("birth_date"))
    return PreparedList(statement, order=_ORDER, descending=True)


def _found() -> Select[*tuple[Any, ...]]:
    return (
        select(*_LISTED)
        .select_from(Patient)
        .join(Patient.person)
        .outerjoin(Person.identifiers.and_(PersonIdentifier.is_primary))
    )


def _joined() -> Select[*tuple[Any, ...]]:
    return (
        select(*_SHOWN)
        .select_from(Patient)
        .join(Patient.person)
        .outerjoin(Patient.guardian.of_type(_Guardian))
    )


def _person_in(new: PatientIn) -> PersonIn:
    """Return the person's own fields; raise `InvalidFieldError` when a name is missing."""
    fields = {name: getattr(new, name) for name in OF_PERSON}
    for name in ("given_names", "family_name"):
        if fields[name] is None:
            raise InvalidFieldError(f"/{name}", "required")
    return PersonIn(**fields)


def _check(values: dict[str, Any], person_id: UUID) -> None:
    if values.get("emergency_contact") is not None:
        checked_object(values["emergency_contact"], "/emergency_contact")
    if values.get("guardian_person_id") == person_id:
        raise InvalidFieldError("/guardian_person_id", "invalid")


def _listed(row: Row[Any]) -> PatientListed:
    fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name
    document = {name: fields.pop(name) for name in DocumentListed.__struct_fields__}
    shown = DocumentListed(**document) if document["value"] is not None else None
    return PatientListed(document=shown, **fields)


def _shown(row: Row[Any], identifiers: list[IdentifierOut]) -> PatientOut:
    fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name
    guardian = {name: fields.pop(GUARDIAN + name) for name in GuardianOut.__struct_fields__}
    known = fields["guardian_person_id"] is not None
    return PatientOut(
        guardian=GuardianOut(**guardian) if known else None, identifiers=identifiers, **fields
    )
