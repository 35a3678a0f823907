"""How tests ask for free slots and close what is open."""

from typing import Any

from domain.scheduling.calendar import DAY
from surgeries import Surgery, next_weekday

SLOTS = "/api/v1/availability"
EXCEPTIONS = "/api/v1/availability-exceptions"
MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
MORNING = [f"{MONDAY}T{hour}" for hour in ("09:00:00", "10:00:00", "11:00:00", "12:00:00")]


def exceptions_path(surgery: Surgery) -> str:
    return f"/api/v1/practitioners/{surgery.practitioner_id}/exceptions"


async def ask(surgery: Surgery, since: Any, until: Any, **query: Any) -> Any:
    headers = query.pop("headers", {})
    params = {
        "practitioner": str(surgery.practitioner_id),
        "branch": str(surgery.branch_id),
        "from": str(since),
        "to": str(until),
    } | query
    return await surgery.clinic.get(SLOTS, params=params, headers=headers)


async def starts(surgery: Surgery, since: Any, until: Any, **query: Any) -> list[str]:
    answer = await ask(surgery, since, until, **query)
    assert answer.status_code == 200, answer.text
    return [item["starts_at"] for item in answer.json()["items"]]


async def monday_hours(surgery: Surgery, **query: Any) -> list[str]:
    """The free starts of the Monday, as wall-clock times."""
    found = await starts(surgery, MONDAY, MONDAY + DAY, **{"step": 60} | query)
    return [start[:19] for start in found]


async def close(surgery: Surgery, start: str, end: str, kind: str = "closed") -> dict[str, Any]:
    body = {"starts_at": start, "ends_at": end, "kind": kind, "reason": "ausencia"}
    answer = await surgery.clinic.post(exceptions_path(surgery), body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())
