"""What the clinic's rules can refuse. Classes hold data; the docstring is the message; no status codes here."""

from typing import Any


class ClinicError(Exception):
    """A rule of the clinic was not met."""

    def __init__(self, detail: str = "", **data: Any) -> None:
        super().__init__(detail or type(self).__doc__ or "")
        self.data = data


class NotFoundError(ClinicError):
    """There is no such thing in this clinic."""


class DuplicateError(ClinicError):
    """Something with the same identifying value exists already."""


class InvalidFieldError(ClinicError):
    """A field has a value that the rules do not allow."""

    def __init__(self, pointer: str, code: str, detail: str = "") -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.code = code


class InvalidReferenceError(ClinicError):
    """A field points to something that does not exist in this clinic."""


class StaleVersionError(ClinicError):
    """The row was changed by somebody else since it was read."""

    def __init__(self, current_version: int | None = None) -> None:
        super().__init__()
        self.current_version = current_version


class InvalidTransitionError(ClinicError):
    """The state machine does not allow this change of status."""


class ForbiddenError(ClinicError):
    """The caller's roles do not allow this."""


class BranchForbiddenError(ClinicError):
    """The caller does not work at this branch."""
