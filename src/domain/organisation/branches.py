"""The clinic's branches. One active branch at least stays, whoever closes others at the same moment."""

from typing import Any
from uuid import UUID

import msgspec
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UNSET, structs
from sqlalchemy import select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError
from domain.organisation.branch_scope import in_visible_branches
from domain.organisation.errors import LastActiveBranchError
from domain.organisation.json_objects import checked_object
from domain.organisation.models import Branch
from domain.organisation.phones import read_phone
from domain.organisation.schemas import BranchChanges, BranchIn, BranchOut
from domain.organisation.search_text import tidy
from domain.organisation.time_zones import checked_zone
from domain.paging import Page, PageRequest, fetch_page
from domain.service import RowService
from domain.tables import new_id
from tenancy.session import TenantSession

_COLUMNS = tuple(getattr(Branch, name) for name in BranchOut.__struct_fields__)


class BranchRepository(SQLAlchemyAsyncRepository[Branch]):
    """Single branches."""

    model_type = Branch


class BranchService(RowService[Branch]):
    """Lists, opens, changes and closes branches."""

    repository_type = BranchRepository
    entity = "branch"

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def list_branches(self, is_active: bool | None, page: PageRequest) -> Page[BranchOut]:  # noqa: FBT001  # a filter's value
        """Return one page of the branches the actor sees, by name."""
        statement = select(*_COLUMNS).where(
            Branch.archived_at.is_(None), in_visible_branches(Branch.id, self.actor)
        )
        if is_active is not None:
            statement = statement.where(Branch.is_active.is_(is_active))
        return await fetch_page(
            self.session,
            statement,
            order=[Branch.name.expression, Branch.id.expression],
            request=page,
            make=lambda row: BranchOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
        )

    async def get_row(self, row_id: UUID) -> Branch:
        """Return the branch; raise `NotFoundError` when there is none, or none that the actor sees."""
        row = await self.session.scalar(
            select(Branch).where(
                Branch.id == row_id,
                Branch.archived_at.is_(None),
                in_visible_branches(Branch.id, self.actor),
            )
        )
        if row is None:
            raise NotFoundError
        return row

    async def get_branch(self, branch_id: UUID) -> BranchOut:
        """Return one branch."""
        return _out(await self.get_row(branch_id))

    async def create_branch(self, new: BranchIn) -> BranchOut:
        """Open a branch; without a time zone it has the clinic's."""
        values = self._checked(structs.asdict(new))
        values["timezone"] = values["timezone"] or self.clinic.timezone
        row = await self.add_row(Branch(id=new_id(), **values))
        await self.session.refresh(row)
        return _out(row)

    async def change_branch(
        self, branch_id: UUID, changes: BranchChanges, version: int
    ) -> BranchOut:
        """Change a branch; raise `LastActiveBranchError` rather than deactivate the last active one."""
        values = {k: v for k, v in structs.asdict(changes).items() if v is not UNSET}
        if values.get("is_active") is False:
            await self._keep_another_active(branch_id)
        row = await self.get_row(branch_id)
        return _out(await self.change_row(row, self._checked(values), version=version))

    async def archive_branch(self, branch_id: UUID, version: int) -> None:
        """Close a branch for good; raise `LastActiveBranchError` for the last active one."""
        await self._keep_another_active(branch_id)
        row = await self.get_row(branch_id)
        closed = {"archived_at": self.now(), "is_active": False}
        await self.change_row(row, closed, version=version, action="archive")

    async def _keep_another_active(self, branch_id: UUID) -> None:
        """Lock the active branches (FOR NO KEY UPDATE) in one order, then see whether another one is left."""
        active = await self.session.scalars(
            select(Branch.id)
            .where(Branch.is_active, Branch.archived_at.is_(None))
            .order_by(Branch.id)
            .with_for_update(key_share=True)
        )
        if set(active) == {branch_id}:
            raise LastActiveBranchError

    def _checked(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values as they are stored."""
        checked = dict(values)
        for name in ("name", "code"):
            if name in checked:
                checked[name] = tidy(checked[name])
        if checked.get("timezone") is not None:
            checked_zone(checked["timezone"])
        if checked.get("phone") is not None:
            checked["phone"] = read_phone(checked["phone"], self.clinic.country)
        if checked.get("address") is not None:
            checked_object(checked["address"], "/address")
        return checked


def _out(row: Branch) -> BranchOut:
    return msgspec.convert(row, BranchOut, from_attributes=True)
