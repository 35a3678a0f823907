"""Tables of scheduling: the catalogue, opening hours, appointments and what happened to them.

The trigger that lines up bookings of one resource and the one that keeps the statuses in order are in
`alembic/tenant/sql/increment_one_scheduling.sql`.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    Index,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from domain.organisation.models import Branch, Patient, Practitioner
from domain.tables import (
    CURRENT_TENANT,
    Money,
    TenantBase,
    VersionedRow,
    new_id,
    tenant_key,
    tenant_reference,
)

LIVE = text("archived_at IS NULL")
PERIOD = "tstzrange(starts_at, ends_at, '[)')"
OCCUPIES = "status IN ('pending', 'confirmed', 'arrived', 'in_progress') AND NOT is_overbooked"
STATUSES = "'pending', 'confirmed', 'arrived', 'in_progress', 'completed', 'cancelled', 'no_show'"


TAKES_ROOM = f"room_id IS NOT NULL AND {OCCUPIES}"


class ServiceCategory(VersionedRow, TenantBase):
    """A group of services in the catalogue."""

    __tablename__ = "service_category"
    __table_args__ = (
        tenant_key(),
        CheckConstraint("name <> ''", name="name"),
        Index("uq_service_category_name", "tenant_id", "name", unique=True, postgresql_where=LIVE),
    )

    name: Mapped[str]


class Service(VersionedRow, TenantBase):
    """Something the clinic offers at a price and for a length of time."""

    __tablename__ = "service"
    __table_args__ = (
        tenant_key(),
        tenant_reference("category_id", "service_category"),
        CheckConstraint("code <> '' AND name <> ''", name="names"),
        CheckConstraint("duration_min BETWEEN 5 AND 480", name="duration_min"),
        CheckConstraint("base_price_minor >= 0", name="base_price_minor"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("tax_rate >= 0 AND tax_rate < 1", name="tax_rate"),
        CheckConstraint(
            "tooth_scope IN ('none', 'tooth', 'surface', 'span', 'mouth')", name="tooth_scope"
        ),
        CheckConstraint("kind IN ('dental', 'medical', 'occupational')", name="kind"),
        CheckConstraint("archived_at IS NULL OR NOT is_active", name="archived"),
        # A code is free again once its service is archived.
        Index("uq_service_code", "tenant_id", "code", unique=True, postgresql_where=LIVE),
        Index(None, "tenant_id", "name", "id"),
        Index(None, "tenant_id", "category_id"),
    )

    category_id: Mapped[UUID]
    code: Mapped[str]
    name: Mapped[str]
    base_price_minor: Mapped[int] = mapped_column(Money)
    currency: Mapped[str]
    duration_min: Mapped[int]
    tooth_scope: Mapped[str] = mapped_column(server_default=text("'none'"))
    kind: Mapped[str]
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4), server_default=text("0"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class AvailabilityRule(VersionedRow, TenantBase):
    """Hours in which a practitioner attends at a branch, every week; a replaced rule is archived."""

    __tablename__ = "availability_rule"
    __table_args__ = (
        tenant_key(),
        tenant_reference("practitioner_id", "practitioner"),
        tenant_reference("branch_id", "branch"),
        CheckConstraint("weekday BETWEEN 1 AND 7", name="weekday"),
        CheckConstraint("end_local > start_local", name="end_local"),
        CheckConstraint(
            "extract(second FROM start_local) = 0 AND extract(second FROM end_local) = 0",
            name="whole_minutes",
        ),
        CheckConstraint("valid_to >= valid_from", name="valid_to"),
        # Nobody attends at two branches at once: the branch is no part of the constraint.
        ExcludeConstraint(
            ("tenant_id", "="),
            ("practitioner_id", "="),
            ("weekday", "="),
            (
                text(
                    "int4range((extract(epoch FROM start_local) / 60)::int,"
                    " (extract(epoch FROM end_local) / 60)::int)"
                ),
                "&&",
            ),
            (text("daterange(valid_from, valid_to, '[]')"), "&&"),
            name="no_overlapping_availability",
            using="gist",
            where=LIVE,
        ),
        Index(None, "tenant_id", "practitioner_id", "branch_id"),
        Index(None, "tenant_id", "branch_id"),
    )

    practitioner_id: Mapped[UUID]
    branch_id: Mapped[UUID]
    weekday: Mapped[int] = mapped_column(SmallInteger)
    start_local: Mapped[time]
    end_local: Mapped[time]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


class AvailabilityException(VersionedRow, TenantBase):
    """A period in which a practitioner or a whole branch is closed, or open beyond the weekly hours."""

    __tablename__ = "availability_exception"
    __table_args__ = (
        tenant_key(),
        tenant_reference("practitioner_id", "practitioner"),
        tenant_reference("branch_id", "branch"),
        CheckConstraint("num_nonnulls(practitioner_id, branch_id) = 1", name="whose"),
        CheckConstraint("ends_at > starts_at", name="ends_at"),
        CheckConstraint("kind IN ('closed', 'open')", name="kind"),
        Index(None, "tenant_id", "practitioner_id", "starts_at", "id"),
        Index(None, "tenant_id", "branch_id", "starts_at", "id"),
    )

    practitioner_id: Mapped[UUID | None]
    branch_id: Mapped[UUID | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    period: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, Computed(PERIOD, persisted=True), deferred=True
    )
    kind: Mapped[str]
    reason: Mapped[str | None]

    branch: Mapped[Branch | None] = relationship(viewonly=True, lazy="raise")


class Appointment(VersionedRow, TenantBase):
    """A patient's time with a practitioner. The exclusion constraints are the law against double booking."""

    __tablename__ = "appointment"
    __table_args__ = (
        tenant_key(),
        tenant_reference("patient_id", "patient"),
        tenant_reference("practitioner_id", "practitioner"),
        tenant_reference("branch_id", "branch"),
        tenant_reference("room_id", "room"),
        tenant_reference("service_id", "service"),
        tenant_reference("rescheduled_from_id", "appointment"),
        UniqueConstraint("tenant_id", "rescheduled_from_id"),
        CheckConstraint(
            "ends_at > starts_at AND ends_at - starts_at <= interval '12 hours'", name="length"
        ),
        CheckConstraint(f"status IN ({STATUSES})", name="status"),
        CheckConstraint(
            "reason_type IN ('consultation', 'emergency', 'control', 'procedure',"
            " 'occupational_exam', 'other')",
            name="reason_type",
        ),
        CheckConstraint("source IN ('staff', 'portal', 'api', 'import')", name="source"),
        CheckConstraint("NOT is_overbooked OR overbook_reason IS NOT NULL", name="overbook_reason"),
        CheckConstraint("cancelled_at IS NULL OR status = 'cancelled'", name="cancelled_at"),
        ExcludeConstraint(
            ("tenant_id", "="),
            ("practitioner_id", "="),
            ("period", "&&"),
            name="no_double_booking_practitioner",
            using="gist",
            where=text(OCCUPIES),
        ),
        ExcludeConstraint(
            ("tenant_id", "="),
            ("room_id", "="),
            ("period", "&&"),
            name="no_double_booking_room",
            using="gist",
            where=text(TAKES_ROOM),
        ),
        ExcludeConstraint(
            ("tenant_id", "="),
            ("patient_id", "="),
            ("period", "&&"),
            name="no_double_booking_patient",
            using="gist",
            where=text(OCCUPIES),
        ),
        Index(None, "tenant_id", "starts_at", "id"),
        Index(None, "tenant_id", "branch_id", "starts_at", "id"),
        Index(None, "tenant_id", "practitioner_id", "starts_at", "id"),
        Index(None, "tenant_id", "patient_id", "starts_at", "id"),
        Index(None, "tenant_id", "room_id", postgresql_where=text("room_id IS NOT NULL")),
    )

    patient_id: Mapped[UUID]
    practitioner_id: Mapped[UUID]
    branch_id: Mapped[UUID]
    room_id: Mapped[UUID | None]
    service_id: Mapped[UUID | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    period: Mapped[Range[datetime]] = mapped_column(
        TSTZRANGE, Computed(PERIOD, persisted=True), deferred=True
    )
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    reason_type: Mapped[str] = mapped_column(server_default=text("'other'"))
    reason_text: Mapped[str] = mapped_column(server_default=text("''"))
    is_overbooked: Mapped[bool] = mapped_column(server_default=text("false"))
    overbook_reason: Mapped[str | None]
    source: Mapped[str] = mapped_column(server_default=text("'staff'"))
    cancel_reason: Mapped[str | None]
    cancelled_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    rescheduled_from_id: Mapped[UUID | None]

    patient: Mapped[Patient] = relationship(viewonly=True, lazy="raise")
    practitioner: Mapped[Practitioner] = relationship(viewonly=True, lazy="raise")
    branch: Mapped[Branch] = relationship(viewonly=True, lazy="raise")


class AppointmentEvent(TenantBase):
    """One change of an appointment's status; the database refuses to change or remove it."""

    __tablename__ = "appointment_event"
    __table_args__ = (
        tenant_key(),
        tenant_reference("appointment_id", "appointment"),
        CheckConstraint(f"from_status IN ({STATUSES})", name="from_status"),
        CheckConstraint(f"to_status IN ({STATUSES})", name="to_status"),
        Index(None, "tenant_id", "appointment_id", "at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(server_default=CURRENT_TENANT)
    id: Mapped[UUID] = mapped_column(default=new_id, insert_sentinel=True)
    appointment_id: Mapped[UUID]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    by: Mapped[UUID | None]
    note: Mapped[str | None]

    __mapper_args__: dict[str, Any] = {"primary_key": ["id"], "eager_defaults": False}  # noqa: RUF012  # SQLAlchemy's protocol
