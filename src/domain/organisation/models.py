"""Tables of the organisation: branches and who works there, rooms, specialties, people and what they are to the clinic."""

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

import domain.identity.models  # noqa: F401  # the table of users, which ours point to by name
from domain.organisation.search_text import SEARCH_TEXT
from domain.tables import TenantBase, TenantRow, VersionedRow, tenant_key, tenant_reference

# None is SQL's NULL here, not JSON's null.
JSON_OBJECT = JSONB(none_as_null=True)


def _unique_while_live(name: str, *columns: str) -> Index:
    """Return a unique index over the rows that are not archived: what was archived does not hold its name."""
    return Index(
        name, "tenant_id", *columns, unique=True, postgresql_where=text("archived_at IS NULL")
    )


class RoomKind(StrEnum):
    """What a room is booked as."""

    ROOM = "room"
    CHAIR = "chair"
    DEVICE = "device"


class Sex(StrEnum):
    """Administrative sex (FHIR `administrative-gender`)."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class PatientStatus(StrEnum):
    """Whether the clinic still works with a patient's row."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    MERGED = "merged"


class Branch(VersionedRow, TenantBase):
    """A place where the clinic works (sede). One active branch at least stays: see `BranchService`."""

    __tablename__ = "branch"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "code"),
        CheckConstraint("name <> '' AND code <> ''", name="named"),
        CheckConstraint("jsonb_typeof(address) = 'object'", name="address"),
        CheckConstraint("archived_at IS NULL OR NOT is_active", name="archived"),
    )

    name: Mapped[str]
    code: Mapped[str]
    timezone: Mapped[str]
    address: Mapped[dict[str, Any] | None] = mapped_column(JSON_OBJECT)
    phone: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class BranchMember(TenantRow, TenantBase):
    """A user works at a branch: what every filter by branch rests on."""

    __tablename__ = "branch_member"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "branch_id", "user_id"),
        tenant_reference("branch_id", "branch"),
        tenant_reference("user_id", "user_account", on_delete="CASCADE"),
        Index(None, "tenant_id", "user_id", "branch_id"),
        Index(
            "uq_branch_member_default",
            "tenant_id",
            "user_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
    )

    branch_id: Mapped[UUID]
    user_id: Mapped[UUID]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))


class Room(VersionedRow, TenantBase):
    """A room, dental chair or device that an appointment can take."""

    __tablename__ = "room"
    __table_args__ = (
        tenant_key(),
        tenant_reference("branch_id", "branch"),
        CheckConstraint("kind IN ('room', 'chair', 'device')", name="kind"),
        CheckConstraint("name <> ''", name="named"),
        _unique_while_live("uq_room_name", "branch_id", "name"),
    )

    branch_id: Mapped[UUID]
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default=text("'room'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class Specialty(VersionedRow, TenantBase):
    """What a practitioner is specialised in."""

    __tablename__ = "specialty"
    __table_args__ = (
        tenant_key(),
        CheckConstraint("name <> '' AND code <> ''", name="named"),
        _unique_while_live("uq_specialty_name", "name"),
    )

    name: Mapped[str]
    code: Mapped[str]


class Person(VersionedRow, TenantBase):
    """A human being, whatever they are to the clinic: patient, practitioner, guardian, or several at once."""

    __tablename__ = "person"
    __table_args__ = (
        tenant_key(),
        CheckConstraint("given_names <> '' AND family_name <> ''", name="named"),
        CheckConstraint("sex IN ('female', 'male', 'other', 'unknown')", name="sex"),
        CheckConstraint("jsonb_typeof(address) = 'object'", name="address"),
        # Today wherever it is today already; the service knows the clinic's own zone.
        CheckConstraint("birth_date <= (now() AT TIME ZONE 'Etc/GMT-14')::date", name="birth_date"),
        # Holds all that a search reads, so that it never visits the table (see `people_search`).
        Index(None, "tenant_id", "search_text", "id"),
        Index(None, "tenant_id", "birth_date"),
    )

    given_names: Mapped[str]
    family_name: Mapped[str]
    second_family_name: Mapped[str | None]
    birth_date: Mapped[date | None]
    sex: Mapped[str] = mapped_column(server_default=text("'unknown'"))
    phone: Mapped[str | None]
    email: Mapped[str | None]
    address: Mapped[dict[str, Any] | None] = mapped_column(JSON_OBJECT)
    search_text: Mapped[str] = mapped_column(
        Text(collation="C"), Computed(SEARCH_TEXT, persisted=True), deferred=True
    )

    identifiers: Mapped[list["PersonIdentifier"]] = relationship(viewonly=True, lazy="raise")


class PersonIdentifier(TenantRow, TenantBase):
    """A document that names one person; `value` holds capitals and digits only (`identity_documents`)."""

    __tablename__ = "person_identifier"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "kind", "country", "value"),
        tenant_reference("person_id", "person", on_delete="CASCADE"),
        CheckConstraint(
            "kind IN ('dni', 'ce', 'ci', 'run', 'cc', 'ti', 'rc', 'nit', 'curp', 'rfc', 'passport', 'other')",
            name="kind",
        ),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        CheckConstraint("value <> ''", name="value"),
        # By the document alone, from its beginning: the comparison of "C" may use the index under a policy.
        Index(None, "tenant_id", "value"),
        Index(None, "tenant_id", "person_id"),
        Index(
            "uq_person_identifier_primary",
            "tenant_id",
            "person_id",
            unique=True,
            postgresql_where=text("is_primary"),
        ),
    )

    person_id: Mapped[UUID]
    kind: Mapped[str]
    country: Mapped[str]
    value: Mapped[str] = mapped_column(Text(collation="C"))
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))


class Practitioner(VersionedRow, TenantBase):
    """A person who treats patients, with or without a login."""

    __tablename__ = "practitioner"
    __table_args__ = (
        tenant_key(),
        tenant_reference("person_id", "person"),
        tenant_reference("user_id", "user_account", on_delete="SET NULL (user_id)"),
        tenant_reference("specialty_id", "specialty"),
        CheckConstraint("archived_at IS NULL OR NOT is_active", name="archived"),
        # Among those who work here: whoever left may come back as a new row.
        _unique_while_live("uq_practitioner_person", "person_id"),
        _unique_while_live("uq_practitioner_user", "user_id"),
        _unique_while_live("uq_practitioner_license", "license_number"),
        Index(None, "tenant_id", "person_id"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "specialty_id"),
    )

    person_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    license_number: Mapped[str | None]
    specialty_id: Mapped[UUID | None]
    experience: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))

    person: Mapped[Person] = relationship(viewonly=True, lazy="raise")
    specialty: Mapped[Specialty | None] = relationship(viewonly=True, lazy="raise")


class Patient(VersionedRow, TenantBase):
    """A person whom the clinic treats, under the clinic's own record number."""

    __tablename__ = "patient"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "person_id"),
        UniqueConstraint("tenant_id", "user_id"),
        UniqueConstraint("tenant_id", "record_number"),
        tenant_reference("person_id", "person"),
        tenant_reference("user_id", "user_account", on_delete="SET NULL (user_id)"),
        tenant_reference("guardian_person_id", "person", on_delete="SET NULL (guardian_person_id)"),
        tenant_reference("merged_into_id", "patient"),
        CheckConstraint("status IN ('active', 'archived', 'merged')", name="status"),
        CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged"),
        CheckConstraint("merged_into_id <> id", name="merged_into_other"),
        CheckConstraint("guardian_person_id <> person_id", name="guardian_is_another"),
        CheckConstraint("(status = 'active') = (archived_at IS NULL)", name="archived"),
        CheckConstraint("jsonb_typeof(emergency_contact) = 'object'", name="emergency_contact"),
        Index(None, "tenant_id", "guardian_person_id"),
        Index(None, "tenant_id", "merged_into_id"),
    )

    person_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    record_number: Mapped[str]
    emergency_contact: Mapped[dict[str, Any] | None] = mapped_column(JSON_OBJECT)
    guardian_person_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    merged_into_id: Mapped[UUID | None]
    do_not_contact: Mapped[bool] = mapped_column(server_default=text("false"))

    person: Mapped[Person] = relationship(
        viewonly=True, lazy="raise", foreign_keys="[Patient.tenant_id, Patient.person_id]"
    )
    guardian: Mapped[Person | None] = relationship(
        viewonly=True, lazy="raise", foreign_keys="[Patient.tenant_id, Patient.guardian_person_id]"
    )
