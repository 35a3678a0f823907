"""What a handler declares about its session and its openness; merged into `opt`."""

from tenancy.session import Mode

READ = {"session_mode": Mode.READ}
WRITE = {"session_mode": Mode.WRITE}
AUDITED_READ = {"session_mode": Mode.AUDITED_READ}

PUBLIC = {"public": True}
"""No token is asked for; everything else is closed by default."""

TENANT_IN_BODY = {"tenant_in_body": True}
"""The body's `tenant_id` is one more candidate for the tenant (login only)."""

NO_TENANT = {"no_tenant": True}
"""The route belongs to the platform, not to a clinic: no tenant is resolved, no tenant session exists."""

WHILE_SUSPENDED = {"while_suspended": True}
"""Allowed although the clinic is suspended and the handler writes: leaving, renewing a login."""
