"""What a move tells of its copy once that has ended."""

import asyncio

from tenancy.mover.progress import ProgressBoard, TableCount

SOME_TIME_S = 0.05


async def test_the_clock_of_a_copy_stops_when_it_has_ended() -> None:
    board = ProgressBoard()
    board.expect("patient", 20)
    await asyncio.sleep(SOME_TIME_S)
    board.copied("patient", TableCount(rows=10), 1_000_000)
    board.end_copy()
    at_its_end = board.progress()
    await asyncio.sleep(SOME_TIME_S)
    later = board.progress()
    assert later.megabytes_a_second == at_its_end.megabytes_a_second > 0
    # What was expected was an estimate.
    assert (later.rows_expected, later.seconds_left) == (10, 0)
    assert later.seconds > at_its_end.seconds


def test_a_second_copy_has_a_clock_of_its_own() -> None:
    board = ProgressBoard()
    board.expect("patient", 20)
    board.end_copy()
    board.restart()
    board.expect("patient", 20)
    board.copied("patient", TableCount(rows=5), 1_000)
    assert board.progress().rows_expected == 20
