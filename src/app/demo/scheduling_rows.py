"""The rows of a demo clinic that say what and when: services, opening hours, appointments."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from app.demo.agenda import Booking
from app.demo.identifiers import ClinicIds
from app.demo.opening_hours import closed_period, weekly_rules
from app.demo.organisation_rows import CLINIC_DAYS_OLD, Row, Rows
from app.demo.specification import ClinicSpec, ClosureSpec
from domain.actor import Role
from domain.scheduling.models import (
    Appointment,
    AppointmentEvent,
    AvailabilityException,
    AvailabilityRule,
    Service,
    ServiceCategory,
)
from domain.scheduling.slots import ExceptionKind
from domain.scheduling.transitions import AppointmentStatus
from domain.tables import new_id

_S = AppointmentStatus
BY_PRACTITIONER: Final = frozenset({_S.IN_PROGRESS, _S.COMPLETED})


class SchedulingRows:
    """Makes the rows of one clinic from its specification and its agenda."""

    def __init__(
        self, spec: ClinicSpec, ids: ClinicIds, bookings: Sequence[Booking], now: datetime
    ) -> None:
        self._spec = spec
        self._ids = ids
        self._bookings = [(new_id(), booking) for booking in bookings]
        self._now = now
        self._founded = {
            "created_at": now - timedelta(days=CLINIC_DAYS_OLD),
            "updated_at": now - timedelta(days=CLINIC_DAYS_OLD),
            "created_by": ids.admin,
            "version": 1,
        }
        self._zones = {branch.code: ZoneInfo(branch.timezone) for branch in spec.branches}
        self._receptions = self._receptionists()

    def all(self) -> list[Rows]:
        """Return the rows by table, in the order in which they can be inserted."""
        return [
            (ServiceCategory, list(self._categories())),
            (Service, list(self._services())),
            (AvailabilityRule, list(self._rules())),
            (AvailabilityException, [self._closure(closure) for closure in self._spec.closures]),
            (Appointment, [self._appointment(*entry) for entry in self._bookings]),
            (AppointmentEvent, [row for entry in self._bookings for row in self._events(*entry)]),
        ]

    def _categories(self) -> Iterator[Row]:
        for name, category_id in self._ids.categories.items():
            yield {**self._founded, "id": category_id, "name": name}

    def _services(self) -> Iterator[Row]:
        for service in self._spec.services:
            yield {
                **self._founded,
                "id": self._ids.services[service.code],
                "category_id": self._ids.categories[service.category],
                "code": service.code,
                "name": service.name,
                "base_price_minor": service.price_minor,
                "currency": self._spec.currency,
                "duration_min": service.duration_min,
                "tooth_scope": service.tooth_scope,
                "kind": service.kind,
                "tax_rate": self._spec.tax_rate,
            }

    def _rules(self) -> Iterator[Row]:
        for index, practitioner_id in self._ids.practitioners.items():
            for code, branch_id in self._ids.branches.items():
                today = self._now.astimezone(self._zones[code]).date()
                for rule in weekly_rules(self._spec.staff[index], code, today):
                    yield {
                        **self._founded,
                        "id": new_id(),
                        "practitioner_id": practitioner_id,
                        "branch_id": branch_id,
                        "weekday": rule.weekday,
                        "start_local": rule.start_local,
                        "end_local": rule.end_local,
                        "valid_from": rule.valid_from,
                    }

    def _closure(self, closure: ClosureSpec) -> Row:
        code = closure.branch or self._spec.staff[closure.staff or 0].branches[0]
        zone = self._zones[code]
        period = closed_period(closure, self._now.astimezone(zone).date(), zone)
        return {
            **self._founded,
            "id": new_id(),
            "practitioner_id": None
            if closure.staff is None
            else self._ids.practitioners[closure.staff],
            "branch_id": self._ids.branches[closure.branch] if closure.branch else None,
            "starts_at": period.starts_at,
            "ends_at": period.ends_at,
            "kind": ExceptionKind.CLOSED.value,
            "reason": closure.reason,
        }

    def _appointment(self, appointment_id: UUID, booking: Booking) -> Row:
        code = booking.branch.code
        return {
            "id": appointment_id,
            "patient_id": self._ids.patients[booking.patient],
            "practitioner_id": self._ids.practitioners[booking.staff],
            "branch_id": self._ids.branches[code],
            "room_id": self._ids.rooms[code, booking.room] if booking.room else None,
            "service_id": self._ids.services[booking.service.code],
            "starts_at": booking.period.starts_at,
            "ends_at": booking.period.ends_at,
            "status": booking.status.value,
            "reason_type": booking.service.reason_type,
            "reason_text": booking.service.name,
            "is_overbooked": booking.overbook_reason is not None,
            "overbook_reason": booking.overbook_reason,
            "source": booking.source,
            "cancel_reason": booking.cancel_reason,
            "cancelled_at": booking.reached_at(_S.CANCELLED),
            "arrived_at": booking.reached_at(_S.ARRIVED),
            "created_at": booking.changes[0].at,
            "created_by": self._author(booking, _S.PENDING),
            "updated_at": booking.changes[-1].at,
            "updated_by": self._author(booking, booking.status),
            "version": len(booking.changes),
        }

    def _events(self, appointment_id: UUID, booking: Booking) -> Iterator[Row]:
        before = None
        for change in booking.changes:
            yield {
                "id": new_id(),
                "appointment_id": appointment_id,
                "from_status": before,
                "to_status": change.status.value,
                "at": change.at,
                "by": self._author(booking, change.status),
                "note": booking.cancel_reason if change.status is _S.CANCELLED else None,
            }
            before = change.status.value

    def _author(self, booking: Booking, status: AppointmentStatus) -> UUID:
        """Return who brought the appointment to this status: patient, practitioner or reception."""
        if status in BY_PRACTITIONER:
            return self._ids.staff_users[booking.staff]
        if status is _S.PENDING and booking.source == "portal":
            return self._ids.portal_user
        return self._receptions[booking.branch.code]

    def _receptionists(self) -> dict[str, UUID]:
        """Return who receives patients at each branch: whoever has it as the first of theirs, else anybody there."""
        found: dict[str, UUID] = {}
        for user_id, staff in zip(self._ids.staff_users, self._spec.staff, strict=True):
            if staff.role is Role.OPERATOR:
                for code in staff.branches:
                    found.setdefault(code, user_id)
                found[staff.branches[0]] = user_id
        return found
