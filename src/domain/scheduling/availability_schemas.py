"""What goes over the wire about opening hours: weekly rules, exceptions, free slots."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.scheduling.slots import ExceptionKind

RULES_MAX = 100
"""Rules of one practitioner at one branch."""

LocalTime = Annotated[
    str,
    Meta(
        pattern="^([01][0-9]|2[0-3]):[0-5][0-9](:00)?$",
        description="Wall-clock time of the branch, `09:00`.",
    ),
]
Reason = Annotated[str, Meta(max_length=500)]


class RuleIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours on one ISO weekday (1 is Monday), valid from today on unless said otherwise; both days included."""

    weekday: Annotated[int, Meta(ge=1, le=7)]
    start_local: LocalTime
    end_local: LocalTime
    valid_from: date | None = None
    valid_to: date | None = None


class ScheduleIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a practitioner's hours at one branch."""

    branch_id: UUID
    rules: Annotated[list[RuleIn], Meta(max_length=RULES_MAX)]


class RuleOut(Struct, frozen=True, kw_only=True):
    """Hours on one ISO weekday (1 is Monday) on the branch's wall clock."""

    id: UUID
    branch_id: UUID
    weekday: int
    start_local: str
    end_local: str
    valid_from: date
    valid_to: date | None


class ScheduleOut(Struct, frozen=True, kw_only=True):
    """A practitioner's weekly hours; `version` is one for all branches and changes with any of them."""

    practitioner_id: UUID
    rules: list[RuleOut]
    version: int


class ExceptionIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period that is closed, or open beyond the weekly hours; naive times are on the branch's wall clock."""

    starts_at: datetime
    ends_at: datetime
    kind: ExceptionKind
    reason: Reason | None = None


class ExceptionChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an exception."""

    starts_at: datetime | UnsetType = UNSET
    ends_at: datetime | UnsetType = UNSET
    kind: ExceptionKind | UnsetType = UNSET
    reason: Reason | UnsetType | None = UNSET


class ExceptionOut(Struct, frozen=True, kw_only=True):
    """A period that is closed or open, of a practitioner or of a whole branch."""

    id: UUID
    practitioner_id: UUID | None
    branch_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    kind: ExceptionKind
    reason: str | None
    created_at: datetime
    updated_at: datetime
    version: int


class SlotOut(Struct, frozen=True, kw_only=True):
    """A time that can be booked, with the branch's offset."""

    starts_at: datetime
    ends_at: datetime


class FreeSlots(Struct, frozen=True, kw_only=True):
    """The free slots of a practitioner at a branch, in order and all on one page."""

    practitioner_id: UUID
    branch_id: UUID
    timezone: str
    duration_min: int
    items: list[SlotOut]
    next_cursor: None = None
