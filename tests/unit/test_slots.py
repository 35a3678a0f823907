"""Opening hours and free slots: rules of the wall clock, exceptions, what is taken."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from domain.scheduling.calendar import Period
from domain.scheduling.slots import (
    SlotQuestion,
    WeeklyRule,
    free_slots,
    is_open,
    opening_periods,
    rules_overlap,
)

LIMA = ZoneInfo("America/Lima")
SANTIAGO = ZoneInfo("America/Santiago")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MONDAY = date(2027, 3, 1)


def local(zone: ZoneInfo, day: date, *clock: int) -> datetime:
    return datetime.combine(day, time(*clock), tzinfo=zone).astimezone(UTC)


def in_lima(*clock: int) -> datetime:
    return local(LIMA, MONDAY, *clock)


def rule(start: str, end: str, weekday: int = 1, **valid: date) -> WeeklyRule:
    begin = valid.get("since", date(2020, 1, 1))
    return WeeklyRule(
        weekday, time.fromisoformat(start), time.fromisoformat(end), begin, valid.get("until")
    )


def days(zone: ZoneInfo, first: date, count: int = 1) -> Period:
    return Period(local(zone, first, 0), local(zone, first + timedelta(days=count), 0))


def question(within: Period, length_min: int = 30, **other: object) -> SlotQuestion:
    length = timedelta(minutes=length_min)
    return SlotQuestion(
        within=within,
        length=length,
        step=other.get("step", length),
        not_before=other.get("not_before", LONG_AGO),
    )


def starts(zone: ZoneInfo, slots: list[Period]) -> list[str]:
    return [f"{slot.starts_at.astimezone(zone):%H:%M}" for slot in slots]


def test_slots_fill_the_hours_and_none_passes_their_end() -> None:
    within = days(LIMA, MONDAY)
    opening = opening_periods(within, LIMA, [rule("09:00", "10:45")], opened=[], closed=[])
    assert starts(LIMA, free_slots(opening, [], question(within))) == ["09:00", "09:30", "10:00"]


def test_rule_holds_on_its_weekday_and_inside_its_validity_alone() -> None:
    within = days(LIMA, MONDAY, 14)
    rules = [rule("09:00", "10:00", since=date(2027, 3, 2), until=date(2027, 3, 8))]
    opening = opening_periods(within, LIMA, rules, opened=[], closed=[])
    assert [period.starts_at for period in opening] == [local(LIMA, date(2027, 3, 8), 9)]


def test_slot_that_is_taken_is_not_free_and_touching_ones_are() -> None:
    within = days(LIMA, MONDAY)
    opening = [Period(in_lima(9), in_lima(12))]
    busy = [Period(in_lima(9, 30), in_lima(10)), Period(in_lima(10, 45), in_lima(11))]
    slots = free_slots(opening, busy, question(within))
    assert starts(LIMA, slots) == ["09:00", "10:00", "11:00", "11:30"]


def test_step_may_be_shorter_than_the_slot() -> None:
    within = days(LIMA, MONDAY)
    opening = [Period(in_lima(9), in_lima(10))]
    wanted = question(within, 45, step=timedelta(minutes=5))
    assert starts(LIMA, free_slots(opening, [], wanted)) == ["09:00", "09:05", "09:10", "09:15"]


def test_no_slot_begins_in_the_past_or_outside_the_range() -> None:
    opening = [Period(in_lima(9), in_lima(12))]
    within = Period(in_lima(9, 10), in_lima(11, 30))
    assert starts(LIMA, free_slots(opening, [], question(within))) == [
        "09:30", "10:00", "10:30", "11:00",
    ]  # fmt: skip
    wanted = question(within, not_before=in_lima(10, 1))
    assert starts(LIMA, free_slots(opening, [], wanted)) == ["10:30", "11:00"]


def test_closed_wins_over_open_and_open_adds_to_the_rules() -> None:
    within = days(LIMA, MONDAY)
    opening = opening_periods(
        within,
        LIMA,
        [rule("09:00", "12:00")],
        opened=[Period(in_lima(12), in_lima(14)), Period(in_lima(20), in_lima(21))],
        closed=[Period(in_lima(10), in_lima(11)), Period(in_lima(20), in_lima(22))],
    )
    assert opening == [Period(in_lima(9), in_lima(10)), Period(in_lima(11), in_lima(14))]


def test_long_open_exception_costs_no_more_than_the_days_asked_for() -> None:
    century = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    within = days(LIMA, MONDAY)
    opening = opening_periods(within, LIMA, [], opened=[century], closed=[])
    assert opening == [within]


def test_booking_over_two_touching_rules_is_inside_the_hours() -> None:
    within = Period(in_lima(11, 45), in_lima(12, 15))
    rules = [rule("09:00", "12:00"), rule("12:00", "15:00")]
    opening = opening_periods(within, LIMA, rules, opened=[], closed=[])
    assert is_open(opening, within)
    assert not is_open(opening, Period(in_lima(14, 45), in_lima(15, 15)))


@pytest.mark.parametrize("monday", [date(2027, 3, 29), date(2027, 4, 5)])
def test_nine_stays_nine_when_clocks_change(monday: date) -> None:
    within = days(SANTIAGO, monday)
    opening = opening_periods(within, SANTIAGO, [rule("09:00", "10:00")], opened=[], closed=[])
    assert starts(SANTIAGO, free_slots(opening, [], question(within))) == ["09:00", "09:30"]


def test_hours_around_the_jump_begin_with_it_and_none_is_skipped_time() -> None:
    # Sunday 2026-09-06 begins at 01:00.
    sunday = date(2026, 9, 6)
    within = Period(local(SANTIAGO, sunday, 1), local(SANTIAGO, sunday, 12))
    rules = [rule("00:00", "02:00", weekday=7)]
    opening = opening_periods(within, SANTIAGO, rules, opened=[], closed=[])
    assert starts(SANTIAGO, free_slots(opening, [], question(within))) == ["01:00", "01:30"]
    nowhere = [rule("00:00", "01:00", weekday=7)]
    assert opening_periods(within, SANTIAGO, nowhere, opened=[], closed=[]) == []


def test_hours_that_come_twice_are_offered_once_by_their_wall_clock_end() -> None:
    # Saturday 2027-04-03 has 23:00 to 24:00 twice; the hours end at the first 23:30.
    saturday = date(2027, 4, 3)
    within = days(SANTIAGO, saturday)
    rules = [rule("22:30", "23:30", weekday=6)]
    opening = opening_periods(within, SANTIAGO, rules, opened=[], closed=[])
    assert starts(SANTIAGO, free_slots(opening, [], question(within))) == ["22:30", "23:00"]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (rule("09:00", "12:00"), rule("11:59", "13:00"), True),
        (rule("09:00", "12:00"), rule("12:00", "13:00"), False),
        (rule("09:00", "12:00"), rule("09:00", "12:00", weekday=2), False),
        (
            rule("09:00", "12:00", until=date(2027, 1, 31)),
            rule("09:00", "12:00", since=date(2027, 2, 1)),
            False,
        ),
        (
            rule("09:00", "12:00", until=date(2027, 1, 31)),
            rule("09:00", "12:00", since=date(2027, 1, 31)),
            True,
        ),
    ],
)
def test_rules_overlap_by_weekday_time_and_validity(
    one: WeeklyRule, other: WeeklyRule, *, clash: bool
) -> None:
    assert rules_overlap([one, other]) is clash
    assert rules_overlap([other, one]) is clash


minutes = some.integers(min_value=0, max_value=24 * 60 - 1)
stretches = some.lists(some.tuples(minutes, minutes), max_size=6)


@given(stretches, stretches, some.sampled_from([10, 15, 30, 45]), some.sampled_from([5, 20, 30]))
def test_every_slot_is_open_and_free(
    hours: list[tuple[int, int]], taken: list[tuple[int, int]], length_min: int, step_min: int
) -> None:
    midnight = in_lima(0)

    def periods(pairs: list[tuple[int, int]]) -> list[Period]:
        return [
            Period(midnight + timedelta(minutes=min(p)), midnight + timedelta(minutes=max(p)))
            for p in pairs
        ]

    within = days(LIMA, MONDAY)
    opening = opening_periods(within, LIMA, [], opened=periods(hours), closed=[])
    wanted = question(within, length_min, step=timedelta(minutes=step_min))
    busy = [period for period in periods(taken) if period.starts_at < period.ends_at]
    slots = free_slots(opening, busy, wanted)
    assert all(is_open(opening, slot) for slot in slots)
    assert not any(slot.overlaps(period) for slot in slots for period in busy)
    assert all(slot.ends_at - slot.starts_at == wanted.length for slot in slots)
    assert all(one < other for one, other in pairwise(slots))
    if not busy:
        openings = [p for p in opening if p.ends_at - p.starts_at >= wanted.length]
        assert {p.starts_at for p in openings} <= {slot.starts_at for slot in slots}
