"""What the registry refuses. The docstring is the message; no status codes here."""

from tenancy.errors import TenancyError


class RegistryError(TenancyError):
    """The registry does not allow this."""


class RegistryUnavailableError(RegistryError):
    """The registry cannot be reached and nothing is known of this clinic yet; try again in a moment."""


class InvalidTenantFieldError(RegistryError):
    """A field of the clinic has a value that is not allowed."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__()
        self.pointer = f"/{field}"
        self.code = code


class SlugTakenError(RegistryError):
    """Another clinic has this sub-domain already."""


class SubdomainExistsError(RegistryError):
    """The sub-domain exists already (as the route of an earlier system says it)."""


class ReservedSlugError(RegistryError):
    """The sub-domain is kept for the platform."""


class NameTakenError(RegistryError):
    """Another clinic has this name already."""


class LegacyIdTakenError(RegistryError):
    """Another clinic was taken over from this legacy id already."""


class UnknownPlanError(RegistryError):
    """There is no such plan, or it is no longer sold."""


class StrategyNotAllowedError(RegistryError):
    """The plan does not allow this strategy."""


class UnknownServerError(RegistryError):
    """There is no such database server."""


class ServerNameTakenError(RegistryError):
    """There is a database server of this name already."""


class ServerFullError(RegistryError):
    """No database server takes a further clinic: all are full, draining or offline."""


class SignUpClosedError(RegistryError):
    """Clinics do not sign up by themselves here: ask the operators of the platform."""


class InvalidTenantStatusError(RegistryError):
    """The clinic's present status does not allow this."""


class StaleTenantError(RegistryError):
    """The clinic was changed by somebody else since it was read."""

    def __init__(self, current_version: int) -> None:
        super().__init__()
        self.current_version = current_version


class ProvisioningLostError(RegistryError):
    """The clinic's set-up was interrupted and is being taken back; try again in a moment."""


class OperatorExistsError(RegistryError):
    """There is an operator with this e-mail address already."""


class MoveOpenError(RegistryError):
    """The clinic is being moved already, or has a move whose way back is still kept."""
