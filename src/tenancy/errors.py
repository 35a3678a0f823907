"""What can go wrong between a tenant's name and an open session at its home."""

from tenancy.tenant import Home


class TenancyError(Exception):
    """Something about a tenant's place is not as it must be."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or type(self).__doc__ or "")


class NoTenantError(TenancyError):
    """A session was asked for without saying whose; there is no default tenant."""


class UnknownTenantError(TenancyError):
    """No clinic answers to this name."""


class TenantNotReadyError(TenancyError):
    """The clinic is still being set up."""


class TenantSuspendedError(TenancyError):
    """The clinic is suspended: it can be read, not written."""


class TenantMovingError(TenancyError):
    """The clinic is moving and did not settle within the deadline; try again in a moment."""


class LoginEndedError(TenancyError):
    """The login session was ended, or its user was blocked or given other roles."""


class ClinicBusyError(TenancyError):
    """The clinic has more requests waiting than it may have; try again in a moment."""


class ServerUnavailableError(TenancyError):
    """The server that holds the clinic cannot be reached or has no free connection."""


class HomeServesError(TenancyError):
    """The home takes a clinic in: nothing of it is removed."""


class ForbiddenStatementError(TenancyError):
    """A statement tried to change the tenant scope, the role or the search path by itself."""


class HomeSignal(Exception):  # noqa: N818  # a signal to follow, not an error to report
    """Base of what a home answers when it does not take the caller in."""


class HomeMovedSignal(HomeSignal):
    """The tenant lives elsewhere, or here with another epoch."""

    def __init__(self, home: Home | None, strategy: str | None, epoch: int, schema: str) -> None:
        super().__init__(f"moved, epoch {epoch}")
        self.home = home
        self.strategy = strategy
        self.epoch = epoch
        self.schema = schema


class HomeRetrySignal(HomeSignal):
    """The tenant is fenced at this moment: ask again shortly."""


class HomeUnknownSignal(HomeSignal):
    """The database has no row for the tenant."""


class StaleConnectionSignal(HomeSignal):
    """The pooled connection was dead before anything was sent on it: take another."""
