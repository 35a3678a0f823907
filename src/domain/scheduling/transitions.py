"""The life of an appointment: its statuses and the changes between them. The database holds the same table."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from domain.scheduling.errors import NoShowTooEarlyError, StatusChangeError


class AppointmentStatus(StrEnum):
    """Where an appointment stands; a pending one holds its slot like a confirmed one."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


_S = AppointmentStatus

OCCUPYING = (_S.PENDING, _S.CONFIRMED, _S.ARRIVED, _S.IN_PROGRESS)
"""Statuses that take the time of practitioner, room and patient."""

OPEN_TO_CHANGE = frozenset({_S.PENDING, _S.CONFIRMED})
"""Statuses in which an appointment can still be cancelled or rescheduled."""

TRANSITIONS: Mapping[AppointmentStatus, frozenset[AppointmentStatus]] = MappingProxyType(
    {
        _S.PENDING: frozenset({_S.CONFIRMED, _S.ARRIVED, _S.CANCELLED, _S.NO_SHOW}),
        _S.CONFIRMED: frozenset({_S.ARRIVED, _S.CANCELLED, _S.NO_SHOW}),
        _S.ARRIVED: frozenset({_S.IN_PROGRESS}),
        _S.IN_PROGRESS: frozenset({_S.COMPLETED}),
        _S.COMPLETED: frozenset(),
        _S.CANCELLED: frozenset(),
        _S.NO_SHOW: frozenset(),
    }
)
"""Status -> what may follow. Nothing follows a final one: to reactivate is to book anew."""


def is_final(status: AppointmentStatus) -> bool:
    """Whether nothing follows this status."""
    return not TRANSITIONS[status]


def require_transition(
    before: AppointmentStatus, after: AppointmentStatus, *, starts_at: datetime, now: datetime
) -> None:
    """Return if the change is allowed; raise `StatusChangeError` or `NoShowTooEarlyError` if not.

    Nobody can have missed an appointment before it begins.
    """
    if after not in TRANSITIONS[before]:
        raise StatusChangeError(before.value, after.value)
    if after is AppointmentStatus.NO_SHOW and now < starts_at:
        raise NoShowTooEarlyError(before.value, after.value)
