"""Appointments in the shape of the dental system that came before: `citas`, by Spanish names."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Struct
from sqlalchemy import and_, select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import InvalidFieldError
from domain.operations.settings import read_settings
from domain.operations.settings_schemas import SchedulingSettings
from domain.organisation.branch_scope import in_offered_branches
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.models import Branch, BranchMember, Practitioner
from domain.paging import Page, PageRequest
from domain.scheduling.agenda import AgendaService
from domain.scheduling.appointment_schemas import (
    AppointmentFilter,
    AppointmentIn,
    AppointmentOut,
    ReasonType,
)
from domain.scheduling.appointments import AppointmentService
from domain.scheduling.errors import InvalidTimeError
from domain.scheduling.models import Service
from domain.scheduling.moments import read_instant, require_day, zone_named
from domain.scheduling.opening import SCHEDULING
from domain.scheduling.transitions import AppointmentStatus
from domain.service import ClinicService
from tenancy.session import TenantSession

MOTIVOS: Final[Mapping[str, ReasonType]] = MappingProxyType(
    {
        "CONSULTA": ReasonType.CONSULTATION,
        "URGENCIA": ReasonType.EMERGENCY,
        "CONTROL": ReasonType.CONTROL,
        "PROCEDIMIENTO": ReasonType.PROCEDURE,
        "EXAMEN_OCUPACIONAL": ReasonType.OCCUPATIONAL_EXAM,
        "OTRO": ReasonType.OTHER,
    }
)
TIPOS: Final = MappingProxyType({reason: motivo for motivo, reason in MOTIVOS.items()})

ESTADOS: Final[Mapping[AppointmentStatus, str]] = MappingProxyType(
    {
        AppointmentStatus.PENDING: "PENDIENTE",
        AppointmentStatus.CONFIRMED: "CONFIRMADA",
        AppointmentStatus.ARRIVED: "CONFIRMADA",
        AppointmentStatus.IN_PROGRESS: "CONFIRMADA",
        AppointmentStatus.COMPLETED: "ATENDIDA",
        AppointmentStatus.CANCELLED: "CANCELADA",
        AppointmentStatus.NO_SHOW: "CANCELADA",
    }
)
"""The earlier system had four: one there stands for several here."""


FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/practitioner_id": "/odontologo",
        "/patient_id": "/paciente",
        "/service_id": "/servicio",
        "/starts_at": "/fecha_hora",
        "/ends_at": "/fecha_hora",
    }
)
"""Where a complaint about a field of ours belongs in a cita."""


class CitaIn(Struct, frozen=True, kw_only=True):
    """A wanted appointment; ids are uuid strings, `fecha_hora` without offset is on the branch's wall clock."""

    odontologo: UUID
    paciente: UUID
    fecha_hora: Annotated[str, Meta(max_length=40)]
    motivo_tipo: Annotated[str, Meta(max_length=40)] = "OTRO"
    motivo: Annotated[str, Meta(max_length=1000)] = ""
    servicio: UUID | None = None


class CitaOut(Struct, frozen=True, kw_only=True):
    """An appointment as the earlier system shows it."""

    id: UUID
    odontologo: UUID
    paciente: UUID
    fecha_hora: datetime
    fecha_hora_fin: datetime
    motivo_tipo: str
    motivo: str
    estado: str
    pagada: bool


class BookedCita(Struct, frozen=True):
    """A cita and the version of its appointment."""

    cita: CitaOut
    version: int


class CitaFilter(Struct, frozen=True, kw_only=True):
    """Which citas are looked for."""

    odontologo: UUID | None = None
    paciente: UUID | None = None
    fecha: date | None = None
    estado: str | None = None


class SeedAgendaService(ClinicService):
    """Books and lists appointments for the earlier system's frontends."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic
        self._agenda = AgendaService(session, actor, clinic, clock)
        self._appointments = AppointmentService(session, actor, clinic, clock)

    async def book(self, new: CitaIn) -> BookedCita:
        """Book at the practitioner's branch, for as long as the service takes; staff may enter past ones.

        Raises what `AppointmentService.book` raises.
        """
        branch_id, zone_name = await self._branch_of(new.odontologo)
        zone = zone_named(zone_name, self.clinic.zone)
        starts_at = read_instant("fecha_hora", _moment(new.fecha_hora), zone)
        wanted = AppointmentIn(
            practitioner_id=new.odontologo,
            patient_id=new.paciente,
            branch_id=branch_id,
            starts_at=starts_at,
            ends_at=starts_at + await self._length(new.servicio),
            service_id=new.servicio,
            reason_type=_reason_type(new.motivo_tipo),
            reason_text=new.motivo,
        )
        try:
            booked = await self._appointments.book(wanted, may_be_past=True)
        except (BrokenReferenceError, InvalidTimeError) as error:
            error.pointer = FIELDS.get(error.pointer, error.pointer)
            raise
        return BookedCita(cita_of(booked), booked.version)

    async def list_citas(self, wanted: CitaFilter, page: PageRequest) -> Page[CitaOut]:
        """Return one page, the latest first."""
        found = await self._agenda.list_appointments(_canonical(wanted), page, newest_first=True)
        return Page(items=[cita_of(each) for each in found.items], next_cursor=found.next_cursor)

    async def _branch_of(self, practitioner_id: UUID) -> tuple[UUID, str]:
        """Return id and zone of the practitioner's own branch, else of the clinic's first that the caller may use."""
        user_id = (
            select(Practitioner.user_id).where(Practitioner.id == practitioner_id).scalar_subquery()
        )
        found = await self.session.execute(
            select(Branch.id, Branch.timezone)
            .outerjoin(
                BranchMember,
                and_(BranchMember.branch_id == Branch.id, BranchMember.user_id == user_id),
            )
            .where(Branch.is_active, in_offered_branches(Branch.id, self.actor))
            .order_by(BranchMember.is_default.desc().nulls_last(), Branch.id)
            .limit(1)
        )
        row = found.one_or_none()
        if row is None:
            raise BrokenReferenceError("/odontologo")
        return row.id, row.timezone

    async def _length(self, service_id: UUID | None) -> timedelta:
        if service_id is None:
            settings = await read_settings(self.session, SCHEDULING, SchedulingSettings)
            return timedelta(minutes=settings.default_duration_min)
        duration_min = await self.session.scalar(
            select(Service.duration_min).where(Service.id == service_id, Service.is_active)
        )
        if duration_min is None:
            raise BrokenReferenceError("/servicio")
        return timedelta(minutes=duration_min)


def cita_of(appointment: AppointmentOut) -> CitaOut:
    """Return the appointment as the earlier system shows it; what is paid is for billing to say."""
    return CitaOut(
        id=appointment.id,
        odontologo=appointment.practitioner_id,
        paciente=appointment.patient_id,
        fecha_hora=appointment.starts_at,
        fecha_hora_fin=appointment.ends_at,
        motivo_tipo=TIPOS[ReasonType(appointment.reason_type)],
        motivo=appointment.reason_text,
        estado=ESTADOS[AppointmentStatus(appointment.status)],
        pagada=False,
    )


def _canonical(wanted: CitaFilter) -> AppointmentFilter:
    since = until = None
    if wanted.fecha is not None:
        require_day("fecha", wanted.fecha)
        midnight = datetime.combine(wanted.fecha, time())
        since, until = wanted.fecha.isoformat(), (midnight + timedelta(days=1)).date().isoformat()
    statuses = tuple(s for s, estado in ESTADOS.items() if estado == (wanted.estado or "").upper())
    if wanted.estado is not None and not statuses:
        raise InvalidFieldError("estado", "invalid_choice")
    return AppointmentFilter(
        practitioner_id=wanted.odontologo,
        patient_id=wanted.paciente,
        statuses=statuses,
        since=since,
        until=until,
    )


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidTimeError("fecha_hora", "invalid_format") from None


def _reason_type(motivo_tipo: str) -> ReasonType:
    reason_type = MOTIVOS.get(motivo_tipo.strip().upper())
    if reason_type is None:
        raise InvalidFieldError("/motivo_tipo", "invalid_choice")
    return reason_type
