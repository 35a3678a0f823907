"""What the clinic's running can refuse."""

from domain.errors import ClinicError, NotFoundError


class IdempotencyKeyReusedError(ClinicError):
    """The idempotency key was used for another request already."""


class IdempotencyInProgressError(ClinicError):
    """A request under the same idempotency key is still being worked on."""


class UnknownNamespaceError(NotFoundError):
    """There is no such group of settings."""
