"""The operators' API: the clinics' life, and nothing of it for anybody else."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from clinics import Clinic
from platform_operators import AUTH, OperatorClient, operator_of
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

TENANTS = "/api/v1/platform/tenants"

Operators = Callable[[str], Awaitable[OperatorClient]]


@pytest.fixture(scope="module")
def make_operator(tenancy: Tenancy, api: httpx.AsyncClient) -> Operators:
    async def make(role: str) -> OperatorClient:
        return await operator_of(tenancy, api, role)

    return make


@pytest.fixture(scope="module")
async def operator(make_operator: Operators) -> OperatorClient:
    return await make_operator("operator")


def new_tenant(**changes: Any) -> dict[str, Any]:
    slug = changes.pop("slug", None) or f"c{secrets.token_hex(5)}"
    plain = {
        "name": f"Clinic {slug}",
        "slug": slug,
        "admin_email": f"admin@{slug}.example",
        "plan": "empresa",
    }
    return plain | changes


async def test_clinic_and_platform_do_not_take_each_others_tokens(
    api: httpx.AsyncClient, operator: OperatorClient, clinic_a: Clinic
) -> None:
    for path in (TENANTS, f"{AUTH}/me", f"{TENANTS}/{clinic_a.tenant_id}"):
        assert (await clinic_a.get(path)).status_code == 401
    answer = await operator.get("/api/v1/users", headers={"Host": clinic_a.host})
    assert answer.status_code == 401
    assert (await api.get(TENANTS)).status_code == 401


@pytest.mark.parametrize("role", ["support", "auditor"])
async def test_who_may_only_read_changes_nothing(
    make_operator: Operators, role: str, clinic_a: Clinic
) -> None:
    reader = await make_operator(role)
    assert (await reader.get(f"{TENANTS}/{clinic_a.tenant_id}")).status_code == 200
    for path in (
        TENANTS,
        f"{TENANTS}/{clinic_a.tenant_id}/suspend",
        "/admin/create-tenant?name=x&subdomain=abc",
    ):
        answer = await reader.post(path, json=new_tenant() if path == TENANTS else None)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("strategy", list(StrategyName), ids=str)
async def test_operator_makes_a_clinic_that_can_be_used(
    api: httpx.AsyncClient, operator: OperatorClient, strategy: StrategyName
) -> None:
    wanted = new_tenant(strategy=strategy.value, vertical="occupational", phone="+51 1 555 0000")
    answer = await operator.post(TENANTS, json=wanted)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"{TENANTS}/{made['id']}"
    assert answer.headers["etag"] == f'"{made["version"]}"'
    assert made["placement"]["strategy"] == strategy
    assert (made["status"], made["hostnames"]) == ("active", [f"{wanted['slug']}.localhost"])
    login = await api.post(
        "/api/personnel/auth/login",
        headers={"Host": made["hostnames"][0]},
        json={"username": made["admin"]["email"], "password": made["admin"]["temporary_password"]},
    )
    assert login.status_code == 200, login.text
    assert login.json()["user"]["must_change_password"] is True
    placement = await operator.get(f"{TENANTS}/{made['id']}/placement")
    assert placement.json() == made["placement"]
    assert (await operator.get(f"{TENANTS}/{made['id']}")).json() == {
        name: value for name, value in made.items() if name != "admin"
    }


async def test_given_password_is_not_shown(operator: OperatorClient) -> None:
    answer = await operator.post(TENANTS, json=new_tenant(admin_password="una clave larga"))
    assert answer.json()["admin"]["temporary_password"] is None
    weak = await operator.post(TENANTS, json=new_tenant(admin_password="test123"))
    assert weak.status_code == 422


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"plan": "none-such"}, 422, "invalid_reference"),
        ({"plan": "basico", "strategy": "database"}, 422, "validation_error"),
        ({"server": "nowhere"}, 422, "invalid_reference"),
        ({"colour": "blue"}, 422, "validation_error"),
        ({"slug": "www"}, 409, "slug_taken"),
    ],
)
async def test_bad_clinic_is_refused(
    operator: OperatorClient, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = await operator.post(TENANTS, json=new_tenant(**changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_pages_hold_every_clinic_once(
    operator: OperatorClient, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await operator.get(f"{TENANTS}?limit=2{cursor}")).json()
        seen += [tenant["id"] for tenant in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == sorted(set(seen))
    assert {str(clinic_a.tenant_id), str(clinic_b.tenant_id)} <= set(seen)
    assert (await operator.get(f"{TENANTS}?cursor=nonsense")).status_code in {400, 422}
    assert (await operator.get(f"{TENANTS}?limit=0")).status_code == 400
    assert (await operator.get(f"{TENANTS}?colour=blue")).status_code == 400
    suspended = (await operator.get(f"{TENANTS}?status=suspended&limit=100")).json()["items"]
    assert {tenant["status"] for tenant in suspended} <= {"suspended"}


async def test_change_needs_the_version_that_was_read(
    operator: OperatorClient, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    path = f"{TENANTS}/{clinic.tenant_id}"
    assert (await operator.request("PATCH", path, json={"phone": None})).status_code == 428
    changed = await operator.request(
        "PATCH", path, json={"name": f"Otra {clinic.slug}"}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, changed.json()["name"]) == (200, f"Otra {clinic.slug}")
    assert changed.headers["etag"] == '"2"'
    stale = await operator.request("PATCH", path, json={"phone": None}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    for bad in ({"slug": "other"}, {"status": "active"}, {"timezone": "Nowhere"}, {"name": "  "}):
        answer = await operator.request("PATCH", path, json=bad, headers={"If-Match": '"2"'})
        assert answer.status_code == 422, bad
    validity = await clinic.get("/api/tenants/validate", role=None)
    assert validity.json()["tenant"]["name"] == f"Otra {clinic.slug}"


async def test_suspended_clinic_is_read_only_until_it_is_resumed(
    operator: OperatorClient, placement: StrategyName, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic, other = await make_clinic(placement), await make_clinic(placement)
    path = f"{TENANTS}/{clinic.tenant_id}"
    specialty = {"name": "Ortodoncia", "code": f"S{secrets.token_hex(3)}"}
    await clinic.token()
    assert (await operator.post(f"{path}/suspend")).status_code == 428
    suspended = await operator.post(f"{path}/suspend", headers={"If-Match": '"1"'})
    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended")
    refused = await clinic.post("/api/v1/specialties", json=specialty)
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
    assert (await clinic.get("/api/v1/specialties")).status_code == 200
    assert (await other.post("/api/v1/specialties", json=specialty)).status_code == 201
    again = await operator.post(f"{path}/suspend", headers={"If-Match": '"2"'})
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    assert (await operator.post(f"{path}/resume", headers={"If-Match": '"2"'})).status_code == 200
    assert (await clinic.post("/api/v1/specialties", json=specialty)).status_code == 201


@pytest.mark.parametrize("status", ["trial", "active", "past_due"])
async def test_resumed_clinic_is_what_it_was_before_its_suspension(
    operator: OperatorClient, make_clinic: Callable[..., Awaitable[Clinic]], administrator: Any,
    tenancy: Tenancy, status: str,
) -> None:  # fmt: skip
    clinic, other = await make_clinic(StrategyName.ROW), await make_clinic(StrategyName.ROW)
    registry = await administrator(tenancy.options.registry_database)
    await registry.execute(
        "UPDATE registry.tenant SET status = $1 WHERE id = $2", status, clinic.tenant_id
    )
    await registry.close()
    path, before = (
        f"{TENANTS}/{clinic.tenant_id}",
        (await operator.get(f"{TENANTS}/{other.tenant_id}")).json(),
    )
    for version in (1, 3):
        tag = {"If-Match": f'"{version}"'}
        assert (await operator.post(f"{path}/suspend", headers=tag)).status_code == 200
        tag = {"If-Match": f'"{version + 1}"'}
        resumed = await operator.post(f"{path}/resume", headers=tag)
        assert (resumed.status_code, resumed.json()["status"]) == (200, status)
    assert (await operator.get(f"{TENANTS}/{other.tenant_id}")).json() == before


async def test_archived_clinic_is_gone_but_for_operators(
    operator: OperatorClient, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    await clinic.token()
    path = f"{TENANTS}/{clinic.tenant_id}"
    assert (await operator.post(f"{path}/archive", headers={"If-Match": '"1"'})).status_code == 200
    gone = await clinic.get("/api/v1/users")
    assert (gone.status_code, gone.json()["code"]) == (404, "tenant_not_found")
    assert (await operator.get(path)).json()["status"] == "archived"


async def test_unknown_clinic_is_404(operator: OperatorClient) -> None:
    answer = await operator.get(f"{TENANTS}/00000000-0000-7000-8000-000000000000")
    assert answer.status_code == 404


async def test_company_route_of_the_earlier_system(
    api: httpx.AsyncClient, operator: OperatorClient
) -> None:
    slug = f"c{secrets.token_hex(5)}"
    path = f"/admin/create-tenant?name=Minera+{slug}&subdomain={slug}"
    assert (await api.post(path)).status_code == 401
    made = await operator.post(path)
    assert made.status_code == 200, made.text
    assert made.json()["ok"] is True
    assert made.json()["db_name"].startswith("clinic_t_")
    again = await operator.post(path)
    assert (again.status_code, again.json()["code"]) == (400, "slug_taken")


async def test_what_operators_do_is_on_record(
    tenancy: Tenancy,
    operator: OperatorClient,
    make_clinic: Callable[..., Awaitable[Clinic]],
    administrator: Callable[..., Awaitable[Any]],
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    path = f"{TENANTS}/{clinic.tenant_id}"
    await operator.request(
        "PATCH", path, json={"phone": "+5115550000"}, headers={"If-Match": '"1"'}
    )
    await operator.post(f"{path}/suspend", headers={"If-Match": '"2"', "X-Request-ID": "r-77"})
    registry = await administrator(tenancy.options.registry_database)
    rows = await registry.fetch(
        "SELECT e.action, e.details, o.email FROM registry.platform_audit_event e"
        " LEFT JOIN registry.operator o ON o.id = e.actor_id WHERE e.tenant_id = $1 ORDER BY e.id",
        clinic.tenant_id,
    )
    await registry.close()
    assert [(row["action"], row["email"]) for row in rows] == [
        ("create", None), ("update", operator.email), ("status.suspended", operator.email),
    ]  # fmt: skip
    assert "5115550000" not in str([row["details"] for row in rows])


def test_every_closed_platform_route_asks_who_calls(app: Litestar) -> None:
    looked_at = 0
    for route in app.routes:
        is_platform = route.path.startswith(("/api/v1/platform", "/admin"))
        if not isinstance(route, HTTPRoute) or not is_platform:
            continue
        for method, (handler, parameters) in route.route_handler_map.items():
            if handler.opt.get("public") or method == "OPTIONS":
                continue
            keys = {needed.key for batch in parameters.dependency_batches for needed in batch}
            assert "operator" in keys, handler
            looked_at += 1
    assert looked_at >= 10
