"""However many ways back are kept, a move that begins finds a place, and every way back its turn."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from tenancy.mover import turns
from tenancy.mover.errors import MoveError
from tenancy.mover.keeper import MOVES_AT_ONCE_MAX, PLACES_KEPT, MoveKeeper
from tenancy.mover.turns import Turn
from tenancy.registry.move_records import MoveRecord, MoveStatus, journal_row, move_record
from tenancy.tenant import Home, Placement, StrategyName, TenantId

WAYS_BACK = MOVES_AT_ONCE_MAX + 9
LOOKS = 12
STEPS_MAX = 1000
UNSAID = {
    "phase": "planned",
    "wanted": None,
    "attempt": 1,
    "worker": None,
    "heartbeat_at": None,
    "progress": {},
    "report": {},
    "waited_requests": 0,
    "longest_wait_ms": 0.0,
    "error": None,
    "created_at": None,
    "decided_at": None,
    "grace_until": None,
    "ended_at": None,
}


def record(status: MoveStatus) -> MoveRecord:
    tenant_id = TenantId(uuid7())
    ends = [
        Placement(
            tenant_id=tenant_id, strategy=strategy, home=Home("main", "pool", "pool"), epoch=epoch
        )
        for epoch, strategy in ((1, StrategyName.ROW), (2, StrategyName.SCHEMA))
    ]
    row = journal_row(uuid7(), ends[0], ends[1], is_offline=False, grace_s=60)
    return move_record(row | UNSAID | {"status": status.value})


class Journal:
    """The journal and the mover of one process: a move is worked on until its place is asked for, or it is done."""

    def __init__(self, records: list[MoveRecord]) -> None:
        self.records = {one.id: one for one in records}
        self.at_work: set[UUID] = set()
        self.worked: list[UUID] = []
        self.most_at_once = 0

    @property
    def moves(self) -> "Journal":
        return self

    async def abandoned(self) -> list[MoveRecord]:
        return [one for one in self.records.values() if one.id not in self.at_work]

    async def work(self, move_id: UUID, *, turn: Turn) -> MoveRecord:
        self.at_work.add(move_id)
        self.worked.append(move_id)
        self.most_at_once = max(self.most_at_once, len(self.at_work))
        try:
            for _ in range(STEPS_MAX):
                if self.records[move_id].status is not MoveStatus.RUNNING and turn.is_over():
                    break
                await asyncio.sleep(0)
        finally:
            self.at_work.discard(move_id)
        return self.records[move_id]

    def set(self, move_id: UUID, **values: Any) -> None:
        self.records[move_id] = structs.replace(self.records[move_id], **values)


def keeper_of(journal: Journal) -> MoveKeeper:
    return MoveKeeper(journal, journal, dict)  # type: ignore[arg-type]


async def look(keeper: MoveKeeper) -> None:
    await keeper._look()
    # Each step of the work is a turn of the loop.
    for _ in range(4):
        await asyncio.sleep(0)


async def test_a_move_that_begins_finds_a_place_at_once():
    journal = Journal([record(MoveStatus.GRACE) for _ in range(WAYS_BACK)])
    keeper = keeper_of(journal)
    await look(keeper)
    assert len(journal.at_work) == MOVES_AT_ONCE_MAX - PLACES_KEPT
    begun = record(MoveStatus.RUNNING)
    journal.records[begun.id] = begun
    await look(keeper)
    assert begun.id in journal.at_work
    await keeper.close()


async def test_ways_back_that_took_every_place_make_room_for_moves():
    journal = Journal([record(MoveStatus.RUNNING) for _ in range(MOVES_AT_ONCE_MAX)])
    keeper = keeper_of(journal)
    await look(keeper)
    for move_id in list(journal.records):
        journal.set(move_id, status=MoveStatus.GRACE)
    await look(keeper)
    assert len(journal.at_work) == MOVES_AT_ONCE_MAX
    begun = [record(MoveStatus.RUNNING) for _ in range(PLACES_KEPT)]
    journal.records |= {one.id: one for one in begun}
    await look(keeper)  # asks
    await look(keeper)  # begins
    assert {one.id for one in begun} <= journal.at_work
    assert journal.most_at_once <= MOVES_AT_ONCE_MAX
    await keeper.close()


async def test_every_way_back_has_its_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "TURN_S_MIN", 0.0)
    journal = Journal([record(MoveStatus.GRACE) for _ in range(WAYS_BACK)])
    keeper = keeper_of(journal)
    for _ in range(LOOKS):
        await look(keeper)
    assert set(journal.worked) == set(journal.records)
    assert journal.most_at_once <= MOVES_AT_ONCE_MAX - PLACES_KEPT
    await keeper.close()


async def test_a_way_back_stays_while_nobody_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "TURN_S_MIN", 0.0)
    journal = Journal([record(MoveStatus.GRACE)])
    keeper = keeper_of(journal)
    for _ in range(LOOKS):
        await look(keeper)
    assert len(journal.worked) == 1
    await keeper.close()


async def test_what_is_wanted_of_a_way_back_is_done_before_others_have_their_turn():
    journal = Journal([record(MoveStatus.GRACE) for _ in range(WAYS_BACK)])
    keeper = keeper_of(journal)
    await look(keeper)
    waiting = next(move_id for move_id in journal.records if move_id not in journal.at_work)
    journal.set(waiting, wanted="rollback")
    await look(keeper)
    assert waiting in journal.worked
    await keeper.close()


class OutOfReach:
    """A mover that cannot go on, for reasons that change once."""

    def __init__(self, *reasons: str) -> None:
        self._reasons = iter(reasons)

    async def work(self, move_id: UUID, *, turn: Turn) -> MoveRecord:
        raise MoveError(next(self._reasons))


async def test_a_move_that_cannot_go_on_is_told_of_once_for_each_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stuck = record(MoveStatus.RUNNING)
    mover: Any = OutOfReach("no way", "no way", "no way", "no slot")
    journal: Any = Journal([stuck])
    keeper = MoveKeeper(mover, journal, dict)
    for _ in range(4):
        assert keeper._begin(stuck)
        await asyncio.wait(keeper._working.values())
    told = [text.rpartition(": ")[2] for text in caplog.messages]
    assert told == ["no way", "no slot"]
