"""The clinic that all others are copies of: staff, patients and an agenda of some weeks."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

from auth.passwords import HashScheme
from domain.identity.models import AuthSession, UserAccount, UserRole, UserStatus
from domain.organisation.models import (
    Branch,
    BranchMember,
    Patient,
    Person,
    PersonIdentifier,
    Practitioner,
    Room,
    Specialty,
)
from domain.scheduling.models import Appointment, AppointmentEvent
from domain.tables import TenantBase, new_id
from tenancy.session import TenantSession

PRACTITIONERS = 8
PATIENTS = 40
ROOMS = 4
AGENDA_DAYS = 4
APPOINTMENTS_A_DAY = 20
SLOT_MIN = 30
SLOTS_A_DAY = 16
FIRST_HOUR_UTC = 13
"""Eight in the morning in Lima."""

QUIET_DAYS = 60
PASSWORD_HASH = "$argon2id$v=19$m=8192,t=1,p=1$JywuL0RFa2t+JySk5ZQJow$pKi6ifJAcz/3b+GznXr8z4fULqZvr8ZYB67OAB4sKm0"  # gitleaks:allow

GIVEN_NAMES = ("Lucía", "Mateo", "Valentina", "Thiago", "Camila", "Santiago", "Rosa", "Julio")
FAMILY_NAMES = ("Quispe", "Flores", "Rojas", "Mamani", "Torres", "Díaz", "Vargas", "Huamán", "Cruz")


class ModelIds(Struct, frozen=True, kw_only=True):
    """The ids that requests name; those of clinic n are made from them (`copies.numbered`)."""

    user_id: UUID
    login_session_id: UUID
    access_version: int
    branch_id: UUID
    practitioner_ids: list[UUID]
    patient_ids: list[UUID]
    first_day: datetime
    """When the first day of the agenda begins, of `APPOINTMENTS_A_DAY` appointments."""
    quiet_from: datetime
    """From here on nothing is booked: room for the measurements' own bookings."""


async def fill_model_clinic(session: TenantSession) -> ModelIds:
    """Add the model's rows in the given session and return their ids."""
    filler = _Filler(session)
    user_id, login_session_id = await filler.user()
    branch_id = await filler.branch(user_id)
    practitioners = await filler.practitioners()
    patients = await filler.patients()
    first_day = await filler.appointments(branch_id, practitioners, patients)
    return ModelIds(
        user_id=user_id,
        login_session_id=login_session_id,
        access_version=1,
        branch_id=branch_id,
        practitioner_ids=practitioners,
        patient_ids=patients,
        first_day=first_day,
        quiet_from=first_day + timedelta(days=QUIET_DAYS),
    )


class _Filler:
    """Adds rows in the order of their references."""

    def __init__(self, session: TenantSession) -> None:
        self._session = session

    async def user(self) -> tuple[UUID, UUID]:
        """Add an administrator with a login session; return both ids."""
        user_id, login_session_id, now = new_id(), new_id(), datetime.now(UTC)
        await self._add(
            UserAccount(
                id=user_id,
                username="bench",
                email="bench@clinic.example",
                password_hash=PASSWORD_HASH,
                password_scheme=HashScheme.ARGON2ID.value,
                status=UserStatus.ACTIVE.value,
            )
        )
        await self._add(
            UserRole(user_id=user_id, role="admin"),
            AuthSession(
                id=login_session_id,
                user_id=user_id,
                family_id=login_session_id,
                refresh_sha256=sha256(login_session_id.bytes).digest(),
                issued_at=now,
                expires_at=now + timedelta(days=365),
            ),
        )
        return user_id, login_session_id

    async def branch(self, user_id: UUID) -> UUID:
        branch_id = new_id()
        await self._add(Branch(id=branch_id, name="Centro", code="C", timezone="America/Lima"))
        await self._add(
            BranchMember(branch_id=branch_id, user_id=user_id, is_default=True),
            *(Room(branch_id=branch_id, name=f"Sillón {n}", kind="chair") for n in range(ROOMS)),
        )
        return branch_id

    async def practitioners(self) -> list[UUID]:
        specialty_id = new_id()
        await self._add(Specialty(id=specialty_id, name="Odontología general", code="OG"))
        people = await self._people(PRACTITIONERS, offset=100)
        made = [
            Practitioner(
                id=new_id(),
                person_id=person,
                license_number=f"COP {n:05}",
                specialty_id=specialty_id,
            )
            for n, person in enumerate(people)
        ]
        await self._add(*made)
        return [practitioner.id for practitioner in made]

    async def patients(self) -> list[UUID]:
        people = await self._people(PATIENTS, offset=0)
        await self._add(
            *(
                PersonIdentifier(
                    person_id=person,
                    kind="dni",
                    country="PE",
                    value=f"{40_000_000 + n}",
                    is_primary=True,
                )
                for n, person in enumerate(people)
            )
        )
        made = [
            Patient(id=new_id(), person_id=person, record_number=f"HC-{n:06}")
            for n, person in enumerate(people)
        ]
        await self._add(*made)
        return [patient.id for patient in made]

    async def appointments(
        self, branch_id: UUID, practitioners: list[UUID], patients: list[UUID]
    ) -> datetime:
        """Add the agenda; return when its first day begins: tomorrow."""
        today = datetime.now(UTC).replace(hour=FIRST_HOUR_UTC, minute=0, second=0, microsecond=0)
        first_day = today + timedelta(days=1)
        made = []
        for number in range(AGENDA_DAYS * APPOINTMENTS_A_DAY):
            day, place = divmod(number, APPOINTMENTS_A_DAY)
            starts_at = slot(first_day + timedelta(days=day), place, len(practitioners))
            made.append(
                Appointment(
                    id=new_id(),
                    patient_id=patients[number % len(patients)],
                    practitioner_id=practitioners[place % len(practitioners)],
                    branch_id=branch_id,
                    starts_at=starts_at,
                    ends_at=starts_at + timedelta(minutes=SLOT_MIN),
                    status="confirmed" if number % 3 else "pending",
                    reason_type="consultation",
                    reason_text="Control",
                )
            )
        await self._add(*made)
        await self._add(*(AppointmentEvent(appointment_id=a.id, to_status=a.status) for a in made))
        return first_day

    async def _people(self, count: int, *, offset: int) -> list[UUID]:
        made = [
            Person(
                id=new_id(),
                given_names=GIVEN_NAMES[n % len(GIVEN_NAMES)],
                family_name=FAMILY_NAMES[n % len(FAMILY_NAMES)],
                second_family_name=FAMILY_NAMES[(n // 3) % len(FAMILY_NAMES)],
                phone=f"+51 9{n:08}",
                email=f"person{n}@mail.example",
            )
            for n in range(offset, offset + count)
        ]
        await self._add(*made)
        return [person.id for person in made]

    async def _add(self, *rows: TenantBase) -> None:
        self._session.add_all(rows)
        await self._session.flush()


def slot(first_day: datetime, number: int, practitioners: int) -> datetime:
    """Return when booking `number` starts if practitioner `number % practitioners` gets it: nobody is booked twice."""
    day, place = divmod(number // practitioners, SLOTS_A_DAY)
    return first_day + timedelta(days=day, minutes=SLOT_MIN * place)
