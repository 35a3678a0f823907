"""Which operator calls, asked of the registry at every request, so that a block or another role acts at once."""

from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from msgspec import Struct

from auth.principal import Principal
from domain.actor import Actor
from tenancy.errors import LoginEndedError
from tenancy.platform import OperatorRecord, Platform, PlatformActor

OperatorRequest = Request[Principal, Any, State]
PlatformDependency = NamedDependency[SkipValidation[Platform]]


class CallingOperator(Struct, frozen=True):
    """The operator, and how the audit trail names the one who acts."""

    record: OperatorRecord
    actor: PlatformActor


Operator = NamedDependency[SkipValidation[CallingOperator]]


async def provide_operator(
    request: OperatorRequest,
    platform: PlatformDependency,
    actor: NamedDependency[SkipValidation[Actor]],
) -> CallingOperator:
    """Return the operator whose token this is; raise `LoginEndedError` when it is worth nothing any more."""
    principal = request.user
    assert principal.session_id is not None
    record = await platform.operators.at_work(principal.subject, principal.session_id)
    if record is None or record.role not in principal.roles:
        raise LoginEndedError
    return CallingOperator(
        record,
        PlatformActor(
            kind="operator", operator_id=record.id, request_id=actor.request_id, ip=actor.ip
        ),
    )


OPERATOR = {"operator": Provide(provide_operator)}
"""The dependency that every route of the platform declares, the public ones excepted."""
