"""The audit trail: newest first, filtered, of this clinic alone, and not to be changed."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from clinics import Clinic
from domain.actor import Actor
from domain.audit import record_audit_event
from domain.operations.models import AuditEvent
from tenancy.modes import Mode
from tenancy.runtime import Tenancy

EVENTS = "/api/v1/audit-events"


async def record(tenancy: Tenancy, clinic: Clinic, entity: str, count: int = 1) -> Actor:
    actor = Actor(user_id=uuid4(), request_id="r-1", ip="192.0.2.7")
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        for _ in range(count):
            await record_audit_event(session, actor, "read", entity, uuid4(), {"reason": "test"})
    return actor


async def test_events_come_newest_first_page_by_page(tenancy: Tenancy, clinic_a: Clinic) -> None:
    await record(tenancy, clinic_a, "paged", count=5)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = f"{EVENTS}?entity=paged&limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = (await clinic_a.get(query)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


async def test_a_page_links_to_the_next_one(tenancy: Tenancy, clinic_a: Clinic) -> None:
    await record(tenancy, clinic_a, "linked entity", count=3)
    first = await clinic_a.get(f"{EVENTS}/?entity=linked%20entity&limit=2")
    address, _, relation = first.headers["link"].partition(">; ")
    assert relation == 'rel="next"'
    assert address.startswith(f"<{EVENTS}/?entity=linked+entity&limit=2&cursor=")
    last = await clinic_a.get(address.removeprefix("<"))
    assert len(last.json()["items"]) == 1
    assert "link" not in last.headers


async def test_events_are_found_by_actor_entity_and_time(
    tenancy: Tenancy, clinic_a: Clinic
) -> None:
    actor = await record(tenancy, clinic_a, "found")
    await record(tenancy, clinic_a, "found")
    by_actor = (await clinic_a.get(f"{EVENTS}?actor={actor.user_id}")).json()["items"]
    assert [item["actor_id"] for item in by_actor] == [str(actor.user_id)]
    event = by_actor[0]
    assert event["ip"] == "192.0.2.7"
    assert event["details"] == {"reason": "test"}
    by_entity = (await clinic_a.get(f"{EVENTS}?entity=found&entity_id={event['entity_id']}")).json()
    assert [item["id"] for item in by_entity["items"]] == [event["id"]]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert (await clinic_a.get(f"{EVENTS}?entity=found&from={tomorrow}")).json()["items"] == []
    assert len((await clinic_a.get(f"{EVENTS}?entity=found&to={tomorrow}")).json()["items"]) == 2
    naive = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S")
    assert len((await clinic_a.get(f"{EVENTS}?entity=found&from={naive}")).json()["items"]) == 2


async def test_another_clinics_events_are_not_seen(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    actor = await record(tenancy, clinic_a, "private")
    assert (await clinic_b.get(f"{EVENTS}?entity=private")).json()["items"] == []
    assert (await clinic_b.get(f"{EVENTS}?actor={actor.user_id}")).json()["items"] == []


@pytest.mark.parametrize("role", ["dentist", "operator", "patient"])
async def test_only_administrators_and_auditors_read(clinic_a: Clinic, role: str) -> None:
    assert (await clinic_a.get(EVENTS, role=role)).status_code == 403
    assert (await clinic_a.get(EVENTS, role="auditor")).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["odd=1", "actor=x", "limit=0", "limit=101", "from=yesterday", "cursor=x", "cursor=W10"],
)
async def test_a_wrong_query_is_400(clinic_a: Clinic, query: str) -> None:
    answer = await clinic_a.get(f"{EVENTS}?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "bad_request"


@pytest.mark.parametrize("statement", [update(AuditEvent).values(action="x"), delete(AuditEvent)])
async def test_events_cannot_be_changed(
    tenancy: Tenancy, clinic_a: Clinic, statement: object
) -> None:
    await record(tenancy, clinic_a, "fixed")
    with pytest.raises(DBAPIError):
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await session.execute(statement)  # type: ignore[call-overload]
