"""What goes over the wire about the catalogue: categories and services."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

PRICE_MINOR_MAX = 10**15

CategoryName = Annotated[str, Meta(min_length=1, max_length=100)]
ServiceCode = Annotated[str, Meta(min_length=1, max_length=20)]
ServiceName = Annotated[str, Meta(min_length=1, max_length=200)]
PriceMinor = Annotated[int, Meta(ge=0, le=PRICE_MINOR_MAX)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
DurationMin = Annotated[int, Meta(ge=5, le=480)]


class ToothScope(StrEnum):
    """What of the mouth a service is done to."""

    NONE = "none"
    TOOTH = "tooth"
    SURFACE = "surface"
    SPAN = "span"
    MOUTH = "mouth"


class ServiceKind(StrEnum):
    """Which side of the clinic offers a service."""

    DENTAL = "dental"
    MEDICAL = "medical"
    OCCUPATIONAL = "occupational"


class CategoryIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new category."""

    name: CategoryName


class CategoryChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a category."""

    name: CategoryName | UnsetType = UNSET


class CategoryOut(Struct, frozen=True, kw_only=True):
    """A category of services."""

    id: UUID
    name: str
    created_at: datetime
    updated_at: datetime
    version: int


class ServiceIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new service. The price is in minor units of its currency, the clinic's own unless named.

    `tax_rate` is a fraction: 0.18 for 18 %.
    """

    category_id: UUID
    code: ServiceCode
    name: ServiceName
    duration_min: DurationMin
    base_price_minor: PriceMinor = 0
    currency: Currency | None = None
    tooth_scope: ToothScope = ToothScope.NONE
    kind: ServiceKind | None = None
    tax_rate: Decimal = Decimal(0)
    is_active: bool = True


class ServiceChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a service."""

    category_id: UUID | UnsetType = UNSET
    code: ServiceCode | UnsetType = UNSET
    name: ServiceName | UnsetType = UNSET
    duration_min: DurationMin | UnsetType = UNSET
    base_price_minor: PriceMinor | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    tooth_scope: ToothScope | UnsetType = UNSET
    kind: ServiceKind | UnsetType = UNSET
    tax_rate: Decimal | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class ServiceOut(Struct, frozen=True, kw_only=True):
    """A service of the catalogue."""

    id: UUID
    category_id: UUID
    code: str
    name: str
    base_price_minor: int
    currency: str
    duration_min: int
    tooth_scope: ToothScope
    kind: ServiceKind
    tax_rate: Decimal
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class ServiceFilter(Struct, frozen=True, kw_only=True):
    """Which services are looked for; `q` is part of name or code."""

    q: str | None = None
    category_id: UUID | None = None
    kind: ServiceKind | None = None
    is_active: bool | None = None
