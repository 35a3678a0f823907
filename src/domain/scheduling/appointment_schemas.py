"""What goes over the wire about appointments."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.scheduling.transitions import AppointmentStatus

ReasonText = Annotated[str, Meta(max_length=1000)]
ShortText = Annotated[str, Meta(min_length=1, max_length=500)]


class ReasonType(StrEnum):
    """Why a patient comes."""

    CONSULTATION = "consultation"
    EMERGENCY = "emergency"
    CONTROL = "control"
    PROCEDURE = "procedure"
    OCCUPATIONAL_EXAM = "occupational_exam"
    OTHER = "other"


class AppointmentSource(StrEnum):
    """By which way an appointment came in."""

    STAFF = "staff"
    PORTAL = "portal"
    API = "api"
    IMPORT = "import"


class AppointmentIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wanted appointment; naive times are on the branch's wall clock.

    `is_overbooked` puts it beside another one on purpose: that takes a permission and a reason.
    """

    patient_id: UUID
    practitioner_id: UUID
    branch_id: UUID
    starts_at: datetime
    ends_at: datetime
    room_id: UUID | None = None
    service_id: UUID | None = None
    reason_type: ReasonType = ReasonType.OTHER
    reason_text: ReasonText = ""
    is_overbooked: bool = False
    overbook_reason: ShortText | None = None


class AppointmentChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an appointment; its time changes by rescheduling alone."""

    room_id: UUID | UnsetType | None = UNSET
    service_id: UUID | UnsetType | None = UNSET
    reason_type: ReasonType | UnsetType = UNSET
    reason_text: ReasonText | UnsetType = UNSET


class RescheduleIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new time, and where it differs the new practitioner and room."""

    starts_at: datetime
    ends_at: datetime
    practitioner_id: UUID | UnsetType = UNSET
    room_id: UUID | UnsetType | None = UNSET
    is_overbooked: bool = False
    overbook_reason: ShortText | None = None
    note: ShortText | None = None


class ActionIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said with a change of status."""

    note: ShortText | None = None


class CancelIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an appointment is cancelled."""

    cancel_reason: ShortText | None = None


class AppointmentOut(Struct, frozen=True):
    """An appointment; its times carry the branch's offset.

    `outside_availability` is told when it is booked: whether the practitioner's hours did not cover it.
    """

    id: UUID
    patient_id: UUID
    practitioner_id: UUID
    branch_id: UUID
    room_id: UUID | None
    service_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    status: AppointmentStatus
    reason_type: ReasonType
    reason_text: str
    is_overbooked: bool
    overbook_reason: str | None
    source: AppointmentSource
    cancel_reason: str | None
    cancelled_at: datetime | None
    arrived_at: datetime | None
    rescheduled_from_id: UUID | None
    created_at: datetime
    updated_at: datetime
    version: int
    outside_availability: bool | UnsetType = UNSET


class AgendaEntry(Struct, frozen=True):
    """One line of the day's agenda, with the names that people read."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    status: AppointmentStatus
    branch_id: UUID
    room_id: UUID | None
    practitioner_id: UUID
    practitioner_name: str
    patient_id: UUID
    patient_name: str
    service_id: UUID | None
    reason_type: ReasonType
    reason_text: str
    is_overbooked: bool
    version: int


class AppointmentFilter(Struct, frozen=True, kw_only=True):
    """Which appointments are looked for: those that start from `since` on and before `until`."""

    practitioner_id: UUID | None = None
    patient_id: UUID | None = None
    branch_id: UUID | None = None
    room_id: UUID | None = None
    statuses: tuple[AppointmentStatus, ...] = ()
    since: str | None = None
    until: str | None = None
