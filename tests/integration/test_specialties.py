"""Specialties: kept by administrators, read by everybody of the clinic, by nobody else."""

import asyncio
import secrets
from typing import Any

import pytest

from clinics import Clinic
from domain.actor import Role

SPECIALTIES = "/api/v1/specialties"


def fresh(**fields: Any) -> dict[str, Any]:
    token = secrets.token_hex(5)
    return {"name": f"Especialidad {token}", "code": token} | fields


async def created(clinic: Clinic, **fields: Any) -> dict[str, Any]:
    answer = await clinic.post(SPECIALTIES, fresh(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_created_is_read_changed_and_archived(clinic_a: Clinic) -> None:
    body = fresh()
    answer = await clinic_a.post(SPECIALTIES, body)
    assert answer.status_code == 201, answer.text
    url = answer.headers["Location"]
    assert url == f"{SPECIALTIES}/{answer.json()['id']}"
    assert {k: answer.json()[k] for k in body} == body
    changed = await clinic_a.patch(
        url, {"code": "ORT"}, headers={"If-Match": answer.headers["ETag"]}
    )
    assert (changed.status_code, changed.json()["code"], changed.json()["name"]) == (
        200,
        "ORT",
        body["name"],
    )
    assert (await clinic_a.get(url)).json() == changed.json()
    assert (await clinic_a.delete(url, headers={"If-Match": '"1"'})).status_code == 412
    assert (await clinic_a.delete(url, headers={"If-Match": '"2"'})).status_code == 204
    assert (await clinic_a.get(url)).status_code == 404
    # What was archived does not hold its name.
    assert (await clinic_a.post(SPECIALTIES, body)).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x"}, "/code"),
        ({"code": "x"}, "/name"),
        ({"name": "x" * 65, "code": "x"}, "/name"),
        ({"name": "x", "code": "x" * 65}, "/code"),
        ({"name": "", "code": "x"}, "/name"),
        ({"name": "a\x00b", "code": "x"}, "/name"),
        ({"name": "x", "code": "x", "colour": "red"}, "/colour"),
    ],
)
async def test_impossible_bodies_are_refused(
    clinic_a: Clinic, body: dict[str, Any], pointer: str
) -> None:
    answer = await clinic_a.post(SPECIALTIES, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_longest_name_is_taken(clinic_a: Clinic) -> None:
    name = (secrets.token_hex(5) + "ñ" * 64)[:64]
    assert (await created(clinic_a, name=name))["name"] == name


async def test_name_is_unique_in_the_clinic_under_concurrency(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    body = fresh()
    await clinic_a.token()
    answers = await asyncio.gather(*(clinic_a.post(SPECIALTIES, body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "duplicate"
    assert [item["pointer"] for item in refused.json()["errors"]] == ["/name"]
    assert (await clinic_b.post(SPECIALTIES, body)).status_code == 201


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    specialty = await created(clinic_a)
    url, headers = f"{SPECIALTIES}/{specialty['id']}", {"If-Match": '"1"'}
    assert (await clinic_b.get(url)).status_code == 404
    assert (await clinic_b.patch(url, {"name": "x"}, headers=headers)).status_code == 404
    assert (await clinic_b.delete(url, headers=headers)).status_code == 404
    page = (await clinic_b.get(SPECIALTIES, params={"limit": 100})).json()
    assert specialty["id"] not in {item["id"] for item in page["items"]}


@pytest.mark.parametrize("role", [Role.DENTIST, Role.OPERATOR, Role.AUDITOR, Role.PATIENT])
async def test_everybody_reads_only_administrators_write(clinic_a: Clinic, role: Role) -> None:
    specialty = await created(clinic_a)
    url, headers = f"{SPECIALTIES}/{specialty['id']}", {"If-Match": '"1"'}
    assert (await clinic_a.get(url, role=role)).status_code == 200
    assert (await clinic_a.get(SPECIALTIES, role=role)).status_code == 200
    assert (await clinic_a.post(SPECIALTIES, fresh(), role=role)).status_code == 403
    assert (await clinic_a.patch(url, {}, role=role, headers=headers)).status_code == 403
    assert (await clinic_a.delete(url, role=role, headers=headers)).status_code == 403


async def test_list_is_in_order_of_names_and_goes_on_by_cursor(clinic_b: Clinic) -> None:
    prefix = secrets.token_hex(4)
    names = [f"{prefix}-{letter}" for letter in "dbac"]
    for name in names:
        await created(clinic_b, name=name)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = (await clinic_b.get(SPECIALTIES, params=query)).json()
        assert len(page["items"]) <= 3
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [name for name in seen if name.startswith(prefix)] == sorted(names)
    assert len(seen) == len(set(seen))


async def test_repeated_post_under_one_key_adds_one(clinic_a: Clinic) -> None:
    body, headers = fresh(), {"Idempotency-Key": secrets.token_hex(8)}
    first = await clinic_a.post(SPECIALTIES, body, headers=headers)
    again = await clinic_a.post(SPECIALTIES, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["Location"] == first.headers["Location"]
