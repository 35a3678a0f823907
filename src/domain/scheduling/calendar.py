"""Wall clock and instants: what a local time of a branch means, and periods between instants.

Zones are IANA zones. Where clocks are put back, a wall-clock time means its first occurrence; where they are put
forward, a time that is skipped means the jump itself (opening hours) or is refused (bookings).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


class SkippedTimeError(ValueError):
    """The wall clock never shows this time on that day."""


class Period(Struct, frozen=True, order=True):
    """From one instant to another, the second one excluded; both in UTC."""

    starts_at: datetime
    ends_at: datetime

    def covers(self, other: "Period") -> bool:
        """Whether the whole of `other` is inside."""
        return self.starts_at <= other.starts_at and other.ends_at <= self.ends_at

    def overlaps(self, other: "Period") -> bool:
        """Whether they share an instant; touching ones do not."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def clipped(self, other: "Period") -> "Period":
        """Return the part inside `other`; without a common instant it ends before it starts."""
        return Period(max(self.starts_at, other.starts_at), min(self.ends_at, other.ends_at))


def instant_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC; a naive `moment` is read on the wall clock of `zone`.

    Raises `SkippedTimeError` for a wall-clock time that does not exist.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    instant = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != moment:
        raise SkippedTimeError
    return instant


def opening_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant at which the wall clock reaches or passes `at` on that day."""
    moment = datetime.combine(day, at)
    try:
        return instant_of(moment, zone)
    except SkippedTimeError:
        return _jump(moment, zone)


def day_period(day: date, zone: ZoneInfo) -> Period:
    """Return the whole of a local day, which has 23 or 25 hours where clocks change."""
    midnight = time()
    return Period(opening_instant(day, midnight, zone), opening_instant(day + DAY, midnight, zone))


def days_of(period: Period, zone: ZoneInfo) -> Iterator[date]:
    """Yield the local days that the period touches."""
    day = period.starts_at.astimezone(zone).date()
    last = (period.ends_at - timedelta.resolution).astimezone(zone).date()
    while day <= last:
        yield day
        day += DAY


def whole_days(period: Period, zone: ZoneInfo) -> Period:
    """Return the period widened to the beginning and the end of the local days that it touches."""
    days = list(days_of(period, zone))
    return Period(day_period(days[0], zone).starts_at, day_period(days[-1], zone).ends_at)


def united(periods: Iterable[Period]) -> list[Period]:
    """Return the same instants as the fewest periods, in order; touching ones are joined."""
    joined: list[Period] = []
    for period in sorted(periods):
        if joined and period.starts_at <= joined[-1].ends_at:
            joined[-1] = Period(joined[-1].starts_at, max(joined[-1].ends_at, period.ends_at))
        elif period.starts_at < period.ends_at:
            joined.append(period)
    return joined


def without(periods: Iterable[Period], taken: Iterable[Period]) -> list[Period]:
    """Return what is left of `periods` once `taken` is cut out."""
    cuts = united(taken)
    left: list[Period] = []
    for period in united(periods):
        start = period.starts_at
        for cut in cuts:
            if cut.overlaps(Period(start, period.ends_at)):
                if start < cut.starts_at:
                    left.append(Period(start, cut.starts_at))
                start = max(start, cut.ends_at)
        if start < period.ends_at:
            left.append(Period(start, period.ends_at))
    return left


def _jump(skipped: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the clock jumps over this wall-clock time.

    Read with the offset of before the jump the time is after it, read with that of after it is before
    it (PEP 495): the jump is searched between the two, to the second.
    """
    after = skipped.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before = skipped.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = after.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
