"""What has become of a demo appointment by now, and the way it went there, as the status machine allows."""

from datetime import datetime, timedelta
from random import Random
from typing import Final

from msgspec import Struct

from domain.scheduling.calendar import Period
from domain.scheduling.transitions import AppointmentStatus

ARRIVAL: Final = timedelta(minutes=10)
"""How long before the appointment a patient arrives."""

NEAR: Final = timedelta(days=5)
"""Appointments nearer than this are mostly confirmed."""

BOOKED_DAYS_BEFORE_MAX: Final = 20
BOOKED_HOURS_AGO_MAX: Final = 72

COMPLETED_PERCENT: Final = 82
NO_SHOW_PERCENT: Final = 8
CANCELLED_AHEAD_PERCENT: Final = 4
CONFIRMED_NEAR_PERCENT: Final = 75
CONFIRMED_FAR_PERCENT: Final = 30

_S = AppointmentStatus


class Change(Struct, frozen=True):
    """The status an appointment got, and when."""

    status: AppointmentStatus
    at: datetime


def status_by_now(chance: Random, period: Period, now: datetime) -> AppointmentStatus:
    """Return a plausible status at `now`: what is over has an end, what is to come is pending or confirmed."""
    percent = chance.randrange(100)
    if period.ends_at <= now:
        if percent < COMPLETED_PERCENT:
            return _S.COMPLETED
        return _S.NO_SHOW if percent < COMPLETED_PERCENT + NO_SHOW_PERCENT else _S.CANCELLED
    if period.starts_at <= now:
        return _S.IN_PROGRESS
    if period.starts_at - ARRIVAL <= now:
        return _S.ARRIVED
    if percent >= 100 - CANCELLED_AHEAD_PERCENT:
        return _S.CANCELLED
    is_near = period.starts_at - now <= NEAR
    confirmed = CONFIRMED_NEAR_PERCENT if is_near else CONFIRMED_FAR_PERCENT
    return _S.CONFIRMED if percent < confirmed else _S.PENDING


def changes_up_to(
    chance: Random, status: AppointmentStatus, period: Period, now: datetime
) -> tuple[Change, ...]:
    """Return the changes from the booking to `status`, in order and none of them after `now`."""
    latest = min(period.starts_at - ARRIVAL, now)
    booked_at = latest - timedelta(
        days=chance.randint(0, BOOKED_DAYS_BEFORE_MAX),
        hours=chance.randint(1, BOOKED_HOURS_AGO_MAX),
    )
    halfway = booked_at + (latest - booked_at) / 2
    changes = [Change(_S.PENDING, booked_at)]
    if status is _S.PENDING:
        return tuple(changes)
    if status is _S.CANCELLED:
        return (*changes, Change(status, halfway))
    changes.append(Change(_S.CONFIRMED, halfway))
    if status is _S.NO_SHOW:
        changes.append(Change(status, period.ends_at))
    if status in {_S.ARRIVED, _S.IN_PROGRESS, _S.COMPLETED}:
        changes.append(Change(_S.ARRIVED, period.starts_at - ARRIVAL))
    if status in {_S.IN_PROGRESS, _S.COMPLETED}:
        changes.append(Change(_S.IN_PROGRESS, period.starts_at))
    if status is _S.COMPLETED:
        changes.append(Change(status, period.ends_at))
    return tuple(changes)
