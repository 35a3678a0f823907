"""What goes in and out about people: names, contact, documents, and what they do at the clinic."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.organisation.models import PatientStatus, Sex
from domain.organisation.schemas import Address, Label, ObjectKey, Phone, ShortLabel

IDENTIFIERS_MAX = 10

Email = Annotated[
    str,
    Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]+\.[^@\s.]{2,}$"),
]
Prose = Annotated[str, Meta(max_length=4_000, pattern=r"^[^\x00]*$")]
KindName = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=32,
        pattern=r"^[A-Za-z_]+$",
        description="dni, ce, ci, run, rut, cc, ti, rc, nit, curp, rfc, passport; anything else is kept as other.",
    ),
]
CountryCode = Annotated[
    str,
    Meta(min_length=2, max_length=2, pattern=r"^[A-Za-z]{2}$", description="ISO 3166-1 alpha-2."),
]
Number = Annotated[str, Meta(min_length=1, max_length=64)]
Contact = Annotated[
    dict[ObjectKey, Any],
    Meta(
        max_length=30,
        description="Free members; `name`, `relationship`, `phone` are the usual ones.",
    ),
]


class IdentifierIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document; it is checked and kept without separators. The first one of a person is the primary one."""

    kind: KindName
    country: CountryCode | None = None
    value: Number
    is_primary: bool = False


Identifiers = Annotated[list[IdentifierIn], Meta(max_length=IDENTIFIERS_MAX)]


class IdentifierOut(Struct, frozen=True, kw_only=True):
    """A document in its canonical form."""

    id: UUID
    kind: str
    country: str
    value: str
    is_primary: bool


class PersonIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new person."""

    given_names: Label
    family_name: Label
    second_family_name: Label | None = None
    birth_date: date | None = None
    sex: Sex = Sex.UNKNOWN
    phone: Phone | None = None
    email: Email | None = None
    address: Address | None = None
    identifiers: Identifiers = []


class PersonChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a person: `identifiers` replaces all documents, `add_identifiers` adds some."""

    given_names: Label | UnsetType = UNSET
    family_name: Label | UnsetType = UNSET
    second_family_name: Label | UnsetType | None = UNSET
    birth_date: date | UnsetType | None = UNSET
    sex: Sex | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    address: Address | UnsetType | None = UNSET
    identifiers: Identifiers | UnsetType = UNSET
    add_identifiers: Identifiers | UnsetType = UNSET


class PersonName(Struct, frozen=True, kw_only=True):
    """What everybody may know of a practitioner."""

    given_names: str
    family_name: str
    second_family_name: str | None


class PersonOut(PersonName, frozen=True, kw_only=True):
    """A practitioner as staff see them; a portal user sees the names, the rest is null."""

    birth_date: date | None = None
    sex: Sex | None = None
    phone: str | None = None
    email: str | None = None
    address: dict[str, Any] | None = None
    identifiers: list[IdentifierOut] | None = None


class PractitionerOut(Struct, frozen=True, kw_only=True):
    """One practitioner."""

    id: UUID
    person_id: UUID
    person: PersonOut
    user_id: UUID | None
    license_number: str | None
    specialty_id: UUID | None
    specialty_name: str | None
    experience: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class PractitionerListed(Struct, frozen=True, kw_only=True):
    """One practitioner as a list shows them."""

    id: UUID
    person_id: UUID
    person: PersonName
    user_id: UUID | None
    license_number: str | None
    specialty_id: UUID | None
    specialty_name: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class PractitionerIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new practitioner: a new `person`, or one whom the clinic knows already by `person_id`."""

    person: PersonIn | None = None
    person_id: UUID | None = None
    user_id: UUID | None = None
    license_number: ShortLabel | None = None
    specialty_id: UUID | None = None
    experience: Prose | None = None
    is_active: bool = True


class PractitionerChanges(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be changed about a practitioner."""

    person: PersonChanges | UnsetType = UNSET
    user_id: UUID | UnsetType | None = UNSET
    license_number: ShortLabel | UnsetType | None = UNSET
    specialty_id: UUID | UnsetType | None = UNSET
    experience: Prose | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class PractitionerFilter(Struct, frozen=True, kw_only=True):
    """Which practitioners a list shows."""

    branch_id: UUID | None = None
    specialty_id: UUID | None = None
    is_active: bool | None = None
    q: str | None = None


class GuardianOut(PersonName, frozen=True, kw_only=True):
    """Who answers for a patient."""

    phone: str | None


class PatientOut(Struct, frozen=True, kw_only=True):
    """One patient with the person's own data."""

    id: UUID
    person_id: UUID
    record_number: str
    status: PatientStatus
    merged_into_id: UUID | None
    given_names: str
    family_name: str
    second_family_name: str | None
    birth_date: date | None
    sex: Sex
    phone: str | None
    email: str | None
    address: dict[str, Any] | None
    identifiers: list[IdentifierOut]
    emergency_contact: dict[str, Any] | None
    guardian_person_id: UUID | None
    guardian: GuardianOut | None
    user_id: UUID | None
    do_not_contact: bool
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class DocumentListed(Struct, frozen=True, kw_only=True):
    """The document that a person is usually named by."""

    kind: str
    country: str
    value: str


class PatientListed(Struct, frozen=True, kw_only=True):
    """One patient as a list shows them; `document` is the primary one."""

    id: UUID
    person_id: UUID
    record_number: str
    status: PatientStatus
    given_names: str
    family_name: str
    second_family_name: str | None
    birth_date: date | None
    sex: Sex
    phone: str | None
    document: DocumentListed | None
    created_at: datetime
    updated_at: datetime
    version: int
