"""Times as people send them: with an offset, or naive and then on the branch's wall clock."""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.scheduling.calendar import Period, SkippedTimeError, instant_of, opening_instant
from domain.scheduling.errors import InvalidTimeError, NonexistentTimeError

APPOINTMENT_MAX: Final = timedelta(hours=12)
"""The longest appointment; the table's own limit."""

YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2200
"""Beyond these a time is a typing error, and near the calendar's ends arithmetic with zones fails."""


def zone_named(name: str | None, otherwise: ZoneInfo) -> ZoneInfo:
    """Return the zone of a branch, or the clinic's where the branch has none that is known."""
    if not name:
        return otherwise
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return otherwise


def read_instant(field: str, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant that the field means, in UTC; raise `InvalidTimeError` if there is none."""
    _require_sane(field, moment)
    try:
        return instant_of(moment, zone)
    except SkippedTimeError:
        raise NonexistentTimeError(field) from None


def read_bound(field: str, text: str, zone: ZoneInfo) -> datetime:
    """Return the instant of a date (its local midnight) or of a date with time, in UTC."""
    try:
        if len(text) == len("2026-01-01"):
            day = date.fromisoformat(text)
            require_day(field, day)
            return opening_instant(day, time(), zone)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidTimeError(field, "invalid_format") from None
    return read_instant(field, moment, zone)


def read_period(
    starts_at: datetime, ends_at: datetime, zone: ZoneInfo, *, length_max: timedelta
) -> Period:
    """Return the period between two given times; raise `InvalidTimeError` if it is empty or too long."""
    period = Period(
        read_instant("starts_at", starts_at, zone), read_instant("ends_at", ends_at, zone)
    )
    require_period(period, field="ends_at", length_max=length_max)
    return period


def require_period(period: Period, *, field: str, length_max: timedelta) -> None:
    """Return if the period is neither empty nor longer than `length_max`; else raise `InvalidTimeError`."""
    if period.ends_at <= period.starts_at:
        raise InvalidTimeError(field, "ends_before_start")
    if period.ends_at - period.starts_at > length_max:
        raise InvalidTimeError(field, "too_long_period")


def require_day(field: str, day: date) -> None:
    """Return if something can happen on that day; else raise `InvalidTimeError`."""
    _require_sane(field, datetime.combine(day, time()))


def _require_sane(field: str, moment: datetime) -> None:
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise InvalidTimeError(field, "out_of_range")
