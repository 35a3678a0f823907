"""What a booking points to is held until the booking is there: who merges or archives it comes before or after, not between."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import ARRAY, Uuid, func, literal, select, update

from clinics import Clinic
from domain.organisation.models import Branch, Patient, Practitioner, Room
from domain.scheduling.models import Appointment
from surgeries import APPOINTMENTS, Surgery, another_branch, bearer, next_weekday, surgery_at
from tenancy.modes import Mode
from tenancy.runtime import Tenancy

MONDAY = next_weekday(1)
NINE, TEN = f"{MONDAY}T09:00:00", f"{MONDAY}T10:00:00"
LATER = {"starts_at": f"{MONDAY}T12:00:00", "ends_at": f"{MONDAY}T12:30:00"}
VERSION_ONE = {"If-Match": '"1"'}
WAIT_S_MAX = 5.0
ROUNDS = 3

Administrator = Callable[..., Awaitable[asyncpg.Connection]]
Request = asyncio.Task[httpx.Response]


async def blocked(administrator: Administrator, number: int, *requests: Request) -> None:
    """Return once that many connections wait for a lock, or one of the requests is answered."""
    connection = await administrator()
    give_up_at = time.monotonic() + WAIT_S_MAX
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    while await connection.fetchval(waiting) < number and not any(r.done() for r in requests):
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)
    await connection.close()


async def merge(clinic: Clinic, gone: UUID, into: UUID) -> httpx.Response:
    url = f"/api/v1/patients/{gone}/merge"
    return await clinic.post(url, {"into_id": str(into)}, headers=VERSION_ONE)


async def patients_of_appointments(surgery: Surgery, tenancy: Tenancy) -> set[UUID]:
    async with tenancy.session(surgery.clinic.tenant_id, Mode.READ) as session:
        found = await session.scalars(
            select(Appointment.patient_id).where(
                Appointment.practitioner_id == surgery.practitioner_id
            )
        )
        return set(found)


def hold(surgery: Surgery) -> Any:
    """Return the statement that lets every booking with the practitioner wait at the end of its way."""
    return select(func.lock_appointment_resources(literal([surgery.practitioner_id], ARRAY(Uuid))))


@pytest.mark.parametrize("what", ["reschedule", "book"])
async def test_merger_waits_for_a_booking_and_takes_it_along(
    tenancy: Tenancy, administrator: Administrator, clinic_a: Clinic, what: str
) -> None:
    surgery = await surgery_at(clinic_a)
    stays = await surgery.another_patient()
    old = await surgery.book(NINE) if what == "reschedule" else {}
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(hold(surgery))
        booking = asyncio.create_task(
            surgery.act(old, "reschedule", LATER)
            if old
            else clinic_a.post(APPOINTMENTS, surgery.body(NINE))
        )
        await blocked(administrator, 1, booking)
        merger = asyncio.create_task(merge(clinic_a, surgery.patient_id, stays))
        await blocked(administrator, 2, booking, merger)
        assert not merger.done()
    assert [(await each).status_code for each in (booking, merger)] == [201, 200]
    assert await patients_of_appointments(surgery, tenancy) == {stays}


@pytest.mark.parametrize("what", ["patients", "practitioners", "rooms", "branches"])
async def test_what_is_being_booked_is_archived_afterwards(
    tenancy: Tenancy, administrator: Administrator, clinic_a: Clinic, what: str
) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
    ids = {
        "patients": surgery.patient_id,
        "practitioners": surgery.practitioner_id,
        "rooms": surgery.room_id,
        "branches": surgery.branch_id,
    }
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(hold(surgery))
        body = surgery.body(NINE, room_id=surgery.room_id)
        booking = asyncio.create_task(clinic_a.post(APPOINTMENTS, body))
        await blocked(administrator, 1, booking)
        url = f"/api/v1/{what}/{ids[what]}"
        archiving = asyncio.create_task(clinic_a.delete(url, headers=VERSION_ONE))
        await blocked(administrator, 2, booking, archiving)
        assert not archiving.done()
    assert [(await each).status_code for each in (booking, archiving)] == [201, 204]


def archived(surgery: Surgery, field: str) -> Any:
    """Return the statement that takes one of the rows out of use."""
    table: Any = {
        "patient": Patient,
        "practitioner": Practitioner,
        "room": Room,
        "branch": Branch,
    }[field]
    out: dict[str, Any] = {"archived_at": datetime.now(UTC)}
    if field == "patient":
        out["status"] = "archived"
    elif field != "room":
        out["is_active"] = False
    return update(table).where(table.id == getattr(surgery, f"{field}_id")).values(**out)


@pytest.mark.parametrize("field", ["patient", "practitioner", "room", "branch"])
@pytest.mark.parametrize("what", ["book", "reschedule"])
async def test_booking_waits_for_what_is_being_archived_and_is_refused(
    tenancy: Tenancy, administrator: Administrator, clinic_a: Clinic, field: str, what: str
) -> None:
    surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
    room = {"room_id": surgery.room_id}
    old = await surgery.book(NINE, **room) if what == "reschedule" else {}
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(archived(surgery, field))
        booking = asyncio.create_task(
            surgery.act(old, "reschedule", LATER)
            if old
            else clinic_a.post(APPOINTMENTS, surgery.body(NINE, **room))
        )
        await blocked(administrator, 1, booking)
    answer = await booking
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")
    assert answer.json()["errors"][0]["pointer"] == f"/{field}_id"


async def test_room_that_is_being_archived_is_not_moved_into(
    tenancy: Tenancy, administrator: Administrator, clinic_a: Clinic
) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE)
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(archived(surgery, "room"))
        change = asyncio.create_task(
            clinic_a.patch(
                f"{APPOINTMENTS}/{booked['id']}",
                {"room_id": str(surgery.room_id)},
                headers=VERSION_ONE,
            )
        )
        await blocked(administrator, 1, change)
    answer = await change
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/room_id")


@pytest.mark.parametrize("route", ["portal", "citas"])
async def test_no_other_route_books_for_a_patient_who_is_being_archived(
    tenancy: Tenancy, administrator: Administrator, clinic_a: Clinic, route: str
) -> None:
    surgery = await surgery_at(clinic_a)
    _, surgery.patient_id, token = await surgery.portal_user()
    cita = {
        "odontologo": str(surgery.practitioner_id),
        "paciente": str(surgery.patient_id),
        "fecha_hora": NINE,
    }
    async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        await session.execute(archived(surgery, "patient"))
        if route == "portal":
            headers = bearer(token, **{"Idempotency-Key": str(surgery.patient_id)})
            request = clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=headers)
        else:
            request = clinic_a.post("/api/agenda/citas", cita)
        booking = asyncio.create_task(request)
        await blocked(administrator, 1, booking)
    assert (await booking).status_code == (403 if route == "portal" else 422)
    assert await patients_of_appointments(surgery, tenancy) == set()


async def test_mergers_among_bookings_and_changes_leave_nothing_behind(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    for _ in range(ROUNDS):
        surgery = await surgery_at(clinic_a)
        stays = await surgery.another_patient()
        first, second = await surgery.book(NINE, room_id=surgery.room_id), await surgery.book(TEN)
        answers = await asyncio.gather(
            clinic_a.post(APPOINTMENTS, surgery.body(f"{MONDAY}T11:00:00")),
            surgery.act(first, "reschedule", LATER),
            merge(clinic_a, surgery.patient_id, stays),
            surgery.act(second, "confirm"),
            clinic_a.post(APPOINTMENTS, surgery.body(f"{MONDAY}T11:30:00")),
            surgery.act(first, "confirm"),
        )
        assert answers[2].status_code == 200, answers[2].text
        assert {answer.status_code for answer in answers} <= {200, 201, 409, 412, 422}
        assert await patients_of_appointments(surgery, tenancy) == {stays}
