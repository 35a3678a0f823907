"""Opening hours and free slots, computed: from weekly rules and exceptions to bookable periods. No I/O."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from domain.scheduling.calendar import (
    Period,
    days_of,
    opening_instant,
    united,
    whole_days,
    without,
)

RANGE_DAYS_MAX: Final = 31
"""Days that one question for free slots may span."""
SLOT_MIN_MIN: Final = 5
SLOT_MIN_MAX: Final = 480
"""Limits of a slot's length and of the step between two starts, in minutes."""


class ExceptionKind(StrEnum):
    """What an exception does to the weekly rules."""

    CLOSED = "closed"
    OPEN = "open"


class WeeklyRule(Struct, frozen=True, order=True):
    """Wall-clock hours on one ISO weekday, valid on the days from `valid_from` to `valid_to`, both included."""

    weekday: int
    start_local: time
    end_local: time
    valid_from: date
    valid_to: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the rule applies to that day."""
        return (
            day.isoweekday() == self.weekday
            and self.valid_from <= day
            and (self.valid_to is None or day <= self.valid_to)
        )


class SlotQuestion(Struct, frozen=True, kw_only=True):
    """Which slots are asked for: starts inside `within`, none before `not_before`."""

    within: Period
    length: timedelta
    step: timedelta
    not_before: datetime


def rules_overlap(rules: Iterable[WeeklyRule]) -> bool:
    """Whether two rules hold at one wall-clock time; the database refuses that too."""
    by_weekday: dict[int, list[WeeklyRule]] = {}
    for rule in rules:
        by_weekday.setdefault(rule.weekday, []).append(rule)
    return any(
        _clash(one, other)
        for same_day in by_weekday.values()
        for position, one in enumerate(same_day)
        for other in same_day[:position]
    )


def opening_periods(
    within: Period,
    zone: ZoneInfo,
    rules: Sequence[WeeklyRule],
    *,
    opened: Iterable[Period],
    closed: Iterable[Period],
) -> list[Period]:
    """Return when it is open around `within`: rules and open exceptions, less closed ones.

    Wall-clock rules become instants day by day, so that 09:00 stays 09:00 when clocks change. The whole
    days that `within` touches are looked at, so that slots do not depend on where a question begins.
    """
    by_rule = [
        Period(
            opening_instant(day, rule.start_local, zone), opening_instant(day, rule.end_local, zone)
        )
        for day in days_of(within, zone)
        for rule in rules
        if rule.holds_on(day)
    ]
    around = whole_days(within, zone)
    return without([*by_rule, *(period.clipped(around) for period in opened)], closed)


def is_open(opening: Iterable[Period], wanted: Period) -> bool:
    """Whether it is open during the whole of `wanted`."""
    return any(period.covers(wanted) for period in opening)


def free_slots(
    opening: Iterable[Period], busy: Iterable[Period], question: SlotQuestion
) -> list[Period]:
    """Return the free slots in order: from the start of each opening period on, every `step`."""
    taken = united(busy)
    starts = [period.starts_at for period in taken]
    slots: list[Period] = []
    for period in opening:
        start = period.starts_at
        while start + question.length <= period.ends_at and start < question.within.ends_at:
            slot = Period(start, start + question.length)
            if _is_wanted(slot, question) and _is_free(slot, taken, starts):
                slots.append(slot)
            start += question.step
    return slots


def _is_wanted(slot: Period, question: SlotQuestion) -> bool:
    return slot.starts_at >= max(question.within.starts_at, question.not_before)


def _is_free(slot: Period, taken: Sequence[Period], starts: Sequence[datetime]) -> bool:
    """Whether the slot touches none of the disjoint, sorted periods that are taken."""
    position = bisect_right(starts, slot.starts_at)
    around = taken[max(0, position - 1) : position + 1]
    return not any(period.overlaps(slot) for period in around)


def _clash(one: WeeklyRule, other: WeeklyRule) -> bool:
    days = one.valid_from <= (other.valid_to or date.max) and other.valid_from <= (
        one.valid_to or date.max
    )
    return days and one.start_local < other.end_local and other.start_local < one.end_local
