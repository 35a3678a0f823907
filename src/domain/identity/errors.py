"""What the rules about users and logins can refuse."""

from domain.errors import ClinicError, InvalidFieldError, InvalidTransitionError


class InvalidCredentialsError(ClinicError):
    """Name or password is wrong."""


class UserNotAuthorizedError(ClinicError):
    """The user has no role in this clinic, or the account is disabled."""


class UserBlockedError(ClinicError):
    """The user is blocked."""


class UserPendingApprovalError(ClinicError):
    """The user still awaits approval."""


class InvalidRefreshTokenError(ClinicError):
    """The refresh token is not valid (any more)."""


class LastAdminError(InvalidTransitionError):
    """The clinic would be left without an active administrator."""


class WeakPasswordError(InvalidFieldError):
    """The new password breaks a rule; `code` names it."""

    def __init__(self, code: str, pointer: str = "/password") -> None:
        super().__init__(pointer, code, type(self).__doc__ or "")


class WrongPasswordError(InvalidFieldError):
    """The current password is not the right one."""

    def __init__(self) -> None:
        super().__init__("/current_password", "wrong_password", type(self).__doc__ or "")
