"""What an appointment points to: looked up at once, refused by field where it is gone or no longer in use."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct
from sqlalchemy import ScalarSelect, select

from domain.actor import Actor
from domain.errors import ForbiddenError
from domain.organisation.branch_scope import own_patients, require_branch
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.models import Branch, Patient, PatientStatus, Practitioner, Room
from domain.organisation.workplaces import is_offered
from domain.scheduling.models import Service
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

    Raises `BrokenReferenceError`, `BranchForbiddenError`, and `ForbiddenError` for a portal user who names
    another patient.
    """
    if not actor.is_patient_only:
        await require_branch(session, actor, wanted.branch_id)
    found = await session.execute(
        select(
            _branch_zone(wanted.branch_id).label("timezone"),
            _patient(wanted.patient_id, actor).label("patient_id"),
            _practitioner(wanted.practitioner_id, actor).label("practitioner_id"),
            _room(wanted.room_id, wanted.branch_id).label("room_id"),
            _service(wanted.service_id).label("service_id"),
        )
    )
    row = found.one()
    if actor.is_patient_only and row.patient_id is None:
        raise ForbiddenError
    if row.timezone is None:
        raise BrokenReferenceError("/branch_id")
    for name in ("patient_id", "practitioner_id", "room_id", "service_id"):
        if getattr(row, name) != getattr(wanted, name):
            raise BrokenReferenceError(f"/{name}")
    return zone_named(row.timezone, clinic_zone)


async def require_room_and_service(
    session: TenantSession, *, branch_id: UUID, room_id: UUID | None, service_id: UUID | None
) -> None:
    """Return if the room is one of the branch and the service is offered; else raise `BrokenReferenceError`."""
    found = await session.execute(
        select(_room(room_id, branch_id).label("room_id"), _service(service_id).label("service_id"))
    )
    row = found.one()
    if row.room_id != room_id:
        raise BrokenReferenceError("/room_id")
    if row.service_id != service_id:
        raise BrokenReferenceError("/service_id")


def _branch_zone(branch_id: UUID) -> ScalarSelect[Any]:
    return select(Branch.timezone).where(Branch.id == branch_id, Branch.is_active).scalar_subquery()


def _patient(patient_id: UUID, actor: Actor) -> ScalarSelect[Any]:
    statement = select(Patient.id).where(
        Patient.id == patient_id, Patient.status == PatientStatus.ACTIVE
    )
    own = own_patients(actor)
    if own is not None:
        statement = statement.where(Patient.id.in_(own))
    return statement.scalar_subquery()


def _practitioner(practitioner_id: UUID, actor: Actor) -> ScalarSelect[Any]:
    return (
        select(Practitioner.id)
        .where(Practitioner.id == practitioner_id, Practitioner.is_active, is_offered(actor))
        .scalar_subquery()
    )


def _room(room_id: UUID | None, branch_id: UUID) -> ScalarSelect[Any]:
    statement = select(Room.id).where(Room.branch_id == branch_id, Room.is_active)
    return statement.where(Room.id == room_id, Room.archived_at.is_(None)).scalar_subquery()


def _service(service_id: UUID | None) -> ScalarSelect[Any]:
    return select(Service.id).where(Service.id == service_id, Service.is_active).scalar_subquery()
