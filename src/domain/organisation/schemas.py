"""What goes in and out about branches, their members, rooms and specialties."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.organisation.models import RoomKind

NO_CONTROL = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"

Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=NO_CONTROL)]
ShortLabel = Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_CONTROL)]
ZoneName = Annotated[
    str, Meta(min_length=1, max_length=64, description="An IANA zone such as `America/Lima`.")
]
Phone = Annotated[
    str,
    Meta(
        min_length=5,
        max_length=32,
        description="E.164; a number without a country's code is one of the clinic's country.",
    ),
]
ObjectKey = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Address = Annotated[
    dict[ObjectKey, Any],
    Meta(
        max_length=30,
        description="Free members; `line`, `district`, `city`, `region`, `postal_code`, `country` are the usual ones.",
    ),
]


class BranchOut(Struct, frozen=True, kw_only=True):
    """One branch (sede)."""

    id: UUID
    name: str
    code: str
    timezone: str
    address: dict[str, Any] | None
    phone: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class BranchIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new branch; without `timezone` it has the clinic's."""

    name: Label
    code: ShortLabel
    timezone: ZoneName | None = None
    address: Address | None = None
    phone: Phone | None = None
    is_active: bool = True


class BranchChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a branch."""

    name: Label | UnsetType = UNSET
    code: ShortLabel | UnsetType = UNSET
    timezone: ZoneName | UnsetType = UNSET
    address: Address | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class BranchMemberOut(Struct, frozen=True, kw_only=True):
    """A user who works at the branch."""

    branch_id: UUID
    user_id: UUID
    username: str
    first_name: str
    last_name: str
    is_default: bool
    created_at: datetime


class BranchMemberIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a user works at the branch; each user has one default branch at most."""

    is_default: bool = False


class RoomOut(Struct, frozen=True, kw_only=True):
    """One room, chair or device."""

    id: UUID
    branch_id: UUID
    name: str
    kind: RoomKind
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class RoomIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new room; it stays at its branch."""

    branch_id: UUID
    name: Label
    kind: RoomKind = RoomKind.ROOM
    is_active: bool = True


class RoomChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a room."""

    name: Label | UnsetType = UNSET
    kind: RoomKind | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class RoomFilter(Struct, frozen=True, kw_only=True):
    """Which rooms a list shows."""

    branch_id: UUID | None = None
    kind: RoomKind | None = None
    is_active: bool | None = None


class SpecialtyOut(Struct, frozen=True, kw_only=True):
    """One specialty."""

    id: UUID
    name: str
    code: str
    created_at: datetime
    updated_at: datetime
    version: int


class SpecialtyIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new specialty."""

    name: ShortLabel
    code: ShortLabel


class SpecialtyChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a specialty."""

    name: ShortLabel | UnsetType = UNSET
    code: ShortLabel | UnsetType = UNSET
