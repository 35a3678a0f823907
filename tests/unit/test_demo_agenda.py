"""The agenda of the demo keeps every rule of the agenda, whenever the demo is started."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from app.demo.agenda import PORTAL_PATIENT, Booking, plan_agenda
from app.demo.clinics import DEMO_CLINICS, PATIENTS
from app.demo.opening_hours import DAYS_AHEAD, DAYS_BACK, closed_period
from app.demo.people import make_people
from app.demo.specification import ClinicSpec
from domain.scheduling.calendar import Period
from domain.scheduling.transitions import OCCUPYING, TRANSITIONS, AppointmentStatus, is_final

MOMENTS = [
    datetime(2026, 11, 21, 15, 0, tzinfo=UTC),  # a Saturday morning
    datetime(2027, 1, 4, 3, 30, tzinfo=UTC),  # Sunday night there, Monday in UTC
    datetime(2027, 4, 5, 16, 40, tzinfo=UTC),  # the day after clocks went back in Chile
    datetime(2026, 9, 1, 20, 0, tzinfo=UTC),  # they go forward on the 6th
]


@pytest.fixture(scope="module", params=MOMENTS, ids=lambda moment: moment.date().isoformat())
def now(request: pytest.FixtureRequest) -> datetime:
    return request.param


@pytest.fixture(scope="module", params=DEMO_CLINICS, ids=lambda spec: spec.slug)
def spec(request: pytest.FixtureRequest) -> ClinicSpec:
    return request.param


@pytest.fixture(scope="module")
def agenda(spec: ClinicSpec, now: datetime) -> tuple[Booking, ...]:
    return plan_agenda(spec, make_people(spec, PATIENTS), now)


def overlapping(bookings: Iterable[Booking]) -> list[tuple[Period, Period]]:
    periods = sorted(booking.period for booking in bookings)
    return [(one, next_one) for one, next_one in pairwise(periods) if one.overlaps(next_one)]


def test_nobody_and_no_room_is_booked_twice(agenda: tuple[Booking, ...]) -> None:
    taken: dict[tuple[str, object], list[Booking]] = defaultdict(list)
    for booking in agenda:
        taken["patient", booking.patient].append(booking)
        if booking.overbook_reason is None:
            taken["practitioner", booking.staff].append(booking)
            taken["room", (booking.branch.code, booking.room)].append(booking)
    assert {who: found for who, bookings in taken.items() if (found := overlapping(bookings))} == {}


def test_everything_is_inside_weekly_hours(spec: ClinicSpec, agenda: tuple[Booking, ...]) -> None:
    for booking in agenda:
        zone = ZoneInfo(booking.branch.timezone)
        start, end = (
            moment.astimezone(zone) for moment in (booking.period.starts_at, booking.period.ends_at)
        )
        assert any(
            shift.branch == booking.branch.code
            and start.isoweekday() in shift.weekdays
            and shift.start <= start.time() < end.time() <= shift.end
            for shift in spec.staff[booking.staff].shifts
        )


def test_nothing_is_on_closed_days(
    spec: ClinicSpec, agenda: tuple[Booking, ...], now: datetime
) -> None:
    for closure in spec.closures:
        for booking in agenda:
            zone = ZoneInfo(booking.branch.timezone)
            if closure.branch == booking.branch.code or closure.staff == booking.staff:
                closed = closed_period(closure, now.astimezone(zone).date(), zone)
                assert not closed.overlaps(booking.period)


def test_the_month_lies_round_today(agenda: tuple[Booking, ...], now: datetime) -> None:
    days = {booking.period.starts_at.date() for booking in agenda}
    today: date = now.date()
    assert min(days) >= today - timedelta(days=DAYS_BACK + 1)
    assert min(days) <= today - timedelta(days=DAYS_BACK - 4)
    assert max(days) <= today + timedelta(days=DAYS_AHEAD + 1)
    assert max(days) >= today + timedelta(days=DAYS_AHEAD - 4)
    assert len(agenda) > 400


def test_what_is_over_has_an_end_and_what_comes_has_none(
    agenda: tuple[Booking, ...], now: datetime
) -> None:
    ahead = {AppointmentStatus.CANCELLED, *OCCUPYING} - {AppointmentStatus.IN_PROGRESS}
    for booking in agenda:
        if booking.period.ends_at <= now:
            assert is_final(booking.status)
        elif booking.period.starts_at > now:
            assert booking.status in ahead
    seen = {booking.status for booking in agenda}
    assert seen >= {
        AppointmentStatus.COMPLETED,
        AppointmentStatus.NO_SHOW,
        AppointmentStatus.CANCELLED,
        AppointmentStatus.PENDING,
        AppointmentStatus.CONFIRMED,
    }


def test_every_status_was_reached_step_by_step(agenda: tuple[Booking, ...], now: datetime) -> None:
    for booking in agenda:
        assert booking.changes[0].status is AppointmentStatus.PENDING
        assert booking.changes[0].at < booking.period.starts_at
        assert booking.changes[-1].at <= now
        for before, after in pairwise(booking.changes):
            assert after.status in TRANSITIONS[before.status]
            assert before.at <= after.at


def test_a_few_are_overbooked_beside_another_one(agenda: tuple[Booking, ...]) -> None:
    overbooked = [booking for booking in agenda if booking.overbook_reason is not None]
    assert 2 <= len(overbooked) <= 5
    for booking in overbooked:
        assert any(
            other.staff == booking.staff
            and other.overbook_reason is None
            and other.period.overlaps(booking.period)
            for other in agenda
        )


def test_the_patient_with_a_login_has_been_and_will_come(
    agenda: tuple[Booking, ...], now: datetime
) -> None:
    own = [booking for booking in agenda if booking.patient == PORTAL_PATIENT]
    assert any(booking.status is AppointmentStatus.COMPLETED for booking in own)
    assert any(booking.period.starts_at > now and booking.status in OCCUPYING for booking in own)
    assert {booking.source for booking in own} == {"portal"}


def test_cancelled_ones_say_why(agenda: tuple[Booking, ...]) -> None:
    for booking in agenda:
        is_cancelled = booking.status is AppointmentStatus.CANCELLED
        assert (booking.cancel_reason is not None) == is_cancelled
