"""HEAD on every route that has a GET: the same answer without its body, behind the same doors."""

import httpx
import pytest

from clinics import Clinic
from operations import Operation, read_operations
from patient_requests import PATIENTS, audited, created
from populate import Population, populate
from tenancy.runtime import Tenancy

SAME = {"X-Request-ID": "same"}


@pytest.fixture(scope="module")
async def readable(api: httpx.AsyncClient) -> list[Operation]:
    return [one for one in await read_operations(api) if one.method == "GET"]


@pytest.fixture(scope="module")
async def population(clinic_a: Clinic) -> Population:
    return await populate(clinic_a)


def assert_same(got: httpx.Response, head: httpx.Response, of: Operation) -> None:
    assert (head.status_code, head.headers) == (got.status_code, got.headers), of
    assert head.headers["content-length"] == str(len(got.content)), of
    assert head.content == b"", of


async def test_head_tells_what_get_tells(population: Population, readable: list[Operation]) -> None:
    for one in (one for one in readable if one.is_for_clinic_users):
        url, query = population.urls(one), population.query(one)
        got, head = [
            await population.clinic.request(method, url, params=query, headers=SAME)
            for method in ("GET", "HEAD")
        ]
        assert got.status_code == 200, f"{one}: {got.text}"
        assert_same(got, head, one)


async def test_head_is_closed_where_get_is(
    api: httpx.AsyncClient, population: Population, readable: list[Operation]
) -> None:
    host = {"Host": population.clinic.host, **SAME}
    for one in (one for one in readable if one.is_for_clinic_users):
        url = population.urls(one)
        got, head = [await api.request(m, url, headers=host) for m in ("GET", "HEAD")]
        assert got.status_code == 401, one
        assert_same(got, head, one)
    for one in (one for one in readable if one.is_platform and not one.path_names):
        got, head = [await api.request(m, one.path, headers=SAME) for m in ("GET", "HEAD")]
        assert got.status_code == 401, one
        assert_same(got, head, one)


async def test_head_of_public_routes_is_open(
    api: httpx.AsyncClient, clinic_a: Clinic, readable: list[Operation]
) -> None:
    host = {"Host": clinic_a.host, **SAME}
    for one in (one for one in readable if one.is_public):
        got, head = [await api.request(m, one.path, headers=host) for m in ("GET", "HEAD")]
        assert got.status_code == 200, one
        assert_same(got, head, one)


async def test_head_of_a_patient_is_audited(tenancy: Tenancy, clinic_a: Clinic) -> None:
    patient = await created(clinic_a)
    answer = await clinic_a.request("HEAD", f"{PATIENTS}/{patient['id']}")
    assert answer.status_code == 200
    assert await audited(tenancy, clinic_a, patient["id"]) == ["create", "read"]
