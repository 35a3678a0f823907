"""The operators' own way in and out: other audience, same care."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from platform_operators import AUTH, OperatorClient, log_in, operator_of
from tenancy.runtime import Tenancy

Operators = Callable[[str], Awaitable[OperatorClient]]


@pytest.fixture(scope="module")
def make_operator(tenancy: Tenancy, api: httpx.AsyncClient) -> Operators:
    async def make(role: str) -> OperatorClient:
        return await operator_of(tenancy, api, role)

    return make


@pytest.fixture(scope="module")
async def operator(make_operator: Operators) -> OperatorClient:
    return await make_operator("operator")


async def test_operator_logs_in_by_any_spelling_of_the_address(
    api: httpx.AsyncClient, operator: OperatorClient
) -> None:
    answer = await log_in(api, f" {operator.email.upper()} ")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    profile = (await operator.get(f"{AUTH}/me")).json()
    assert (profile["email"], profile["role"]) == (operator.email, "operator")
    assert "tenants:write" in profile["permissions"]
    assert "operators:write" not in profile["permissions"]


@pytest.mark.parametrize("email", ["nobody@platform.example", ""])
async def test_wrong_login_tells_nothing(
    api: httpx.AsyncClient, operator: OperatorClient, email: str
) -> None:
    answer = await log_in(api, email or operator.email, "a wrong password")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


async def test_too_many_failures_are_refused_even_with_the_right_password(
    api: httpx.AsyncClient, make_operator: Operators
) -> None:
    target = await make_operator("support")
    for _ in range(10):
        await log_in(api, target.email, "a wrong password")
    answer = await log_in(api, target.email)
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")


async def test_refresh_goes_on_and_a_copy_ends_the_login(
    api: httpx.AsyncClient, make_operator: Operators
) -> None:
    target = await make_operator("support")
    first = target.tokens["refresh"]
    second = (await api.post(f"{AUTH}/refresh", json={"refresh": first})).json()["refresh"]
    third = (await api.post(f"{AUTH}/refresh", json={"refresh": second})).json()
    copied = await api.post(f"{AUTH}/refresh", json={"refresh": first})
    assert (copied.status_code, copied.json()["code"]) == (401, "invalid_token")
    target.tokens = third
    assert (await target.get(f"{AUTH}/me")).status_code == 401


async def test_log_out_ends_access_and_refresh(
    api: httpx.AsyncClient, make_operator: Operators
) -> None:
    target = await make_operator("support")
    assert (await target.post(f"{AUTH}/logout")).status_code == 204
    assert (await target.get(f"{AUTH}/me")).json()["code"] == "session_ended"
    answer = await api.post(f"{AUTH}/refresh", json={"refresh": target.tokens["refresh"]})
    assert answer.status_code == 401


async def test_block_and_other_role_act_at_once(
    tenancy: Tenancy, make_operator: Operators, administrator: Callable[..., Awaitable[Any]]
) -> None:
    demoted, blocked = await make_operator("operator"), await make_operator("operator")
    registry = await administrator(tenancy.options.registry_database)
    await registry.execute(
        "UPDATE registry.operator SET role = 'auditor' WHERE email = $1", demoted.email
    )
    await registry.execute(
        "UPDATE registry.operator SET status = 'blocked' WHERE email = $1", blocked.email
    )
    await registry.close()
    for out in (demoted, blocked):
        answer = await out.get(f"{AUTH}/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
