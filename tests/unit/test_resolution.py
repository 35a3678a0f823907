"""Which clinic a request is for: every combination of names agrees or is refused."""

from itertools import product

import pytest

from app.resolution import (
    Candidate,
    TenantMismatchError,
    check_status,
    host_candidate,
    named_candidate,
    resolve,
)
from known_clinics import BASES, A, B, Directory
from tenancy.errors import TenantNotReadyError, TenantSuspendedError, UnknownTenantError
from tenancy.tenant import TenantStatus


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize(
    "host",
    [
        "clinica-a.localhost",
        "CLINICA-A.localhost:8000",
        "clinica-a.clinics.example.",
        "citas.clinica-a.pe",
    ],
)
async def test_a_host_of_the_clinic_names_it(host: str, *, raises: bool) -> None:
    assert await resolve([host_candidate(host, BASES)], Directory(raises=raises)) is A


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "localhost",
        "clinics.example:443",
        "api.other.org",
        "a_b.org",
    ],
)
async def test_an_address_or_a_strange_host_names_nobody(host: str | None) -> None:
    assert await resolve([host_candidate(host, BASES)], Directory()) is None


@pytest.mark.parametrize(
    "host",
    ["typo.localhost", "clinica-a.x.localhost", "x.clinica-a.localhost", "www.clinics.example"],
)
async def test_an_unknown_name_under_a_base_domain_is_unknown(host: str) -> None:
    with pytest.raises(UnknownTenantError):
        await resolve([host_candidate(host, BASES)], Directory())


async def test_a_base_domain_counts_at_a_dot_only() -> None:
    assert (
        await resolve([host_candidate("clinica-a.evilclinics.example", BASES)], Directory()) is None
    )
    assert host_candidate("evilclinics.example", BASES) == Candidate(
        hostname="evilclinics.example", is_optional=True
    )


@pytest.mark.parametrize(
    "value",
    [
        "clinica-a",
        " CLINICA-A ",
        "clinica-a.localhost",
        "citas.clinica-a.pe:443",
        str(A.tenant.id),
        str(A.tenant.id).upper(),
    ],
)
async def test_a_header_names_the_clinic_by_slug_host_or_id(value: str) -> None:
    assert await resolve([named_candidate(value, BASES)], Directory()) is A


@pytest.mark.parametrize(
    "value",
    [
        "1",
        "nobody",
        "no_body",
        "a.b.localhost",
        "127.0.0.1",
        "018f3c5e-0000-7000-8000-00000000000c",
        "x" * 300,
        "%",
        "localhost",
        "ñ.pe",
    ],
)
async def test_a_header_that_names_nobody_is_unknown(value: str) -> None:
    with pytest.raises(UnknownTenantError):
        await resolve([named_candidate(value, BASES)], Directory())


@pytest.mark.parametrize("value", [None, "", "   "])
async def test_a_blank_header_says_nothing(value: str | None) -> None:
    assert await resolve([named_candidate(value, BASES)], Directory()) is None


async def test_international_names_are_compared_as_a_labels() -> None:
    ours = named_candidate("Clínica.pe", BASES)
    assert ours == named_candidate("xn--clnica-4va.pe.", BASES)


async def test_every_combination_agrees_or_is_refused() -> None:
    names = {None: None, "a": A, "b": B}
    for combination in product(names, repeat=3):
        host, *headers = [f"clinica-{name}" if name else None for name in combination]
        candidates = [host_candidate(f"{host}.localhost" if host else "127.0.0.1", BASES)]
        candidates += [named_candidate(value, BASES) for value in headers]
        said = {name for name in combination if name}
        if len(said) > 1:
            with pytest.raises(TenantMismatchError):
                await resolve(candidates, Directory())
        else:
            expected = names[said.pop()] if said else None
            assert await resolve(candidates, Directory()) is expected


READS = {"writes": False, "is_public": False}
WRITES = {"writes": True, "is_public": False}
LOGIN = {"writes": True, "is_public": True}


@pytest.mark.parametrize("status", [TenantStatus.TRIAL, TenantStatus.ACTIVE, TenantStatus.PAST_DUE])
@pytest.mark.parametrize("request_kind", [READS, WRITES, LOGIN])
def test_a_paying_clinic_may_do_everything(
    status: TenantStatus, request_kind: dict[str, bool]
) -> None:
    check_status(status, **request_kind)


def test_a_suspended_clinic_is_read_only_but_its_people_may_log_in() -> None:
    check_status(TenantStatus.SUSPENDED, **READS)
    check_status(TenantStatus.SUSPENDED, **LOGIN)
    with pytest.raises(TenantSuspendedError):
        check_status(TenantStatus.SUSPENDED, **WRITES)


def test_nobody_logs_in_to_a_cancelled_clinic() -> None:
    with pytest.raises(TenantSuspendedError):
        check_status(TenantStatus.CANCELLED, **LOGIN)


@pytest.mark.parametrize("request_kind", [READS, WRITES, LOGIN])
def test_an_archived_clinic_is_unknown_and_a_new_one_not_ready(
    request_kind: dict[str, bool],
) -> None:
    with pytest.raises(UnknownTenantError):
        check_status(TenantStatus.ARCHIVED, **request_kind)
    with pytest.raises(TenantNotReadyError):
        check_status(TenantStatus.PROVISIONING, **request_kind)
