"""What the table of appointments holds for who writes past the rules in Python."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from clinics import Clinic
from domain.scheduling.models import Appointment
from domain.tables import new_id
from surgeries import Surgery, next_weekday, surgery_at
from tenancy.credentials import DatabaseRole
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement

WAITING = 20
SECONDS_TO_QUEUE = 0.3
SECONDS_MAX = 5.0

MONDAY = next_weekday(1)


async def write(clinic: Clinic, *rows: Any) -> None:
    async with clinic._tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        session.add_all(rows)
        await session.flush()


async def row_of(clinic: Clinic, **changes: Any) -> Appointment:
    surgery = await surgery_at(clinic)
    starts_at = datetime.fromisoformat(f"{MONDAY}T09:00:00-05:00")
    values = {
        "id": new_id(),
        "patient_id": surgery.patient_id,
        "practitioner_id": surgery.practitioner_id,
        "branch_id": surgery.branch_id,
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=30),
    }
    return Appointment(**(values | changes))


async def test_overlap_is_refused(clinic_a: Clinic) -> None:
    row = await row_of(clinic_a)
    same = {
        name: getattr(row, name)
        for name in ("practitioner_id", "patient_id", "branch_id", "starts_at", "ends_at")
    }
    await write(clinic_a, row)
    with pytest.raises(IntegrityError) as refused:
        await write(clinic_a, Appointment(id=new_id(), **same))
    assert refused.value.orig.sqlstate == "23P01"


class Waiting:
    """One connection of its own to the home, and its attempt to book."""

    def __init__(self, connection: Any, placement: Placement, surgery: Surgery) -> None:
        self.connection = connection
        self.placement = placement
        self.surgery = surgery

    async def insert(self, patient_id: UUID) -> None:
        await self.connection.execute(
            "SELECT tenancy.enter($1, $2, 'rw', NULL, NULL)",
            self.placement.tenant_id,
            self.placement.epoch,
        )
        await self.connection.execute(
            "INSERT INTO appointment (id, patient_id, practitioner_id, branch_id, starts_at, ends_at, version)"
            " VALUES ($1, $2, $3, $4, '2030-01-07 14:00Z', '2030-01-07 14:30Z', 1)",
            new_id(),
            patient_id,
            self.surgery.practitioner_id,
            self.surgery.branch_id,
        )

    async def book(self, patient_id: UUID) -> str:
        try:
            async with self.connection.transaction():
                await self.insert(patient_id)
        except PostgresError as error:
            return str(error.sqlstate)
        return "done"


async def test_parallel_inserts_wait_in_line_and_not_for_each_other(
    clinic_a: Clinic, tenancy: Tenancy
) -> None:
    """One books and thinks better of it while the others wait: on the constraint alone these would deadlock."""
    surgery = await surgery_at(clinic_a)
    resolved = await tenancy.directory.by_id(clinic_a.tenant_id)
    assert resolved is not None
    home = resolved.placement.home
    patients = [await surgery.another_patient() for _ in range(WAITING)]
    async with AsyncExitStack() as opened:
        queue = []
        for _ in range(WAITING + 1):
            connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.APP)
            opened.push_async_callback(connection.close)
            queue.append(Waiting(connection, resolved.placement, surgery))
        first = queue.pop()
        undecided = first.connection.transaction()
        await undecided.start()
        await first.insert(surgery.patient_id)
        attempts = zip(queue, patients, strict=True)
        others = [asyncio.ensure_future(each.book(patient)) for each, patient in attempts]
        await asyncio.sleep(SECONDS_TO_QUEUE)
        begun = time.monotonic()
        await undecided.rollback()
        ends = await asyncio.gather(*others)
    assert sorted(ends) == ["23P01"] * (WAITING - 1) + ["done"]
    assert time.monotonic() - begun < SECONDS_MAX


async def test_other_clinics_patient_is_refused_by_the_key_itself(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    theirs = await surgery_at(clinic_b)
    with pytest.raises(IntegrityError) as refused:
        await write(clinic_a, await row_of(clinic_a, patient_id=theirs.patient_id))
    assert refused.value.orig.sqlstate == "23503"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_overbooked": True},
        {"status": "lost"},
        {"reason_type": "fun"},
        {"source": "fax"},
        {"ends_at": datetime.fromisoformat(f"{MONDAY}T21:00:01-05:00")},
        {"ends_at": datetime.fromisoformat(f"{MONDAY}T09:00:00-05:00")},
    ],
)
async def test_impossible_row_is_refused(clinic_a: Clinic, changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError) as refused:
        await write(clinic_a, await row_of(clinic_a, **changes))
    assert refused.value.orig.sqlstate == "23514"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ("cancelled", "pending"),
        ("completed", "cancelled"),
        ("pending", "completed"),
        ("arrived", "cancelled"),
        ("confirmed", "pending"),
        ("pending", "no_show"),
    ],
)
async def test_status_machine_holds(clinic_a: Clinic, status: str, wanted: str) -> None:
    row = await row_of(clinic_a, status=status)
    await write(clinic_a, row)
    with pytest.raises(IntegrityError) as refused:
        await execute(clinic_a, "UPDATE appointment SET status = :s WHERE id = :id", row.id, wanted)
    assert refused.value.orig.sqlstate == "23514"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE appointment_event SET note = :s WHERE appointment_id = :id",
        "DELETE FROM appointment_event WHERE appointment_id = :id AND :s = :s",
    ],
)
async def test_events_are_for_ever(clinic_a: Clinic, statement: str) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(f"{MONDAY}T09:00:00")
    with pytest.raises(DBAPIError):
        await execute(clinic_a, statement, UUID(booked["id"]), "x")


async def execute(clinic: Clinic, statement: str, row_id: UUID, value: str) -> None:
    async with clinic._tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        await session.execute(text(statement), {"id": row_id, "s": value})
