"""What can be wrong with what a caller presents. Docstrings are the messages; no status codes here."""


class AuthError(Exception):
    """The caller could not be let in."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or type(self).__doc__ or "")


class NotAuthenticatedError(AuthError):
    """The caller has not proved who they are; `challenge` is the WWW-Authenticate value (RFC 6750)."""

    challenge = 'Bearer realm="clinic"'


class MissingTokenError(NotAuthenticatedError):
    """A bearer token is needed."""


class InvalidTokenError(NotAuthenticatedError):
    """The token is not valid here."""

    challenge = 'Bearer realm="clinic", error="invalid_token"'


class TokenExpiredError(InvalidTokenError):
    """The token has expired."""


class PermissionDeniedError(AuthError):
    """The caller's roles do not allow this."""


class PasswordChangeRequiredError(AuthError):
    """The password must be changed before anything else."""
