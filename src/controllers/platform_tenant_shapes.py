"""The shapes in which operators see and write clinics."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from tenancy.platform import TenantRecord
from tenancy.tenant import Placement, StrategyName, TenantStatus

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Slug = Annotated[str, Meta(min_length=1, max_length=40)]
Email = Annotated[str, Meta(min_length=3, max_length=254)]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
Country = Annotated[str, Meta(pattern="^[A-Za-z]{2}$", description="ISO 3166-1 alpha-2.")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217.")]
Zone = Annotated[str, Meta(min_length=1, max_length=64, description="IANA time zone.")]
Phone = Annotated[str, Meta(max_length=32)]
Description = Annotated[str, Meta(max_length=2000)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Vertical = Literal["dental", "occupational", "mixed"]
Language = Literal["es", "en"]


class TenantIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clinic to be made; what is left out comes from its country, its plan and the emptiest server."""

    name: Name
    slug: Slug
    admin_email: Email
    admin_password: Password | None = None
    vertical: Vertical = "dental"
    country: Country = "PE"
    timezone: Zone | None = None
    currency: Currency | None = None
    language: Language = "es"
    plan: Code = "prueba"
    strategy: StrategyName | None = None
    server: Code | None = None
    description: Description | None = None
    phone: Phone | None = None
    legacy_id: Code | None = None
    listed_in_suggestions: bool = True


class TenantChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may change of a clinic."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    vertical: Vertical | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    admin_email: Email | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    backup_schedule: Code | UnsetType | None = UNSET
    listed_in_suggestions: bool | UnsetType = UNSET


class PlacementOut(Struct, frozen=True, kw_only=True):
    """Where the registry believes a clinic's home to be; the home itself is the truth."""

    strategy: StrategyName
    server: str
    database: str
    schema: str
    epoch: int


class TenantOut(Struct, frozen=True, kw_only=True):
    """A clinic as operators see it."""

    id: UUID
    slug: str
    name: str
    description: str | None
    vertical: str
    country: str
    timezone: str
    currency: str
    language: str
    admin_email: str
    phone: str | None
    plan: str
    status: TenantStatus
    status_changed_at: datetime
    backup_schedule: str | None
    listed_in_suggestions: bool
    legacy_id: str | None
    hostnames: list[str]
    placement: PlacementOut | None
    created_at: datetime
    updated_at: datetime
    version: int


class FirstAdminOut(Struct, frozen=True, kw_only=True):
    """The first administrator; `temporary_password` is null when the caller chose the password, and in repeats."""

    email: str
    temporary_password: str | None


class CreatedTenantOut(TenantOut, frozen=True, kw_only=True):
    """A new clinic and its first administrator."""

    admin: FirstAdminOut


def shown_placement(placement: Placement) -> PlacementOut:
    """Return the placement as operators see it."""
    return PlacementOut(
        strategy=placement.strategy,
        server=placement.home.server,
        database=placement.home.database,
        schema=placement.home.schema,
        epoch=placement.epoch,
    )


def shown(record: TenantRecord) -> TenantOut:
    """Return the clinic as operators see it."""
    values = {name: getattr(record, name) for name in TenantOut.__struct_fields__}
    values["hostnames"] = list(record.hostnames)
    values["placement"] = None if record.placement is None else shown_placement(record.placement)
    return TenantOut(**values)


def without_password(made: Any) -> Any:
    """Return what was answered for a new clinic without the password that was made up: it is shown once and not kept."""
    return structs.replace(made, admin=structs.replace(made.admin, temporary_password=None))
