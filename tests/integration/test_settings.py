"""Settings by namespace: defaults, validation, versions, and each clinic its own."""

import asyncio

import pytest

from clinics import Clinic

AI = "/api/v1/settings/ai"


async def set_ai(clinic: Clinic, data: dict[str, object], tag: str, **options: object) -> object:
    return await clinic.put(AI, {"data": data}, headers={"If-Match": tag}, **options)


async def current_tag(clinic: Clinic) -> str:
    return (await clinic.get(AI)).headers["etag"]


async def test_a_namespace_begins_with_its_defaults(clinic_b: Clinic) -> None:
    answer = await clinic_b.get("/api/v1/settings/scheduling")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"0"'
    assert answer.json()["data"]["default_duration_min"] == 30
    assert answer.json()["version"] == 0


async def test_what_is_set_is_kept_for_this_clinic_alone(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    answer = await set_ai(
        clinic_a, {"model": "gpt-4", "max_tokens": 1234}, await current_tag(clinic_a)
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == {"model": "gpt-4", "max_tokens": 1234, "temperature": 0.7}
    assert (await clinic_a.get(AI)).json()["data"]["max_tokens"] == 1234
    assert (await clinic_b.get(AI)).json()["data"]["max_tokens"] == 4000


async def test_a_change_needs_the_version_that_was_read(clinic_a: Clinic) -> None:
    assert (await clinic_a.put(AI, {"data": {}})).json()["code"] == "if_match_required"
    tag = await current_tag(clinic_a)
    assert (await set_ai(clinic_a, {}, tag)).status_code == 200
    stale = await set_ai(clinic_a, {}, tag)
    assert stale.status_code == 412
    assert stale.json()["code"] == "stale_version"
    assert stale.headers["etag"] == await current_tag(clinic_a)


async def test_of_two_changes_at_once_one_is_stale(clinic_a: Clinic) -> None:
    tag = await current_tag(clinic_a)
    answers = await asyncio.gather(*(set_ai(clinic_a, {"max_tokens": n}, tag) for n in (10, 20)))
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_of_two_first_changes_at_once_one_is_stale(clinic_a: Clinic) -> None:
    path = "/api/v1/settings/notifications"
    answers = await asyncio.gather(
        *(clinic_a.put(path, {"data": {}}, headers={"If-Match": '"0"'}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"model": "gpt-99"}, "/data/model"),
        ({"max_tokens": 0}, "/data/max_tokens"),
        ({"temperature": "hot"}, "/data/temperature"),
        ({"odd": 1}, "/data"),
    ],
)
async def test_a_namespace_takes_its_own_fields_only(
    clinic_a: Clinic, data: dict[str, object], pointer: str
) -> None:
    answer = await set_ai(clinic_a, data, await current_tag(clinic_a))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_there_is_no_namespace_of_another_name(clinic_a: Clinic) -> None:
    assert (await clinic_a.get("/api/v1/settings/odd")).status_code == 404


async def test_only_administrators_change_settings(clinic_a: Clinic) -> None:
    tag = await current_tag(clinic_a)
    assert (await set_ai(clinic_a, {}, tag, role="dentist")).status_code == 403
    assert (await set_ai(clinic_a, {}, tag, role=None)).status_code == 401


async def test_a_change_is_audited(clinic_a: Clinic) -> None:
    await set_ai(clinic_a, {}, await current_tag(clinic_a))
    events = (await clinic_a.get("/api/v1/audit-events?entity=tenant_setting&limit=1")).json()
    assert events["items"][0]["action"] == "update"
    assert events["items"][0]["details"]["namespace"] == "ai"
    assert events["items"][0]["actor_id"] == str(clinic_a.admin_id)
