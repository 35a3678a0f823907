"""When somebody of a demo clinic works: weekly rules and closures, as the domain understands them."""

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.demo.specification import BranchSpec, ClinicSpec, ClosureSpec, StaffSpec
from domain.scheduling.calendar import Period, opening_instant
from domain.scheduling.slots import WeeklyRule, opening_periods

DAYS_BACK: Final = 15
DAYS_AHEAD: Final = 15
RULES_DAYS_BACK: Final = 90
"""How long ago the weekly hours began to hold."""


def weekly_rules(staff: StaffSpec, branch_code: str, today: date) -> list[WeeklyRule]:
    """Return the weekly hours of somebody at one branch."""
    return [
        WeeklyRule(
            weekday=weekday,
            start_local=shift.start,
            end_local=shift.end,
            valid_from=today - timedelta(days=RULES_DAYS_BACK),
        )
        for shift in staff.shifts
        if shift.branch == branch_code
        for weekday in shift.weekdays
    ]


def closed_period(closure: ClosureSpec, today: date, zone: ZoneInfo) -> Period:
    """Return the closure's whole local days as instants."""
    first = today + timedelta(days=closure.first_day)
    return Period(
        opening_instant(first, time(), zone),
        opening_instant(first + timedelta(days=closure.days), time(), zone),
    )


def openings(spec: ClinicSpec, staff: int, branch: BranchSpec, now: datetime) -> list[Period]:
    """Return when somebody (an index) works at a branch in the month round `now`, closures taken off."""
    zone = ZoneInfo(branch.timezone)
    today = now.astimezone(zone).date()
    rules = weekly_rules(spec.staff[staff], branch.code, today)
    month = Period(
        opening_instant(today - timedelta(days=DAYS_BACK), time(), zone),
        opening_instant(today + timedelta(days=DAYS_AHEAD + 1), time(), zone),
    )
    closed = [
        closed_period(closure, today, zone)
        for closure in spec.closures
        if closure.branch == branch.code or closure.staff == staff
    ]
    return opening_periods(month, zone, rules, opened=(), closed=closed)
