"""What goes in about patients, and what their lists, mergers and timelines are asked for."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.organisation.models import PatientStatus, Sex
from domain.organisation.person_schemas import (
    Contact,
    Email,
    Identifiers,
    PersonChanges,
    PersonIn,
)
from domain.organisation.schemas import Address, Label, Phone


class PatientIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new patient: the person's own data, or `person_id` of one whom the clinic knows already.

    The guardian is a new person in `guardian`, or `guardian_person_id` of a known one.
    """

    person_id: UUID | None = None
    given_names: Label | None = None
    family_name: Label | None = None
    second_family_name: Label | None = None
    birth_date: date | None = None
    sex: Sex = Sex.UNKNOWN
    phone: Phone | None = None
    email: Email | None = None
    address: Address | None = None
    identifiers: Identifiers = []
    emergency_contact: Contact | None = None
    guardian_person_id: UUID | None = None
    guardian: PersonIn | None = None
    user_id: UUID | None = None
    do_not_contact: bool = False


class PatientChanges(PersonChanges, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a patient; an archived one comes back by `status`."""

    emergency_contact: Contact | UnsetType | None = UNSET
    guardian_person_id: UUID | UnsetType | None = UNSET
    guardian: PersonIn | UnsetType = UNSET
    user_id: UUID | UnsetType | None = UNSET
    do_not_contact: bool | UnsetType = UNSET
    status: Literal["active", "archived"] | UnsetType = UNSET


class PatientFilter(Struct, frozen=True, kw_only=True):
    """Which patients a list shows; `q` looks at names, documents, phones and record numbers."""

    q: str | None = None
    document: str | None = None
    birth_date: date | None = None
    status: PatientStatus = PatientStatus.ACTIVE


class MergeIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The patient who stays."""

    into_id: UUID


class TimelineEvent(Struct, frozen=True, kw_only=True):
    """Something that happened to the patient's record; who did it is in the audit trail."""

    id: UUID
    at: datetime
    action: str
    entity_type: str
    entity_id: UUID | None
