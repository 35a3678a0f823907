"""Those who treat patients: who they are, what they are specialised in, where they work."""

from typing import Any
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, structs
from sqlalchemy import ColumnElement, Row, Select, select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import InvalidFieldError, NotFoundError, StaleVersionError
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.identifiers import identifiers_of
from domain.organisation.models import Person, Practitioner, Specialty
from domain.organisation.people import OWN_FIELDS, PersonService
from domain.organisation.people_search import matches
from domain.organisation.person_schemas import (
    PersonName,
    PersonOut,
    PractitionerChanges,
    PractitionerFilter,
    PractitionerIn,
    PractitionerListed,
    PractitionerOut,
)
from domain.organisation.workplaces import is_offered, works_at
from domain.paging import Page, PageRequest, fetch_page
from domain.service import RowService
from domain.tables import new_id
from tenancy.session import TenantSession

_JOINED = {"person", "specialty_name"}
_LISTED = tuple(
    getattr(Practitioner, name)
    for name in PractitionerListed.__struct_fields__
    if name not in _JOINED
)
_NAMES = tuple(getattr(Person, name) for name in PersonName.__struct_fields__)
_OWN = tuple(getattr(Person, name) for name in OWN_FIELDS)


class PractitionerRepository(SQLAlchemyAsyncRepository[Practitioner]):
    """Single practitioners."""

    model_type = Practitioner


class PractitionerService(RowService[Practitioner]):
    """Lists, adds, changes and archives the practitioners whom the actor sees."""

    repository_type = PractitionerRepository
    entity = "practitioner"

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.people = PersonService(session, actor, clinic, clock)

    async def list_practitioners(
        self, wanted: PractitionerFilter, page: PageRequest
    ) -> Page[PractitionerListed]:
        """Return one page of the practitioners that match, by family name."""
        return await fetch_page(
            self.session,
            _joined(*_LISTED, *_NAMES).where(*self._visible(), *await self._conditions(wanted)),
            order=[Person.family_name.expression, Practitioner.id.expression],
            request=page,
            make=_listed,
        )

    async def get_practitioner(self, practitioner_id: UUID) -> PractitionerOut:
        """Return one practitioner; a portal user gets no more of the person than the names."""
        found = await self.session.execute(
            _joined(*_LISTED, Practitioner.experience, *_OWN).where(
                Practitioner.id == practitioner_id, *self._visible()
            )
        )
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name
        own = {name: fields.pop(name) for name in OWN_FIELDS}
        if self.actor.is_patient_only:
            own = {name: own[name] for name in PersonName.__struct_fields__}
        else:
            own["identifiers"] = await identifiers_of(self.session, fields["person_id"])
        return PractitionerOut(person=PersonOut(**own), **fields)

    async def create_practitioner(self, new: PractitionerIn) -> PractitionerOut:
        """Add a practitioner, and the person unless the clinic knows them by `person_id`.

        Raises `InvalidFieldError` unless exactly one of the two is given.
        """
        if (new.person is None) == (new.person_id is None):
            raise InvalidFieldError("/person", "required" if new.person is None else "ambiguous")
        await self._require_specialty(new.specialty_id)
        values = structs.asdict(new)
        person = values.pop("person")
        if person is not None:
            values["person_id"] = await self.people.add(person, "/person")
        row = await self.add_row(Practitioner(id=new_id(), **values))
        return await self.get_practitioner(row.id)

    async def change_practitioner(
        self, practitioner_id: UUID, changes: PractitionerChanges, version: int
    ) -> PractitionerOut:
        """Change a practitioner, and the person as far as `person` says."""
        values = {k: v for k, v in structs.asdict(changes).items() if v is not UNSET}
        person = values.pop("person", None)
        row = await self.get_row(practitioner_id)
        if row.version != version:
            raise StaleVersionError(row.version)
        await self._require_specialty(values.get("specialty_id"))
        if person is not None and await self.people.change(row.person_id, person, "/person"):
            await self.people.touch(row.person_id, but=row.id)
            values["updated_at"] = self.now()
        await self.change_row(row, values, version=version)
        return await self.get_practitioner(practitioner_id)

    async def archive_practitioner(self, practitioner_id: UUID, version: int) -> None:
        """Let a practitioner leave the clinic: what they did stays theirs."""
        row = await self.get_row(practitioner_id)
        left = {"archived_at": self.now(), "is_active": False}
        await self.change_row(row, left, version=version, action="archive")

    async def get_row(self, row_id: UUID) -> Practitioner:
        """Return the practitioner; raise `NotFoundError` when there is none, or none that the actor sees."""
        row = await self.session.scalar(
            select(Practitioner).where(Practitioner.id == row_id, *self._visible())
        )
        if row is None:
            raise NotFoundError
        return row

    async def _require_specialty(self, specialty_id: UUID | None) -> None:
        if specialty_id is None:
            return
        found = await self.session.scalar(
            select(Specialty.id).where(
                Specialty.id == specialty_id, Specialty.archived_at.is_(None)
            )
        )
        if found is None:
            raise BrokenReferenceError("/specialty_id")

    def _visible(self) -> list[ColumnElement[bool]]:
        conditions = [Practitioner.archived_at.is_(None), is_offered(self.actor)]
        if self.actor.is_patient_only:
            conditions.append(Practitioner.is_active.is_(True))
        return conditions

    async def _conditions(self, wanted: PractitionerFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if wanted.branch_id is not None:
            conditions.append(works_at(wanted.branch_id, self.actor))
        if wanted.specialty_id is not None:
            conditions.append(Practitioner.specialty_id == wanted.specialty_id)
        if wanted.is_active is not None:
            conditions.append(Practitioner.is_active.is_(wanted.is_active))
        if wanted.q:
            is_portal = self.actor.is_patient_only
            conditions += await matches(
                self.session, Practitioner.person_id, wanted.q, names_only=is_portal
            )
        return conditions


def _joined(*columns: Any) -> Select[*tuple[Any, ...]]:
    return (
        select(*columns, Specialty.name.label("specialty_name"))
        .select_from(Practitioner)
        .join(Practitioner.person)
        .outerjoin(Practitioner.specialty)
    )


def _listed(row: Row[Any]) -> PractitionerListed:
    fields = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name
    names = {name: fields.pop(name) for name in PersonName.__struct_fields__}
    return PractitionerListed(person=PersonName(**names), **fields)
