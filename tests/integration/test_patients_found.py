"""Patients are found by what people type, by the staff of their clinic and by themselves."""

import secrets
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from clinics import Clinic
from domain.actor import Role
from domain.organisation import people_search
from domain.organisation.models import Person
from domain.organisation.search_text import ACCENTED, folded
from patient_requests import PATIENTS, audited, created, listed, portal_user, somebody
from tenancy.modes import Mode
from tenancy.runtime import Tenancy


async def test_other_clinic_gets_404_and_finds_nothing(clinic_a: Clinic, clinic_b: Clinic) -> None:
    patient = await created(clinic_a, phone="+51944555666")
    url, headers = f"{PATIENTS}/{patient['id']}", {"If-Match": '"1"'}
    assert (await clinic_b.get(url)).status_code == 404
    assert (await clinic_b.patch(url, {"sex": "male"}, headers=headers)).status_code == 404
    assert (await clinic_b.delete(url, headers=headers)).status_code == 404
    assert (await clinic_b.get(f"{url}/timeline")).status_code == 404
    into = await created(clinic_b)
    merge = await clinic_b.post(f"{url}/merge", {"into_id": into["id"]}, headers=headers)
    assert merge.status_code == 404
    own = f"{PATIENTS}/{into['id']}/merge"
    merge = await clinic_b.post(own, {"into_id": patient["id"]}, headers=headers)
    assert (merge.status_code, merge.json()["code"]) == (422, "invalid_reference")
    for query in (
        {"q": patient["family_name"]},
        {"q": "944555666"},
        {"document": patient["identifiers"][0]["value"]},
    ):
        assert await listed(clinic_b, Role.ADMIN, **query) == []
        assert await listed(clinic_a, **query) == [patient["id"]]


async def test_people_of_another_clinic_cannot_be_referred_to(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    foreign = await created(clinic_a)
    for fields in (
        {"guardian_person_id": foreign["person_id"]},
        {"user_id": str(clinic_a.admin_id)},
        {"person_id": foreign["person_id"]},
        {"guardian_person_id": str(uuid4())},
    ):
        body = fields if "person_id" in fields else somebody(**fields)
        answer = await clinic_b.post(PATIENTS, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference"), (
            answer.text
        )
        assert [i["pointer"] for i in answer.json()["errors"]] == [f"/{name}" for name in fields]


async def test_single_reads_are_audited_lists_are_not(tenancy: Tenancy, clinic_a: Clinic) -> None:
    patient = await created(clinic_a)
    await listed(clinic_a, q=patient["family_name"])
    assert await audited(tenancy, clinic_a, patient["id"]) == ["create"]
    await clinic_a.get(f"{PATIENTS}/{patient['id']}", role=Role.DENTIST)
    assert await audited(tenancy, clinic_a, patient["id"]) == ["create", "read"]


async def test_search_by_names_documents_phones_and_record_number(clinic_a: Clinic) -> None:
    token = "".join(secrets.choice("bcdfgklmnprst") for _ in range(7))
    patient = await created(
        clinic_a,
        given_names="María-José",
        family_name=f"Ñahui{token}",
        second_family_name="O'Higgins",
        phone="+51933" + f"{secrets.randbelow(10**6):06d}",
    )
    number, phone = patient["identifiers"][0]["value"], patient["phone"]
    other = await created(clinic_a, given_names="María-José")
    for query in (
        f"ñahui{token}", f"NAHUI{token} maria", f"nahui{token[:5]} jos higg", f"o'hig nahui{token}", number, number[:7],
        f"{number[:2]}.{number[2:5]}.{number[5:]}", phone, phone[3:], f"{phone[:6]} {phone[6:]}",
        patient["record_number"], f"nahui{token} {phone[3:]}",
    ):  # fmt: skip
        assert patient["id"] in await listed(clinic_a, q=query), query
        assert other["id"] not in await listed(clinic_a, q=query), query
    for query in (
        f"ahui{token}",
        f"nahui{token} {number[::-1]}99",
        "--",
        "%",
        "_",
        f"nahui{token}%",
    ):
        assert patient["id"] not in await listed(clinic_a, q=query), query
    written = f"{number[:2]}-{number[2:]}"
    assert await listed(clinic_a, document=written) == [patient["id"]]
    assert await listed(clinic_a, document=number[:7]) == []
    assert patient["id"] in await listed(clinic_a, birth_date="1990-05-17")
    assert await listed(clinic_a, birth_date="1990-05-18") == []


async def test_list_is_the_newest_first_and_goes_on_by_cursor(clinic_b: Clinic) -> None:
    family = f"Paginas{''.join(secrets.choice('bcdfg') for _ in range(6))}"
    made = [(await created(clinic_b, family_name=family))["id"] for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2, "q": family}
    while True:
        page = (await clinic_b.get(PATIENTS, params=query)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made[::-1]
    item = (await clinic_b.get(PATIENTS, params={"q": family, "limit": 1})).json()["items"][0]
    assert item["document"]["kind"] == "dni"
    assert item["family_name"] == family
    for bad in ({"cursor": "x"}, {"limit": 101}, {"status": "gone"}, {"employer": "x"}):
        assert (await clinic_b.get(PATIENTS, params=bad)).status_code == 400, bad


async def test_portal_users_see_themselves_and_nobody_else(clinic_a: Clinic) -> None:
    user_id, token = await portal_user(clinic_a)
    _, stranger = await portal_user(clinic_a)
    own = await created(clinic_a, user_id=user_id)
    other = await created(clinic_a)

    async def seen(path: str, access: str = token) -> Any:
        return await clinic_a.get(path, role=None, headers={"Authorization": f"Bearer {access}"})

    assert [p["id"] for p in (await seen(PATIENTS)).json()["items"]] == [own["id"]]
    assert (await seen(f"{PATIENTS}?q={other['family_name']}")).json()["items"] == []
    assert (await seen(f"{PATIENTS}?document={other['identifiers'][0]['value']}")).json()[
        "items"
    ] == []
    assert (await seen(f"{PATIENTS}/{own['id']}")).json() == own
    assert (await seen(f"{PATIENTS}/{own['id']}/timeline")).status_code == 200
    assert (await seen(f"{PATIENTS}/{other['id']}")).status_code == 404
    assert (await seen(f"{PATIENTS}/{other['id']}/timeline")).status_code == 404
    assert (await seen(PATIENTS, stranger)).json()["items"] == []
    assert (await seen(f"{PATIENTS}/{own['id']}", stranger)).status_code == 404


async def test_database_folds_names_as_queries_are_folded(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    family = f"{ACCENTED} O'Neill-{secrets.token_hex(3)}"
    patient = await created(clinic_a, given_names="ÁBCxyz \u2019a\u00b7b.c,d", family_name=family)
    async with tenancy.session(clinic_a.tenant_id, Mode.READ) as session:
        kept = await session.scalar(
            select(Person.search_text).where(Person.id == UUID(patient["person_id"]))
        )
    names = [patient[name] for name in ("given_names", "family_name", "second_family_name")]
    assert kept == f" {' '.join(folded(name) for name in names)}"
    assert await listed(clinic_a, q=f"{ACCENTED} neill") == [patient["id"]]


@pytest.mark.parametrize("few", [2, 3])
async def test_many_of_one_name_are_found_like_few(
    clinic_a: Clinic, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(people_search, "FEW_MAX", few)
    family = "Mamani" + "".join(secrets.choice("bcdfg") for _ in range(6))
    made = [(await created(clinic_a, family_name=family))["id"] for _ in range(3)]
    assert await listed(clinic_a, q=family) == made[::-1]
    assert await listed(clinic_a, q=f"{family} jos") == made[::-1]
    assert await listed(clinic_a, q=f"{family} pedro") == []
