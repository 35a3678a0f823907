"""What a local time means in the zones of the region, also on days that have 23 or 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from domain.scheduling.calendar import (
    Period,
    SkippedTimeError,
    day_period,
    days_of,
    instant_of,
    opening_instant,
    united,
    whole_days,
    without,
)
from domain.scheduling.errors import InvalidTimeError, NonexistentTimeError
from domain.scheduling.moments import read_bound, read_instant, read_period, zone_named

SANTIAGO = ZoneInfo("America/Santiago")
ASUNCION = ZoneInfo("America/Asuncion")
LIMA = ZoneInfo("America/Lima")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def wall_clock(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


def at(hour: int, minute: int = 0) -> datetime:
    return utc(2027, 3, 1, hour, minute)


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [
        ("America/Lima", date(2027, 1, 15), 14),
        ("America/Bogota", date(2027, 7, 15), 14),
        ("America/La_Paz", date(2027, 1, 15), 13),
        ("America/Mexico_City", date(2027, 7, 15), 15),
        ("America/Santiago", date(2027, 1, 15), 12),
        ("America/Santiago", date(2027, 7, 15), 13),
        ("America/Asuncion", date(2023, 7, 15), 13),
        ("America/Asuncion", date(2024, 1, 15), 12),
    ],
)
def test_nine_in_the_morning_is_nine_on_the_branch_wall_clock(
    zone: str, day: date, hour: int
) -> None:
    nine = datetime.combine(day, time(9))
    instant = instant_of(nine, ZoneInfo(zone))
    assert instant == utc(day.year, day.month, day.day, hour)
    assert instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == nine


def test_time_with_offset_is_taken_as_it_is() -> None:
    given_time = datetime.fromisoformat("2027-01-15T09:00:00-03:00")
    assert instant_of(given_time, LIMA) == utc(2027, 1, 15, 12)


def test_time_that_the_clock_skips_does_not_exist() -> None:
    # Saturday to Sunday, 2026-09-06: after 23:59:59 comes 01:00:00.
    with pytest.raises(SkippedTimeError):
        instant_of(wall_clock(2026, 9, 6, 0, 30), SANTIAGO)
    assert opening_instant(date(2026, 9, 6), time(0, 30), SANTIAGO) == utc(2026, 9, 6, 4)
    assert opening_instant(date(2026, 9, 6), time(0), SANTIAGO) == utc(2026, 9, 6, 4)


def test_time_that_comes_twice_means_the_first_one() -> None:
    # Saturday 2027-04-03: after 23:59:59 comes 23:00:00 again.
    assert instant_of(wall_clock(2027, 4, 3, 23, 30), SANTIAGO) == utc(2027, 4, 4, 2, 30)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (SANTIAGO, date(2026, 9, 6), 23),
        (SANTIAGO, date(2027, 4, 3), 25),
        (SANTIAGO, date(2027, 4, 4), 24),
        (ASUNCION, date(2023, 10, 1), 23),
        (ASUNCION, date(2024, 3, 23), 25),
        (LIMA, date(2027, 4, 3), 24),
    ],
)
def test_day_has_the_hours_that_it_has(zone: ZoneInfo, day: date, hours: int) -> None:
    period = day_period(day, zone)
    assert period.ends_at - period.starts_at == timedelta(hours=hours)


def test_period_touches_the_local_days_not_those_of_utc() -> None:
    evening = Period(utc(2027, 3, 2, 1), utc(2027, 3, 2, 5))
    assert list(days_of(evening, LIMA)) == [date(2027, 3, 1)]
    assert whole_days(evening, LIMA) == Period(utc(2027, 3, 1, 5), utc(2027, 3, 2, 5))


def test_touching_periods_are_joined_and_do_not_overlap() -> None:
    morning, noon = Period(at(9), at(12)), Period(at(12), at(13))
    assert not morning.overlaps(noon)
    assert united([noon, morning]) == [Period(at(9), at(13))]


def test_taken_time_is_cut_out() -> None:
    left = without([Period(at(9), at(18))], [Period(at(12), at(13)), Period(at(17), at(20))])
    assert left == [Period(at(9), at(12)), Period(at(13), at(17))]


hours = some.integers(min_value=0, max_value=23)
periods = some.lists(some.tuples(hours, hours).map(lambda p: Period(at(min(p)), at(max(p)))))


@given(periods, periods)
def test_cutting_out_leaves_exactly_the_other_instants(
    some_periods: list[Period], taken: list[Period]
) -> None:
    def holds(among: list[Period], instant: datetime) -> bool:
        return any(p.starts_at <= instant < p.ends_at for p in among)

    left = without(some_periods, taken)
    for hour in range(24):
        instant = at(hour, 30)
        assert holds(left, instant) == (holds(some_periods, instant) and not holds(taken, instant))
    assert all(one.ends_at < other.starts_at for one, other in pairwise(left))


def test_skipped_time_is_refused_in_a_booking() -> None:
    with pytest.raises(NonexistentTimeError) as refused:
        read_instant("starts_at", wall_clock(2026, 9, 6, 0, 30), SANTIAGO)
    assert (refused.value.pointer, refused.value.code) == ("/starts_at", "nonexistent_time")


@pytest.mark.parametrize("year", [1, 1899, 2201, 9999])
def test_time_beyond_reason_is_refused(year: int) -> None:
    with pytest.raises(InvalidTimeError):
        read_instant("starts_at", wall_clock(year, 1, 1), LIMA)


def test_bound_is_a_date_or_a_time() -> None:
    assert read_bound("from", "2027-03-01", LIMA) == utc(2027, 3, 1, 5)
    assert read_bound("from", "2027-03-01T10:00:00", LIMA) == utc(2027, 3, 1, 15)
    assert read_bound("from", "2027-03-01T10:00:00Z", LIMA) == utc(2027, 3, 1, 10)


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "2027-03-01T25:00", "0001-01-01"])
def test_bound_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimeError):
        read_bound("from", text, LIMA)


def test_period_over_a_change_of_clocks_has_its_real_length() -> None:
    twelve = timedelta(hours=12)
    evening, night = wall_clock(2027, 4, 3, 22), wall_clock(2027, 4, 4, 1)
    period = read_period(evening, night, SANTIAGO, length_max=twelve)
    assert period.ends_at - period.starts_at == timedelta(hours=4)
    spring = read_period(
        wall_clock(2026, 9, 5, 22), wall_clock(2026, 9, 6, 2), SANTIAGO, length_max=twelve
    )
    assert spring.ends_at - spring.starts_at == timedelta(hours=3)


@pytest.mark.parametrize(
    ("end", "code"),
    [(at(9), "ends_before_start"), (at(8), "ends_before_start"), (at(22), "too_long_period")],
)
def test_empty_and_long_periods_are_refused(end: datetime, code: str) -> None:
    with pytest.raises(InvalidTimeError) as refused:
        read_period(at(9), end, LIMA, length_max=timedelta(hours=12))
    assert refused.value.code == code


def test_unknown_zone_of_a_branch_falls_back_to_the_clinic() -> None:
    assert zone_named("America/Nowhere", LIMA) is LIMA
    assert zone_named("../etc/passwd", LIMA) is LIMA
    assert zone_named("", LIMA) is LIMA
    assert zone_named("America/Santiago", LIMA) == SANTIAGO
