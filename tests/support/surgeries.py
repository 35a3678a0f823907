"""Practitioners, rooms and patients for tests of the agenda: rows straight into the tables, appointments over HTTP."""

import secrets
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import select

from clinics import Clinic
from domain.actor import Role
from domain.operations.models import AuditEvent
from domain.organisation.models import Branch, BranchMember, Patient, Person, Practitioner, Room
from domain.scheduling.calendar import DAY, day_period
from domain.scheduling.models import AppointmentEvent, AvailabilityRule
from domain.tables import new_id
from tenancy.modes import Mode

APPOINTMENTS = "/api/v1/appointments"
WORKDAYS = (1, 2, 3, 4, 5)


def next_weekday(weekday: int, *, weeks: int = 2) -> date:
    """An ISO weekday some weeks from now: never today, well before the portal's limit."""
    today = datetime.now(ZoneInfo("America/Lima")).date()
    monday = today - timedelta(days=today.isoweekday() - 1)
    return monday + timedelta(weeks=weeks, days=weekday - 1)


class Surgery:
    """A practitioner with a room and a patient at one branch, attending on workdays from 09:00 to 13:00."""

    def __init__(self, clinic: Clinic, branch_id: UUID, zone: str) -> None:
        self.clinic = clinic
        self.branch_id = branch_id
        self.zone = ZoneInfo(zone)
        self.practitioner_id = new_id()
        self.room_id = new_id()
        self.patient_id = new_id()

    async def add(self, *rows: Any) -> None:
        """Insert rows, one table after the other."""
        async with self.clinic._tenancy.session(self.clinic.tenant_id, Mode.WRITE) as session:
            for row in rows:
                session.add(row)
                await session.flush()

    async def fill(self) -> "Surgery":
        person_id = new_id()
        await self.add(
            Person(
                id=person_id, given_names="Rosa", family_name="Quispe", second_family_name="Mamani"
            ),
            Practitioner(id=self.practitioner_id, person_id=person_id),
            Room(id=self.room_id, branch_id=self.branch_id, name=secrets.token_hex(4)),
        )
        await self.add(*(self.rule(weekday) for weekday in WORKDAYS))
        self.patient_id = await self.another_patient()
        return self

    def rule(self, weekday: int, start: time = time(9), end: time = time(13)) -> AvailabilityRule:
        return AvailabilityRule(
            id=new_id(),
            practitioner_id=self.practitioner_id,
            branch_id=self.branch_id,
            weekday=weekday,
            start_local=start,
            end_local=end,
            valid_from=date(2020, 1, 1),
        )

    async def another_patient(self, user_id: UUID | None = None) -> UUID:
        person_id, patient_id = new_id(), new_id()
        await self.add(
            Person(id=person_id, given_names="Luis", family_name="Rojas"),
            Patient(
                id=patient_id,
                person_id=person_id,
                record_number=secrets.token_hex(6),
                user_id=user_id,
            ),
        )
        return patient_id

    async def another_practitioner(self) -> UUID:
        person_id, practitioner_id = new_id(), new_id()
        await self.add(
            Person(id=person_id, given_names="Ana", family_name="Flores"),
            Practitioner(id=practitioner_id, person_id=person_id),
        )
        return practitioner_id

    async def portal_user(self) -> tuple[UUID, UUID, str]:
        """A patient who can log in: ids of user and patient, and the token."""
        user_id, username = await self.clinic.add_user(Role.PATIENT, in_first_branch=False)
        patient_id = await self.another_patient(user_id)
        return user_id, patient_id, await self._token(username)

    async def staff(self, role: Role, *branch_ids: UUID) -> str:
        """A token of somebody of that role who works at these branches alone."""
        user_id, username = await self.clinic.add_user(role, in_first_branch=False)
        await self.add(*(BranchMember(branch_id=branch, user_id=user_id) for branch in branch_ids))
        return await self._token(username)

    async def _token(self, username: str) -> str:
        answer = await self.clinic.login(username)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access"])

    def body(self, start: datetime | str, minutes: int = 30, **changes: Any) -> dict[str, Any]:
        """A booking from `start` on, on the branch's wall clock unless it has an offset."""
        begin = datetime.fromisoformat(start) if isinstance(start, str) else start
        return {
            "patient_id": str(self.patient_id),
            "practitioner_id": str(self.practitioner_id),
            "branch_id": str(self.branch_id),
            "starts_at": begin.isoformat(),
            "ends_at": (begin + timedelta(minutes=minutes)).isoformat(),
        } | {
            name: str(value) if isinstance(value, UUID) else value
            for name, value in changes.items()
        }

    async def book(
        self, start: datetime | str, minutes: int = 30, **changes: Any
    ) -> dict[str, Any]:
        """Book and return what was answered."""
        answer = await self.clinic.post(APPOINTMENTS, self.body(start, minutes, **changes))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def act(
        self, appointment: dict[str, Any], action: str, body: Any = None, **options: Any
    ) -> httpx.Response:
        """Send an action under the version that was read."""
        tag = {"If-Match": f'"{appointment["version"]}"'}
        return await self.clinic.post(
            f"{APPOINTMENTS}/{appointment['id']}/{action}",
            body,
            headers={**tag, **options.pop("headers", {})},
            **options,
        )


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}


async def surgery_at(
    clinic: Clinic, branch_id: UUID | None = None, zone: str = "America/Lima"
) -> Surgery:
    """A new surgery at the clinic's first branch, or at another one."""
    return await Surgery(clinic, branch_id or clinic.branch_id, zone).fill()


async def another_branch(clinic: Clinic, zone: str = "America/Lima") -> UUID:
    branch_id, code = new_id(), secrets.token_hex(4)
    async with clinic._tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        session.add(Branch(id=branch_id, name=f"Sede {code}", code=code, timezone=zone))
    return branch_id


def day_of_hours(hours: int, zone: ZoneInfo) -> date:
    """The next day of that many hours in the zone."""
    day = next_weekday(1)
    while (period := day_period(day, zone)).ends_at - period.starts_at != timedelta(hours=hours):
        day += DAY
    return day


async def events(clinic: Clinic, appointment_id: str) -> list[tuple[str | None, str, str | None]]:
    event = AppointmentEvent
    async with clinic._tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.execute(
            select(event.from_status, event.to_status, event.note)
            .where(event.appointment_id == UUID(appointment_id))
            .order_by(event.at, event.id)
        )
        return [tuple(row) for row in found]


async def audited(clinic: Clinic, appointment_id: str) -> list[tuple[str, UUID | None]]:
    async with clinic._tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.execute(
            select(AuditEvent.action, AuditEvent.branch_id)
            .where(
                AuditEvent.entity_type == "appointment",
                AuditEvent.entity_id == UUID(appointment_id),
            )
            .order_by(AuditEvent.at, AuditEvent.id)
        )
        return [tuple(row) for row in found]
