"""What the rules of scheduling can refuse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.errors import (
    ClinicError,
    InvalidFieldError,
    InvalidTransitionError,
)


class Conflict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A resource that is taken, and when: ids and times only.

    `appointment_id` is left out where the caller may not see that appointment.
    """

    resource: str
    starts_at: datetime
    ends_at: datetime
    appointment_id: UUID | None = None


class AppointmentConflictError(ClinicError):
    """The time overlaps another appointment of the practitioner, the room or the patient."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(conflicts=list(conflicts))
        self.conflicts = tuple(conflicts)


class StatusChangeError(InvalidTransitionError):
    """The appointment's present status does not allow this change."""

    def __init__(self, status: str, wanted: str) -> None:
        super().__init__(current_status=status, wanted_status=wanted)


class NoShowTooEarlyError(StatusChangeError):
    """The appointment has not begun yet: nobody can have missed it."""


class FinalAppointmentError(InvalidTransitionError):
    """The appointment is completed, cancelled or missed: nothing of it changes any more."""


class TooLateToCancelError(InvalidTransitionError):
    """The appointment is too near to be cancelled without calling the clinic."""


class InvalidTimeError(InvalidFieldError):
    """A time or period is not possible here; `code` says why."""

    def __init__(self, field: str, code: str, **data: Any) -> None:
        super().__init__(f"/{field}", code, type(self).__doc__ or "")
        self.data = data


class NonexistentTimeError(InvalidTimeError):
    """The clocks are put forward over this wall-clock time: it does not exist on that day."""

    def __init__(self, field: str) -> None:
        super().__init__(field, "nonexistent_time")


class OutsideAvailabilityError(InvalidTimeError):
    """The practitioner does not attend at this branch at that time."""

    def __init__(self) -> None:
        super().__init__("starts_at", "outside_availability")


class OverlappingRulesError(InvalidFieldError):
    """Two rules of the practitioner overlap on the same weekday."""

    def __init__(self) -> None:
        super().__init__("/rules", "overlapping_rules", type(self).__doc__ or "")
