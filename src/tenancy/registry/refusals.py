"""From a constraint that PostgreSQL held up to the error that says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from tenancy.registry.errors import (
    LegacyIdTakenError,
    NameTakenError,
    OperatorExistsError,
    RegistryError,
    ReservedSlugError,
    ServerFullError,
    ServerNameTakenError,
    SlugTakenError,
)

_BY_CONSTRAINT: dict[str, type[RegistryError]] = {
    "uq_tenant_slug": SlugTakenError,
    "uq_tenant_domain_hostname": SlugTakenError,
    "uq_tenant_name": NameTakenError,
    "uq_tenant_legacy_id": LegacyIdTakenError,
    "reserved_slug": ReservedSlugError,
    "server_capacity": ServerFullError,
    "uq_database_server_name": ServerNameTakenError,
    "uq_operator_email": OperatorExistsError,
}


@contextmanager
def refusals() -> Iterator[None]:
    """Raise the registry's own error for a constraint we have a word for; let everything else travel."""
    try:
        yield
    except DBAPIError as error:
        constraint = getattr(error.orig.__cause__, "constraint_name", None) if error.orig else None
        refusal = _BY_CONSTRAINT.get(constraint or "")
        if refusal is None:
            raise
        raise refusal from error
