"""What a demo clinic is described by: frozen values without ids, the same at every start."""

from datetime import date, time
from decimal import Decimal

from msgspec import Struct

from domain.actor import Role
from tenancy.tenant import StrategyName


class RoomSpec(Struct, frozen=True):
    """A consulting room, a dental chair or a device."""

    name: str
    kind: str


class BranchSpec(Struct, frozen=True, kw_only=True):
    """One branch; its patients live in its districts and carry its country's documents."""

    code: str
    name: str
    country: str
    timezone: str
    city: str
    street: str
    phone: str
    districts: tuple[str, ...]
    rooms: tuple[RoomSpec, ...]


class SpecialtySpec(Struct, frozen=True):
    """A specialty of practitioners."""

    code: str
    name: str


class ServiceSpec(Struct, frozen=True, kw_only=True):
    """Something that practitioners of one specialty do; the price is in minor units of the clinic's currency."""

    code: str
    name: str
    category: str
    specialty: str
    price_minor: int
    duration_min: int
    kind: str
    reason_type: str = "procedure"
    tooth_scope: str = "none"


class ShiftSpec(Struct, frozen=True):
    """Weekly working hours at one branch, in its local time; weekdays are 1 (Monday) to 7."""

    branch: str
    weekdays: tuple[int, ...]
    start: time
    end: time


class StaffSpec(Struct, frozen=True, kw_only=True):
    """Somebody who works at the clinic; with a specialty also as a practitioner, at the branches of the shifts."""

    role: Role
    given_names: str
    family_name: str
    second_family_name: str
    sex: str
    birth_date: date
    branches: tuple[str, ...]
    specialty: str | None = None
    license_number: str | None = None
    experience: str | None = None
    shifts: tuple[ShiftSpec, ...] = ()


class ClosureSpec(Struct, frozen=True, kw_only=True):
    """Days without appointments, counted from today, of one branch or of one member of the staff (its index)."""

    reason: str
    first_day: int
    days: int
    branch: str | None = None
    staff: int | None = None


class ClinicSpec(Struct, frozen=True, kw_only=True):
    """One demo clinic with everything it has but its patients and its agenda, which are generated."""

    slug: str
    name: str
    description: str
    vertical: str
    strategy: StrategyName
    plan: str
    country: str
    timezone: str
    currency: str
    tax_rate: Decimal
    phone: str
    branches: tuple[BranchSpec, ...]
    specialties: tuple[SpecialtySpec, ...]
    services: tuple[ServiceSpec, ...]
    staff: tuple[StaffSpec, ...]
    closures: tuple[ClosureSpec, ...]
    patient_age_min: int
    patient_age_max: int
    patients_female_percent: int

    @property
    def email_domain(self) -> str:
        """Where the clinic's mail would be; `.example` belongs to nobody (RFC 2606)."""
        return f"{self.slug}.example"
