"""What a handler declares about its session and its openness; merged into `opt`."""

from auth import route_options
from tenancy.session import Mode

READ = {route_options.SESSION_MODE: Mode.READ}
WRITE = {route_options.SESSION_MODE: Mode.WRITE}
AUDITED_READ = {route_options.SESSION_MODE: Mode.AUDITED_READ}

PUBLIC = {route_options.PUBLIC: True}
"""No token is asked for; everything else is closed by default."""

TENANT_IN_BODY = {route_options.TENANT_IN_BODY: True}
"""The body's `tenant_id` is one more candidate for the tenant (login only)."""

NO_TENANT = {route_options.NO_TENANT: True}
"""The route belongs to the platform, not to a clinic: no tenant is resolved, no tenant session exists."""

WHILE_SUSPENDED = {route_options.WHILE_SUSPENDED: True}
"""Allowed although the clinic is suspended and the handler writes: leaving, renewing a login."""

BEFORE_PASSWORD_CHANGE = {route_options.BEFORE_PASSWORD_CHANGE: True}
"""Allowed to a user who must change the password first."""
