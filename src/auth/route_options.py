"""The names under which routes say in their `opt` how open they are; spelled here alone."""

from typing import Final

PUBLIC: Final = "public"
"""No token is asked for."""

NO_TENANT: Final = "no_tenant"
"""The route is the platform's: it takes operators' tokens and belongs to no clinic."""

TENANT_IN_BODY: Final = "tenant_in_body"
"""The body may name the clinic too."""

SESSION_MODE: Final = "session_mode"
"""How the route's transaction enters the clinic's home: a `Mode`."""

WHILE_SUSPENDED: Final = "while_suspended"
"""Allowed in a suspended clinic although it writes."""

BEFORE_PASSWORD_CHANGE: Final = "before_password_change"  # noqa: S105  # the name of an option, not a secret
"""Open to users who must change their password."""

NAMES: Final = frozenset(
    {PUBLIC, NO_TENANT, TENANT_IN_BODY, SESSION_MODE, WHILE_SUSPENDED, BEFORE_PASSWORD_CHANGE}
)
