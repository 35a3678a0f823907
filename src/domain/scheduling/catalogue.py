"""The catalogue: what the clinic offers, by category."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from msgspec import UnsetType, structs
from sqlalchemy import ColumnElement, Select, or_, select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import InvalidFieldError, NotFoundError
from domain.organisation.errors import BrokenReferenceError
from domain.paging import Page, PageRequest, fetch_page
from domain.scheduling.catalogue_schemas import (
    CategoryChanges,
    CategoryIn,
    CategoryOut,
    ServiceChanges,
    ServiceFilter,
    ServiceIn,
    ServiceKind,
    ServiceOut,
)
from domain.scheduling.models import Service, ServiceCategory
from domain.service import RowService
from domain.tables import new_id
from tenancy.session import TenantSession

CATEGORY_COLUMNS: Final = tuple(
    getattr(ServiceCategory, name) for name in CategoryOut.__struct_fields__
)
SERVICE_COLUMNS: Final = tuple(getattr(Service, name) for name in ServiceOut.__struct_fields__)
TAX_RATE_STEP: Final = Decimal("0.0001")


class CategoryRepository(SQLAlchemyAsyncRepository[ServiceCategory]):
    """Single categories."""

    model_type = ServiceCategory


class ServiceRepository(SQLAlchemyAsyncRepository[Service]):
    """Single services."""

    model_type = Service


class CategoryService(RowService[ServiceCategory]):
    """Categories of the catalogue; an archived one leaves the list, its services stay."""

    repository_type = CategoryRepository
    entity = "service_category"

    async def list_categories(self, page: PageRequest) -> Page[CategoryOut]:
        """Return one page of the categories by name."""
        return await fetch_page(
            self.session,
            _live_categories(),
            order=[ServiceCategory.name.expression, ServiceCategory.id.expression],
            request=page,
            make=lambda row: CategoryOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
        )

    async def get_category(self, category_id: UUID) -> CategoryOut:
        """Return one category; raise `NotFoundError` if there is none."""
        found = await self.session.execute(
            _live_categories().where(ServiceCategory.id == category_id)
        )
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        return CategoryOut(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name

    async def create_category(self, new: CategoryIn) -> CategoryOut:
        """Add a category."""
        row = await self.add_row(ServiceCategory(id=new_id(), name=new.name))
        return await self.get_category(row.id)

    async def change_category(
        self, category_id: UUID, changes: CategoryChanges, *, version: int
    ) -> CategoryOut:
        """Change the category if it still has `version`."""
        await self.change_row(await self._live(category_id), changes, version=version)
        return await self.get_category(category_id)

    async def archive_category(self, category_id: UUID, *, version: int) -> None:
        """Take the category out of the list if it still has `version`."""
        await self.archive_row(await self._live(category_id), version=version)

    async def _live(self, category_id: UUID) -> ServiceCategory:
        row = await self.get_row(category_id)
        if row.archived_at is not None:
            raise NotFoundError
        return row


class CatalogueService(RowService[Service]):
    """Services of the catalogue; an archived one leaves the list and stays in what refers to it."""

    repository_type = ServiceRepository
    entity = "service"

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def list_services(self, wanted: ServiceFilter, page: PageRequest) -> Page[ServiceOut]:
        """Return one page of the services that match, by name."""
        return await fetch_page(
            self.session,
            _live_services().where(*_conditions(wanted)),
            order=[Service.name.expression, Service.id.expression],
            request=page,
            make=lambda row: ServiceOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
        )

    async def get_service(self, service_id: UUID) -> ServiceOut:
        """Return one service; raise `NotFoundError` if there is none."""
        found = await self.session.execute(_live_services().where(Service.id == service_id))
        row = found.one_or_none()
        if row is None:
            raise NotFoundError
        return ServiceOut(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name

    async def create_service(self, new: ServiceIn) -> ServiceOut:
        """Add a service in the clinic's currency and of its vertical unless said otherwise."""
        await self._check(new.category_id, new.tax_rate)
        values = structs.asdict(new)
        values["currency"] = new.currency or self.clinic.currency
        values["kind"] = new.kind or _kind_of(self.clinic.vertical)
        row = await self.add_row(Service(id=new_id(), **values))
        return await self.get_service(row.id)

    async def change_service(
        self, service_id: UUID, changes: ServiceChanges, *, version: int
    ) -> ServiceOut:
        """Change the service if it still has `version`; what was booked before keeps its length."""
        await self._check(changes.category_id, changes.tax_rate)
        await self.change_row(await self._live(service_id), changes, version=version)
        return await self.get_service(service_id)

    async def archive_service(self, service_id: UUID, *, version: int) -> None:
        """Take the service out of the catalogue if it still has `version`."""
        await self.change_row(
            await self._live(service_id),
            {"archived_at": self.now(), "is_active": False},
            version=version,
            action="archive",
        )

    async def _live(self, service_id: UUID) -> Service:
        row = await self.get_row(service_id)
        if row.archived_at is not None:
            raise NotFoundError
        return row

    async def _check(self, category_id: UUID | UnsetType, tax_rate: Decimal | UnsetType) -> None:
        """Raise `BrokenReferenceError` for a category that is gone, `InvalidFieldError` for a rate beyond 0 to 1."""
        if isinstance(tax_rate, Decimal) and not _is_rate(tax_rate):
            raise InvalidFieldError("/tax_rate", "out_of_range")
        if isinstance(category_id, UUID):
            found = await self.session.scalar(
                select(ServiceCategory.id).where(
                    ServiceCategory.id == category_id, ServiceCategory.archived_at.is_(None)
                )
            )
            if found is None:
                raise BrokenReferenceError("/category_id")


def _live_categories() -> Select[Any]:
    return select(*CATEGORY_COLUMNS).where(ServiceCategory.archived_at.is_(None))


def _live_services() -> Select[Any]:
    return select(*SERVICE_COLUMNS).where(Service.archived_at.is_(None))


def _conditions(wanted: ServiceFilter) -> list[ColumnElement[bool]]:
    equal = {
        Service.category_id: wanted.category_id,
        Service.kind: wanted.kind,
        Service.is_active: wanted.is_active,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if wanted.q:
        conditions.append(
            or_(
                Service.name.icontains(wanted.q, autoescape=True),
                Service.code.icontains(wanted.q, autoescape=True),
            )
        )
    return conditions


def _is_rate(rate: Decimal) -> bool:
    """Whether the rate is a fraction with at most the four decimals that the table keeps."""
    return rate.is_finite() and 0 <= rate < 1 and rate == rate.quantize(TAX_RATE_STEP)


def _kind_of(vertical: str) -> ServiceKind:
    """Return the kind of a service that says none: the clinic's vertical where it has just one."""
    return ServiceKind.OCCUPATIONAL if vertical == "occupational" else ServiceKind.DENTAL
