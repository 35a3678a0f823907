"""The catalogue: categories and services, their prices, their limits, whose they are."""

import secrets
from typing import Any
from uuid import uuid4

import pytest

from clinics import Clinic
from domain.actor import Role
from surgeries import APPOINTMENTS, next_weekday, surgery_at

SERVICES = "/api/v1/services"
CATEGORIES = "/api/v1/service-categories"


async def category_of(clinic: Clinic) -> dict[str, Any]:
    answer = await clinic.post(CATEGORIES, {"name": f"Categoría {secrets.token_hex(4)}"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def body(clinic: Clinic, **changes: Any) -> dict[str, Any]:
    return {
        "category_id": (await category_of(clinic))["id"],
        "code": secrets.token_hex(4),
        "name": "Limpieza dental",
        "duration_min": 45,
        "base_price_minor": 12050,
        "tax_rate": "0.18",
    } | changes


async def service_of(clinic: Clinic, **changes: Any) -> dict[str, Any]:
    answer = await clinic.post(SERVICES, await body(clinic, **changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_new_service_has_the_clinics_currency_and_a_version(clinic_a: Clinic) -> None:
    answer = await clinic_a.post(SERVICES, await body(clinic_a))
    assert answer.status_code == 201, answer.text
    service = answer.json()
    assert answer.headers["Location"] == f"{SERVICES}/{service['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (service["base_price_minor"], service["currency"]) == (12050, "PEN")
    assert (service["tax_rate"], service["tooth_scope"]) == ("0.1800", "none")
    assert (service["kind"], service["is_active"]) == ("dental", True)
    assert (await clinic_a.get(answer.headers["Location"])).json() == service


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"duration_min": 4}, "/duration_min"),
        ({"duration_min": 481}, "/duration_min"),
        ({"base_price_minor": -1}, "/base_price_minor"),
        ({"base_price_minor": 29.99}, "/base_price_minor"),
        ({"base_price_minor": 10**16}, "/base_price_minor"),
        ({"currency": "soles"}, "/currency"),
        ({"tax_rate": "1"}, "/tax_rate"),
        ({"tax_rate": "-0.1"}, "/tax_rate"),
        ({"tax_rate": "0.12345"}, "/tax_rate"),
        ({"tax_rate": "NaN"}, "/tax_rate"),
        ({"code": ""}, "/code"),
        ({"code": "x" * 21}, "/code"),
        ({"tooth_scope": "jaw"}, "/tooth_scope"),
        ({"unknown": 1}, "/unknown"),
    ],
)
async def test_impossible_service_is_refused_at_its_field(
    clinic_a: Clinic, changes: dict[str, Any], pointer: str
) -> None:
    answer = await clinic_a.post(SERVICES, await body(clinic_a, **changes))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_code_is_of_one_service_of_the_clinic(clinic_a: Clinic, clinic_b: Clinic) -> None:
    service = await service_of(clinic_a)
    again = await clinic_a.post(SERVICES, await body(clinic_a, code=service["code"]))
    assert (again.status_code, again.json()["code"]) == (409, "duplicate")
    await service_of(clinic_b, code=service["code"])


async def test_change_needs_the_version_and_raises_it(clinic_a: Clinic) -> None:
    service = await service_of(clinic_a)
    path = f"{SERVICES}/{service['id']}"
    assert (await clinic_a.patch(path, {"name": "x"})).status_code == 428
    changed = await clinic_a.patch(path, {"name": "Sellante"}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.json()["name"], changed.json()["code"]) == ("Sellante", service["code"])
    stale = await clinic_a.patch(path, {"name": "y"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.headers["ETag"]) == (412, '"2"')


async def test_archived_service_leaves_and_frees_its_code(clinic_a: Clinic) -> None:
    service = await service_of(clinic_a)
    path = f"{SERVICES}/{service['id']}"
    gone = await clinic_a.delete(path, headers={"If-Match": '"1"'})
    assert gone.status_code == 204, gone.text
    assert (await clinic_a.get(path)).status_code == 404
    assert (await clinic_a.delete(path, headers={"If-Match": '"2"'})).status_code == 404
    await service_of(clinic_a, code=service["code"])
    surgery = await surgery_at(clinic_a)
    booking = surgery.body(f"{next_weekday(1)}T09:00:00", service_id=service["id"])
    refused = await clinic_a.post(APPOINTMENTS, booking)
    assert refused.json()["errors"][0]["pointer"] == "/service_id"


async def test_list_is_by_name_and_filtered(clinic_a: Clinic) -> None:
    category = await category_of(clinic_a)
    made = {
        name: await service_of(clinic_a, name=name, category_id=category["id"], **fields)
        for name, fields in {
            "Zirconio 50%": {"kind": "medical"},
            "Amalgama": {"is_active": False},
            "Resina": {},
        }.items()
    }

    async def names(**query: Any) -> list[str]:
        answer = await clinic_a.get(SERVICES, params={"category": category["id"]} | query)
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json()["items"]]

    assert await names() == ["Amalgama", "Resina", "Zirconio 50%"]
    assert await names(is_active="true") == ["Resina", "Zirconio 50%"]
    assert await names(kind="medical") == ["Zirconio 50%"]
    assert await names(q="rES") == ["Resina"]
    assert await names(q="0%") == ["Zirconio 50%"]
    assert await names(q="%%") == []
    assert await names(q=made["Resina"]["code"]) == ["Resina"]
    page = await clinic_a.get(SERVICES, params={"category": category["id"], "limit": 2})
    rest = await clinic_a.get(
        SERVICES,
        params={"category": category["id"], "limit": 2, "cursor": page.json()["next_cursor"]},
    )
    assert [item["name"] for item in rest.json()["items"]] == ["Zirconio 50%"]


async def test_category_lives_its_own_life(clinic_a: Clinic) -> None:
    category = await category_of(clinic_a)
    path = f"{CATEGORIES}/{category['id']}"
    twice = await clinic_a.post(CATEGORIES, {"name": category["name"]})
    assert twice.status_code == 409
    name = f"Cirugía {secrets.token_hex(4)}"
    renamed = await clinic_a.patch(path, {"name": name}, headers={"If-Match": '"1"'})
    assert renamed.json()["name"] == name
    listed = await clinic_a.get(CATEGORIES, params={"limit": 100})
    assert name in [item["name"] for item in listed.json()["items"]]
    service = await service_of(clinic_a, category_id=category["id"])
    assert (await clinic_a.delete(path, headers={"If-Match": '"2"'})).status_code == 204
    assert (await clinic_a.get(path)).status_code == 404
    assert (await clinic_a.get(f"{SERVICES}/{service['id']}")).status_code == 200
    refused = await clinic_a.post(SERVICES, await body(clinic_a, category_id=category["id"]))
    assert refused.json()["errors"][0]["pointer"] == "/category_id"


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    service, category = await service_of(clinic_a), await category_of(clinic_a)
    for path in (f"{SERVICES}/{service['id']}", f"{CATEGORIES}/{category['id']}"):
        assert (await clinic_b.get(path)).status_code == 404
        tag = {"If-Match": '"1"'}
        assert (await clinic_b.patch(path, {"name": "x"}, headers=tag)).status_code == 404
        assert (await clinic_b.delete(path, headers=tag)).status_code == 404
    for foreign in (category["id"], str(uuid4())):
        refused = await clinic_b.post(SERVICES, await body(clinic_b, category_id=foreign))
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_reference")


async def test_everybody_reads_and_admins_write(clinic_a: Clinic) -> None:
    service = await service_of(clinic_a)
    path = f"{SERVICES}/{service['id']}"
    for role in (Role.PATIENT, Role.NURSE, Role.AUDITOR):
        assert (await clinic_a.get(path, role=role)).status_code == 200
        answer = await clinic_a.patch(path, {"name": "x"}, role=role, headers={"If-Match": '"1"'})
        assert answer.status_code == 403
