"""What an appointment points to: held as it is to the transaction's end, refused by field where it is out of use.

The rows are read FOR SHARE, before the advisory locks of the slot and always in the order patient, practitioner, room,
branch: who merges or archives one of them meanwhile either waits for the booking or is seen by it.
"""

from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct
from sqlalchemy import Select, select

from domain.actor import Actor
from domain.errors import ForbiddenError
from domain.organisation.branch_scope import own_patients, require_branch
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.models import Branch, Patient, PatientStatus, Practitioner, Room
from domain.organisation.workplaces import is_offered
from domain.scheduling.models import Appointment, Service
from domain.scheduling.moments import zone_named
from tenancy.session import TenantSession


class References(Struct, frozen=True, kw_only=True):
    """The rows that an appointment names."""

    patient_id: UUID
    practitioner_id: UUID
    branch_id: UUID
    room_id: UUID | None = None
    service_id: UUID | None = None


async def require_references(
    session: TenantSession, actor: Actor, wanted: References, clinic_zone: ZoneInfo
) -> ZoneInfo:
    """Return the zone of the branch if everything named is there, in use and open to the actor.

    It stays so to the end of the transaction, but for the service, which may end meanwhile. Raises
    `BrokenReferenceError`, `BranchForbiddenError`, and `ForbiddenError` for a portal user who names another patient.
    """
    if not actor.is_patient_only:
        await require_branch(session, actor, wanted.branch_id)
    found = {
        "patient_id": await session.scalar(_patient(wanted.patient_id, actor)),
        "practitioner_id": await session.scalar(_practitioner(wanted.practitioner_id, actor)),
        "room_id": await _held_room(session, wanted.room_id, wanted.branch_id),
    }
    zone_name = await session.scalar(_branch_zone(wanted.branch_id))
    found["service_id"] = await _offered_service(session, wanted.service_id)
    if actor.is_patient_only and found["patient_id"] is None:
        raise ForbiddenError
    if zone_name is None:
        raise BrokenReferenceError("/branch_id")
    for name, row_id in found.items():
        if row_id != getattr(wanted, name):
            raise BrokenReferenceError(f"/{name}")
    return zone_named(zone_name, clinic_zone)


async def require_room_and_service(
    session: TenantSession, *, branch_id: UUID, room_id: UUID | None, service_id: UUID | None
) -> None:
    """Return if the room is one of the branch and the service is offered; else raise `BrokenReferenceError`."""
    if await _held_room(session, room_id, branch_id) != room_id:
        raise BrokenReferenceError("/room_id")
    if await _offered_service(session, service_id) != service_id:
        raise BrokenReferenceError("/service_id")


async def hold_patient_of(session: TenantSession, appointment_id: UUID) -> None:
    """Hold the patient of an appointment whose own row is locked next: a merger takes the two in this order."""
    await session.execute(
        select(Patient.id)
        .join(Appointment.patient)
        .where(Appointment.id == appointment_id)
        .with_for_update(read=True, of=Patient)
    )


def _branch_zone(branch_id: UUID) -> Select[str]:
    statement = select(Branch.timezone).where(
        Branch.id == branch_id, Branch.is_active, Branch.archived_at.is_(None)
    )
    return statement.with_for_update(read=True, of=Branch)


def _patient(patient_id: UUID, actor: Actor) -> Select[UUID]:
    statement = select(Patient.id).where(
        Patient.id == patient_id, Patient.status == PatientStatus.ACTIVE
    )
    own = own_patients(actor)
    if own is not None:
        statement = statement.where(Patient.id.in_(own))
    return statement.with_for_update(read=True, of=Patient)


def _practitioner(practitioner_id: UUID, actor: Actor) -> Select[UUID]:
    statement = select(Practitioner.id).where(
        Practitioner.id == practitioner_id,
        Practitioner.is_active,
        Practitioner.archived_at.is_(None),
        is_offered(actor),
    )
    return statement.with_for_update(read=True, of=Practitioner)


async def _held_room(session: TenantSession, room_id: UUID | None, branch_id: UUID) -> UUID | None:
    if room_id is None:
        return None
    statement = select(Room.id).where(
        Room.id == room_id,
        Room.branch_id == branch_id,
        Room.is_active,
        Room.archived_at.is_(None),
    )
    return await session.scalar(statement.with_for_update(read=True, of=Room))


async def _offered_service(session: TenantSession, service_id: UUID | None) -> UUID | None:
    if service_id is None:
        return None
    return await session.scalar(
        select(Service.id).where(Service.id == service_id, Service.is_active)
    )
