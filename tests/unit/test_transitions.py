"""The life of an appointment: every change of status that is not written down is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.scheduling.errors import NoShowTooEarlyError, StatusChangeError
from domain.scheduling.transitions import (
    OCCUPYING,
    OPEN_TO_CHANGE,
    TRANSITIONS,
    AppointmentStatus,
    is_final,
    require_transition,
)

S = AppointmentStatus
BEGINS = datetime(2027, 3, 1, 14, tzinfo=UTC)
ALLOWED = {
    (S.PENDING, S.CONFIRMED),
    (S.PENDING, S.ARRIVED),
    (S.PENDING, S.CANCELLED),
    (S.PENDING, S.NO_SHOW),
    (S.CONFIRMED, S.ARRIVED),
    (S.CONFIRMED, S.CANCELLED),
    (S.CONFIRMED, S.NO_SHOW),
    (S.ARRIVED, S.IN_PROGRESS),
    (S.IN_PROGRESS, S.COMPLETED),
}


@pytest.mark.parametrize("before", list(S))
@pytest.mark.parametrize("after", list(S))
def test_only_the_written_changes_are_allowed(
    before: AppointmentStatus, after: AppointmentStatus
) -> None:
    if (before, after) in ALLOWED:
        require_transition(before, after, starts_at=BEGINS, now=BEGINS)
    else:
        with pytest.raises(StatusChangeError) as refused:
            require_transition(before, after, starts_at=BEGINS, now=BEGINS)
        assert refused.value.data == {"current_status": before, "wanted_status": after}


def test_nobody_misses_an_appointment_before_it_begins() -> None:
    before = BEGINS - timedelta(seconds=1)
    with pytest.raises(NoShowTooEarlyError):
        require_transition(S.CONFIRMED, S.NO_SHOW, starts_at=BEGINS, now=before)
    require_transition(S.CONFIRMED, S.CANCELLED, starts_at=BEGINS, now=before)


def test_final_statuses_free_the_slot_and_the_others_hold_it() -> None:
    assert {status for status in S if is_final(status)} == set(S) - set(OCCUPYING)
    assert set(TRANSITIONS) == set(S)
    assert {s for s in S if S.CANCELLED in TRANSITIONS[s]} == OPEN_TO_CHANGE
