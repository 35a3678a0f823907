"""What somebody asks for who wants a new clinic, and what that becomes once it is checked."""

import re
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from tenancy.registry.countries import country_defaults, is_timezone
from tenancy.registry.errors import InvalidTenantFieldError, StrategyNotAllowedError
from tenancy.registry.records import SYSTEM, PlanRecord, PlatformActor
from tenancy.registry.slugs import checked_slug
from tenancy.tenant import StrategyName, Tenant, TenantId, TenantStatus

NAME_LENGTH_MAX: Final = 200
DESCRIPTION_LENGTH_MAX: Final = 2000
EMAIL_LENGTH_MAX: Final = 254
PHONE_LENGTH_MAX: Final = 32
LANGUAGES: Final = frozenset({"es", "en"})
VERTICALS: Final = frozenset({"dental", "occupational", "mixed"})

_EMAIL = re.compile(r"[^@\s]{1,64}@[a-z0-9.-]+\.[a-z]{2,63}|[^@\s]{1,64}@localhost")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{4,30}")


class NewTenant(Struct, frozen=True, kw_only=True):
    """A clinic to be made. What is None comes from the country, the plan or the emptiest server."""

    name: str
    slug: str
    admin_email: str
    vertical: str = "dental"
    country: str = "PE"
    timezone: str | None = None
    currency: str | None = None
    language: str = "es"
    plan: str = "prueba"
    strategy: StrategyName | None = None
    """The one to use; refused if the plan does not allow it."""
    preferred_strategy: StrategyName | None = None
    """The one to use if the plan allows it and `strategy` says nothing."""
    server: str | None = None
    description: str | None = None
    phone: str | None = None
    legacy_id: str | None = None
    listed_in_suggestions: bool = True
    actor: PlatformActor = SYSTEM


class TenantDraft(Struct, frozen=True, kw_only=True):
    """A checked request: the clinic's id and the columns of its row."""

    id: TenantId
    columns: dict[str, Any]

    def tenant(self, status: TenantStatus, hostname: str) -> Tenant:
        """Return the clinic as requests know it."""
        kept = {"slug", "name", "vertical", "country", "timezone", "currency", "language"}
        return Tenant(
            id=self.id,
            status=status,
            hostnames=(hostname,),
            **{name: value for name, value in self.columns.items() if name in kept},
        )


def checked_draft(request: NewTenant, plan_id: UUID) -> TenantDraft:
    """Return the request with its defaults filled in and a new id; raise `InvalidTenantFieldError`."""
    fields = checked_fields(
        {
            "name": request.name,
            "admin_email": request.admin_email,
            "vertical": request.vertical,
            "language": request.language,
            "country": request.country,
            "description": request.description,
            "phone": request.phone,
        }
    )
    usual = country_defaults(fields["country"], request.timezone, request.currency)
    return TenantDraft(
        id=TenantId(uuid7()),
        columns={
            **fields,
            "slug": checked_slug(request.slug),
            "timezone": _timezone(usual.timezone),
            "currency": _currency(usual.currency),
            "plan_id": plan_id,
            "legacy_id": request.legacy_id,
            "listed_in_suggestions": request.listed_in_suggestions,
        },
    )


def timezone_of(request: NewTenant) -> str:
    """Return the zone that the clinic and its first branch will have; raise `InvalidTenantFieldError`."""
    country = _country(request.country)
    return _timezone(country_defaults(country, request.timezone, request.currency).timezone)


def chosen_strategy(request: NewTenant, terms: PlanRecord) -> StrategyName:
    """Return the strategy that was asked for, else the preferred one, else the plan's own."""
    allowed = terms.allowed_strategies
    if request.strategy is not None:
        if request.strategy not in allowed:
            raise StrategyNotAllowedError
        return request.strategy
    preferred = request.preferred_strategy
    return preferred if preferred in allowed and preferred is not None else allowed[0]


def checked_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return values of a clinic's row in the form in which they are kept; raise `InvalidTenantFieldError`."""
    return {
        name: _CHECKS[name](value) if name in _CHECKS else value for name, value in fields.items()
    }


def _name(value: str) -> str:
    name = " ".join(value.split())
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidTenantFieldError("name", "invalid_name")
    return name


def _email(value: str) -> str:
    email = value.strip().lower()
    if len(email) > EMAIL_LENGTH_MAX or not email.isprintable() or not _EMAIL.fullmatch(email):
        raise InvalidTenantFieldError("admin_email", "invalid_email")
    return email


def _vertical(value: str) -> str:
    if value not in VERTICALS:
        raise InvalidTenantFieldError("vertical", "unknown_vertical")
    return value


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise InvalidTenantFieldError("language", "unknown_language")
    return value


def _country(value: str) -> str:
    country = value.strip().upper()
    if not _COUNTRY.fullmatch(country):
        raise InvalidTenantFieldError("country", "unknown_country")
    return country


def _timezone(value: str) -> str:
    if not is_timezone(value):
        raise InvalidTenantFieldError("timezone", "unknown_timezone")
    return value


def _currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise InvalidTenantFieldError("currency", "unknown_currency")
    return value


def _description(value: str | None) -> str | None:
    text = (value or "").strip()
    if len(text) > DESCRIPTION_LENGTH_MAX or "\x00" in text:
        raise InvalidTenantFieldError("description", "invalid_description")
    return text or None


def _phone(value: str | None) -> str | None:
    phone = (value or "").strip()
    if phone and (len(phone) > PHONE_LENGTH_MAX or not _PHONE.fullmatch(phone)):
        raise InvalidTenantFieldError("phone", "invalid_phone")
    return phone or None


_CHECKS: Final[dict[str, Any]] = {
    "name": _name,
    "admin_email": _email,
    "vertical": _vertical,
    "language": _language,
    "country": _country,
    "timezone": _timezone,
    "currency": _currency,
    "description": _description,
    "phone": _phone,
}
