"""Who acts, as far as the clinic's rules care. Knows nothing of tokens or HTTP."""

from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class Role(StrEnum):
    """The roles a clinic user can have (permission matrix: `auth/permissions.py`)."""

    ADMIN = "admin"
    DENTIST = "dentist"
    DOCTOR = "doctor"
    NURSE = "nurse"
    OPERATOR = "operator"
    DIGITIZER = "digitizer"
    AUDITOR = "auditor"
    PATIENT = "patient"


STAFF_ROLES = frozenset(Role) - {Role.PATIENT}
ALL_BRANCH_ROLES = frozenset({Role.ADMIN, Role.AUDITOR})


class Actor(Struct, frozen=True, kw_only=True):
    """The one on whose behalf a service works; `user_id` is None for the system itself."""

    user_id: UUID | None
    kind: str = "user"
    roles: frozenset[Role] = frozenset()
    request_id: str | None = None
    ip: str | None = None

    @property
    def sees_all_branches(self) -> bool:
        """Whether rows of every branch are visible (administrators, auditors, the system)."""
        return bool(self.roles & ALL_BRANCH_ROLES)

    @property
    def is_patient_only(self) -> bool:
        """Whether the caller is a portal user: own rows only."""
        return self.kind == "user" and self.user_id is not None and self.roles <= {Role.PATIENT}


SYSTEM = Actor(user_id=None, kind="system", roles=frozenset({Role.ADMIN}))
