"""What a request can lack before any rule of the clinic is asked. The docstring is the message."""


class RequestError(Exception):
    """The request cannot be understood."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or type(self).__doc__ or "")


class IfMatchRequiredError(RequestError):
    """The version that the caller read must be named in If-Match."""


class InvalidIfMatchError(RequestError):
    """If-Match does not hold a single entity tag."""


class InvalidIdempotencyKeyError(RequestError):
    """The Idempotency-Key is empty, too long or not printable."""


class IdempotencyKeyRequiredError(RequestError):
    """The request must carry an Idempotency-Key."""


class UnknownQueryParameterError(RequestError):
    """The query has a parameter that the route does not know."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
