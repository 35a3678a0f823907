"""The rooms, dental chairs and devices of the branches."""

from typing import Any
from uuid import UUID

import msgspec
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, structs
from sqlalchemy import ColumnElement, select

from domain.errors import NotFoundError
from domain.organisation.branch_scope import in_offered_branches, require_branch
from domain.organisation.models import Room
from domain.organisation.schemas import RoomChanges, RoomFilter, RoomIn, RoomOut
from domain.organisation.search_text import tidy
from domain.paging import Page, PageRequest, fetch_page
from domain.service import RowService
from domain.tables import new_id

_COLUMNS = tuple(getattr(Room, name) for name in RoomOut.__struct_fields__)


class RoomRepository(SQLAlchemyAsyncRepository[Room]):
    """Single rooms."""

    model_type = Room


class RoomService(RowService[Room]):
    """Lists, adds, changes and archives rooms at the branches the actor sees."""

    repository_type = RoomRepository
    entity = "room"

    async def list_rooms(self, wanted: RoomFilter, page: PageRequest) -> Page[RoomOut]:
        """Return one page of the rooms that match, by name."""
        return await fetch_page(
            self.session,
            select(*_COLUMNS).where(self._visible(), *_conditions(wanted)),
            order=[Room.name.expression, Room.id.expression],
            request=page,
            make=lambda row: RoomOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
        )

    async def get_row(self, row_id: UUID) -> Room:
        """Return the room; raise `NotFoundError` when there is none, or none that the actor sees."""
        row = await self.session.scalar(select(Room).where(Room.id == row_id, self._visible()))
        if row is None:
            raise NotFoundError
        return row

    async def get_room(self, room_id: UUID) -> RoomOut:
        """Return one room."""
        return _out(await self.get_row(room_id))

    async def create_room(self, new: RoomIn) -> RoomOut:
        """Add a room; raise `BranchForbiddenError` at a branch where the actor does not work."""
        await require_branch(self.session, self.actor, new.branch_id)
        row = await self.add_row(Room(id=new_id(), **_stored(structs.asdict(new))))
        await self.session.refresh(row)
        return _out(row)

    async def change_room(self, room_id: UUID, changes: RoomChanges, version: int) -> RoomOut:
        """Change a room."""
        values = {k: v for k, v in structs.asdict(changes).items() if v is not UNSET}
        row = await self.get_row(room_id)
        return _out(await self.change_row(row, _stored(values), version=version))

    async def archive_room(self, room_id: UUID, version: int) -> None:
        """Take a room out of use for good; its appointments keep it."""
        await self.archive_row(await self.get_row(room_id), version=version)

    def _visible(self) -> ColumnElement[bool]:
        return Room.archived_at.is_(None) & in_offered_branches(Room.branch_id, self.actor)


def _conditions(wanted: RoomFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.branch_id is not None:
        conditions.append(Room.branch_id == wanted.branch_id)
    if wanted.kind is not None:
        conditions.append(Room.kind == wanted.kind.value)
    if wanted.is_active is not None:
        conditions.append(Room.is_active.is_(wanted.is_active))
    return conditions


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    stored = dict(values)
    if "name" in stored:
        stored["name"] = tidy(stored["name"])
    if "kind" in stored:
        stored["kind"] = stored["kind"].value
    return stored


def _out(row: Room) -> RoomOut:
    return msgspec.convert(row, RoomOut, from_attributes=True)
