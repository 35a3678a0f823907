"""How an appointment goes on: confirmed, arrived, started, completed, or cancelled or missed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import ForbiddenError
from domain.scheduling.agenda import AgendaService
from domain.scheduling.appointment_schemas import AppointmentOut
from domain.scheduling.booking_rules import require_portal_cancel
from domain.scheduling.changing import add_event, row_to_change
from domain.scheduling.models import Appointment
from domain.scheduling.transitions import AppointmentStatus, require_transition
from domain.service import ClinicService
from tenancy.session import TenantSession

ENTITY: Final = "appointment"

ACTIONS: Final[Mapping[AppointmentStatus, str]] = MappingProxyType(
    {
        AppointmentStatus.CONFIRMED: "confirm",
        AppointmentStatus.ARRIVED: "arrive",
        AppointmentStatus.IN_PROGRESS: "start",
        AppointmentStatus.COMPLETED: "complete",
        AppointmentStatus.CANCELLED: "cancel",
        AppointmentStatus.NO_SHOW: "no_show",
    }
)
"""Status -> the name that its audit event has."""


class VisitService(ClinicService):
    """Changes the status of appointments."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self._agenda = AgendaService(session, actor, clinic, clock)

    async def change_status(
        self,
        appointment_id: UUID,
        status: AppointmentStatus,
        *,
        version: int,
        note: str | None = None,
    ) -> AppointmentOut:
        """Bring the appointment to `status` if it still has `version`; `note` says why.

        Raises `NotFoundError`, `BranchForbiddenError`, `StaleVersionError` and `InvalidTransitionError`;
        portal users may cancel their own, in time, and nothing else.
        """
        row = await row_to_change(self.session, self.actor, appointment_id, version=version)
        before = AppointmentStatus(row.status)
        require_transition(before, status, starts_at=row.starts_at, now=self.now())
        if self.actor.is_patient_only:
            await self._require_portal_change(row, status)
        self._apply(row, status, note)
        await self.session.flush()
        await add_event(self.session, self.actor, row.id, before=before, after=status, note=note)
        await self.audit(ACTIONS[status], ENTITY, row.id, branch_id=row.branch_id)
        return await self._agenda.get_appointment(row.id)

    async def _require_portal_change(self, row: Appointment, status: AppointmentStatus) -> None:
        if status is not AppointmentStatus.CANCELLED:
            raise ForbiddenError
        await require_portal_cancel(self.session, row.starts_at, self.now())

    def _apply(self, row: Appointment, status: AppointmentStatus, note: str | None) -> None:
        row.status = status.value
        row.updated_by = self.actor.user_id
        if status is AppointmentStatus.ARRIVED:
            row.arrived_at = self.now()
        if status is AppointmentStatus.CANCELLED:
            row.cancelled_at = self.now()
            row.cancel_reason = note
