"""Who may book which time: overbooking, the past, and what a clinic lets its portal users do."""

from datetime import datetime, timedelta
from typing import Final

from auth.permissions import clinic_permissions
from domain.actor import Actor
from domain.errors import ForbiddenError, InvalidFieldError
from domain.operations.settings import read_settings
from domain.operations.settings_schemas import SchedulingSettings
from domain.scheduling.appointment_schemas import AppointmentSource
from domain.scheduling.calendar import Period
from domain.scheduling.errors import InvalidTimeError, TooLateToCancelError
from domain.scheduling.opening import SCHEDULING
from tenancy.session import TenantSession

BACKDATED_MAX: Final = timedelta(hours=12)
"""How long after its start staff may still enter an appointment."""
OVERBOOK: Final = "appointments:overbook"


def source_of(actor: Actor) -> AppointmentSource:
    """Return by which way the actor's appointments come in."""
    if actor.kind == "service":
        return AppointmentSource.API
    return AppointmentSource.PORTAL if actor.is_patient_only else AppointmentSource.STAFF


def require_overbooking(actor: Actor, reason: str | None) -> None:
    """Return if the actor may overbook and says why; else raise `ForbiddenError` or `InvalidFieldError`."""
    if OVERBOOK not in clinic_permissions(actor.roles):
        raise ForbiddenError
    if not reason or not reason.strip():
        raise InvalidFieldError("/overbook_reason", "required")


def require_not_past(period: Period, now: datetime) -> None:
    """Return if staff may still enter an appointment at that time; else raise `InvalidTimeError`."""
    if period.starts_at < now - BACKDATED_MAX:
        raise InvalidTimeError("starts_at", "in_the_past")


async def require_portal_time(session: TenantSession, period: Period, now: datetime) -> None:
    """Return if the clinic lets portal users ask for that time; else `ForbiddenError`, `InvalidTimeError`."""
    settings = await read_settings(session, SCHEDULING, SchedulingSettings)
    if not settings.portal_requests_allowed:
        raise ForbiddenError
    if period.starts_at < now + timedelta(minutes=settings.portal_notice_min):
        raise InvalidTimeError("starts_at", "too_soon")
    if period.starts_at > now + timedelta(days=settings.portal_days_ahead_max):
        raise InvalidTimeError("starts_at", "too_far_ahead")


async def require_portal_cancel(session: TenantSession, starts_at: datetime, now: datetime) -> None:
    """Return if a portal user may still cancel; else raise `TooLateToCancelError`."""
    settings = await read_settings(session, SCHEDULING, SchedulingSettings)
    if starts_at < now + timedelta(minutes=settings.portal_cancel_notice_min):
        raise TooLateToCancelError
