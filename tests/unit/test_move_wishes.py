"""What cannot be asked of a move, and what its refusal offers instead."""

import itertools

import pytest

from tenancy.mover.wishes import WISHES, refusal
from tenancy.registry.move_records import MoveStatus

OPEN = [status for status in MoveStatus if not status.is_ended]


@pytest.mark.parametrize(
    ("wanted", "status", "instead"),
    [
        ("abort", MoveStatus.GRACE, "rollback"),
        ("abort", MoveStatus.FINISHING, "move the clinic again"),
        ("rollback", MoveStatus.RUNNING, "abort"),
        ("rollback", MoveStatus.FINISHING, "move the clinic again"),
        ("finish", MoveStatus.RUNNING, "abort"),
        ("finish", MoveStatus.ROLLING_BACK, "going back"),
    ],
)
def test_a_refusal_says_what_can_be_done(wanted: str, status: MoveStatus, instead: str) -> None:
    assert instead in (refusal(wanted, status) or "")


def test_every_move_that_is_open_allows_something_or_says_why_not() -> None:
    for wanted, status in itertools.product(WISHES, OPEN):
        told = refusal(wanted, status)
        assert told is None or ("\n" not in told and len(told) < 120)
    assert {status for status in OPEN if refusal("abort", status) is None} == {
        MoveStatus.RUNNING,
        MoveStatus.ABORTING,
    }
