"""Who may do what: the permission matrices of clinic and platform, as sets of `area:action` for each role.

A permission opens a route. Which rows it opens (own ones, those of a branch) is a rule of the domain.
"""

from collections.abc import Iterable
from functools import lru_cache
from types import MappingProxyType

from auth.principal import Principal, PrincipalKind

ROLE_SETS_CACHED_MAX = 512

_CLINICIANS = ("dentist", "doctor")
_STAFF = ("admin", *_CLINICIANS, "nurse", "operator", "digitizer", "auditor")
_EVERYBODY = (*_STAFF, "patient")
_PATIENT_WRITERS = ("admin", *_CLINICIANS, "nurse", "operator", "digitizer")
_APPOINTMENT_WRITERS = ("admin", *_CLINICIANS, "nurse", "operator")

CLINIC_MATRIX: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "users:read": ("admin", "auditor"),
        "users:write": ("admin",),
        "settings:read": ("admin", "auditor"),
        "settings:write": ("admin",),
        "branches:read": _STAFF,
        "branches:write": ("admin",),
        "rooms:read": _EVERYBODY,
        "rooms:write": ("admin",),
        "specialties:read": _EVERYBODY,
        "specialties:write": ("admin",),
        "services:read": _EVERYBODY,
        "services:write": ("admin",),
        "practitioners:read": _EVERYBODY,
        "practitioners:write": ("admin",),
        "availability:read": _EVERYBODY,
        "availability:write": ("admin",),
        "patients:read": _EVERYBODY,
        "patients:write": _PATIENT_WRITERS,
        "appointments:read": _EVERYBODY,
        # Asking for an appointment and cancelling one: portal users may, for their own.
        "appointments:request": (*_APPOINTMENT_WRITERS, "patient"),
        "appointments:write": _APPOINTMENT_WRITERS,
        "appointments:overbook": ("admin", "operator"),
        "audit:read": ("admin", "auditor"),
    }
)
"""Permission -> roles of a clinic that have it. `*:read` of a portal user means own rows only."""

SERVICE_PERMISSIONS = frozenset(
    {
        "availability:read",
        "services:read",
        "practitioners:read",
        "specialties:read",
        "patients:read",
        "appointments:read",
        "appointments:request",
    }
)
"""The most that the scopes of a service token can open."""

_OPERATORS = ("superadmin", "operator")
_ALL_OPERATORS = (*_OPERATORS, "support", "auditor")

PLATFORM_MATRIX: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "tenants:read": _ALL_OPERATORS,
        "tenants:write": _OPERATORS,
        "tenants:purge": ("superadmin",),
        "registrations:read": _ALL_OPERATORS,
        "registrations:write": _OPERATORS,
        "moves:read": _ALL_OPERATORS,
        "moves:write": _OPERATORS,
        "servers:read": _ALL_OPERATORS,
        "servers:write": _OPERATORS,
        "plans:read": _ALL_OPERATORS,
        "plans:write": _OPERATORS,
        "subscriptions:read": _ALL_OPERATORS,
        "subscriptions:write": _OPERATORS,
        "migrations:read": _ALL_OPERATORS,
        "migrations:write": _OPERATORS,
        "service_tokens:read": _ALL_OPERATORS,
        "service_tokens:write": _OPERATORS,
        "imports:read": _ALL_OPERATORS,
        "imports:write": _OPERATORS,
        "metrics:read": _ALL_OPERATORS,
        "audit:read": ("superadmin", "auditor"),
        "operators:read": ("superadmin", "auditor"),
        "operators:write": ("superadmin",),
    }
)
"""Permission -> roles of the platform that have it."""

PERMISSIONS = frozenset(CLINIC_MATRIX) | frozenset(PLATFORM_MATRIX)


def _by_role(matrix: MappingProxyType[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    roles = {role for granted in matrix.values() for role in granted}
    return {
        role: frozenset(p for p, granted in matrix.items() if role in granted) for role in roles
    }


CLINIC_ROLES = _by_role(CLINIC_MATRIX)
PLATFORM_ROLES = _by_role(PLATFORM_MATRIX)


@lru_cache(maxsize=ROLE_SETS_CACHED_MAX)
def clinic_permissions(roles: frozenset[str]) -> frozenset[str]:
    """Return everything that users with these roles of a clinic may do."""
    return _union(CLINIC_ROLES.get(role) for role in roles)


@lru_cache(maxsize=ROLE_SETS_CACHED_MAX)
def platform_permissions(roles: frozenset[str]) -> frozenset[str]:
    """Return everything that operators with these roles may do."""
    return _union(PLATFORM_ROLES.get(role) for role in roles)


def permissions_of(principal: Principal) -> frozenset[str]:
    """Return everything that this caller may do."""
    match principal.kind:
        case PrincipalKind.USER:
            return clinic_permissions(principal.roles)
        case PrincipalKind.OPERATOR:
            return platform_permissions(principal.roles)
        case PrincipalKind.SERVICE:
            return principal.scopes & SERVICE_PERMISSIONS


def _union(sets: Iterable[frozenset[str] | None]) -> frozenset[str]:
    return frozenset().union(*(granted for granted in sets if granted is not None))
