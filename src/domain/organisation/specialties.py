"""What the clinic's practitioners are specialised in."""

from typing import Any
from uuid import UUID

import msgspec
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, structs
from sqlalchemy import func, select, update

from domain.errors import NotFoundError
from domain.organisation.models import Practitioner, Specialty
from domain.organisation.schemas import SpecialtyChanges, SpecialtyIn, SpecialtyOut
from domain.organisation.search_text import tidy
from domain.paging import Page, PageRequest, fetch_page
from domain.service import RowService
from domain.tables import new_id

_COLUMNS = tuple(getattr(Specialty, name) for name in SpecialtyOut.__struct_fields__)


class SpecialtyRepository(SQLAlchemyAsyncRepository[Specialty]):
    """Single specialties."""

    model_type = Specialty


class SpecialtyService(RowService[Specialty]):
    """Lists, adds, changes and archives specialties."""

    repository_type = SpecialtyRepository
    entity = "specialty"

    async def list_specialties(self, page: PageRequest) -> Page[SpecialtyOut]:
        """Return one page of specialties, by name."""
        return await fetch_page(
            self.session,
            select(*_COLUMNS).where(Specialty.archived_at.is_(None)),
            order=[Specialty.name.expression, Specialty.id.expression],
            request=page,
            make=lambda row: SpecialtyOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
        )

    async def get_row(self, row_id: UUID) -> Specialty:
        """Return the specialty; raise `NotFoundError` when there is none, or it was archived."""
        row = await super().get_row(row_id)
        if row.archived_at is not None:
            raise NotFoundError
        return row

    async def get_specialty(self, specialty_id: UUID) -> SpecialtyOut:
        """Return one specialty."""
        return _out(await self.get_row(specialty_id))

    async def create_specialty(self, new: SpecialtyIn) -> SpecialtyOut:
        """Add a specialty; its name is unique in the clinic."""
        row = await self.add_row(Specialty(id=new_id(), **_stored(structs.asdict(new))))
        await self.session.refresh(row)
        return _out(row)

    async def change_specialty(
        self, specialty_id: UUID, changes: SpecialtyChanges, version: int
    ) -> SpecialtyOut:
        """Change a specialty."""
        values = {k: v for k, v in structs.asdict(changes).items() if v is not UNSET}
        row = await self.get_row(specialty_id)
        shown = _out(await self.change_row(row, _stored(values), version=version))
        await self._touch_practitioners(specialty_id)
        return shown

    async def archive_specialty(self, specialty_id: UUID, version: int) -> None:
        """Take a specialty from the lists; practitioners who have it keep it."""
        await self.archive_row(await self.get_row(specialty_id), version=version)

    async def _touch_practitioners(self, specialty_id: UUID) -> None:
        """Give the practitioners who show this specialty's name a new version."""
        await self.session.execute(
            update(Practitioner)
            .where(Practitioner.specialty_id == specialty_id)
            .values(version=Practitioner.version + 1, updated_at=func.now())
            .execution_options(synchronize_session=False)
        )


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tidy(value) for name, value in values.items()}


def _out(row: Specialty) -> SpecialtyOut:
    return msgspec.convert(row, SpecialtyOut, from_attributes=True)
