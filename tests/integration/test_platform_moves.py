"""The operators' API of moves: planned, watched, ended; nothing of it for anybody else."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from clinics import Clinic
from controllers import move_events
from moves import end_open_moves, mover_of, placement_of
from platform_operators import OperatorClient, operator_of
from tenancy import moves as face
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

Made = Callable[..., Awaitable[Clinic]]


@pytest.fixture(scope="module")
async def operator(tenancy: Tenancy, api: httpx.AsyncClient) -> OperatorClient:
    return await operator_of(tenancy, api, "operator")


@pytest.fixture(scope="module", autouse=True)
async def no_move_is_left_open(tenancy: Tenancy) -> AsyncIterator[None]:
    yield
    await end_open_moves(tenancy)


def moves_of(clinic: Clinic) -> str:
    return f"/api/v1/platform/tenants/{clinic.tenant_id}/moves"


def events_in(text: str) -> list[tuple[str, Any]]:
    """(event, data) of every event of a stream; comments are none."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":")
        )
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def started(operator: OperatorClient, clinic: Clinic, **body: Any) -> httpx.Response:
    return await operator.post(moves_of(clinic), json={"strategy": "schema", **body})


async def test_a_move_is_planned_worked_on_watched_and_taken_back(
    tenancy: Tenancy, make_clinic: Made, operator: OperatorClient
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    answer = await started(operator, clinic, grace_hours=2)
    assert answer.status_code == 202, answer.text
    planned = answer.json()
    url = f"{moves_of(clinic)}/{planned['id']}"
    assert answer.headers["location"] == url
    assert (planned["status"], planned["phase"], planned["grace_hours"]) == (
        "running",
        "planned",
        2,
    )
    assert (planned["source"]["strategy"], planned["target"]["strategy"]) == ("row", "schema")

    # As a server process does it.
    work = asyncio.ensure_future(mover_of(tenancy).work(planned["id"], stays=False))
    stream = await operator.get(f"{url}/events")
    assert (await work).status == "grace"
    assert stream.status_code == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = events_in(stream.text)
    assert [name for name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    assert events[-1][0] == "settled"
    settled = events[-1][1]
    # The worker lets go of the move a moment later, and its last heartbeat may come in between.
    passing = dict.fromkeys(("worker", "heartbeat_at", "phase", "progress"))
    assert settled | passing == (await operator.get(url)).json() | passing
    assert settled["report"]["pause_ms"] > 0
    tables = {table["name"]: table["rows"] for table in settled["report"]["tables"]}
    assert tables["branch"] == 1
    assert (await operator.get(f"{moves_of(clinic)[:-6]}/placement")).json() == settled["target"]

    assert (await operator.post(f"{url}/abort")).status_code == 409
    wanted = await operator.post(f"{url}/rollback")
    assert (wanted.status_code, wanted.json()["wanted"]) == (202, "rollback")
    assert wanted.headers["location"] == url
    await mover_of(tenancy).settle(planned["id"])
    ended = (await operator.get(url)).json()
    assert (ended["status"], ended["report"]["rollback_pause_ms"] > 0) == ("rolled_back", True)
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is StrategyName.ROW
    late = await operator.post(f"{url}/finish")
    assert (late.status_code, late.json()["code"]) == (409, "invalid_transition")
    assert late.json()["reason"] == "the move is rolled_back"


async def test_a_dry_run_changes_nothing(
    tenancy: Tenancy, make_clinic: Made, operator: OperatorClient
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    answer = await started(operator, clinic, dry_run=True)
    assert answer.status_code == 200, answer.text
    report = answer.json()["report"]
    assert (report["refusals"], report["rows"] > 0, report["pause_ms"] > 0) == ([], True, True)
    assert answer.json()["target"]["strategy"] == "schema"
    assert (await operator.get(moves_of(clinic))).json() == {"items": [], "next_cursor": None}


async def test_what_speaks_against_a_move_is_told(
    make_clinic: Made, operator: OperatorClient
) -> None:
    clinic = await make_clinic(StrategyName.ROW, plan="basico")
    there = await started(operator, clinic, strategy="row")
    assert (there.status_code, there.json()["code"]) == (409, "invalid_transition")
    assert there.json()["reason"] == "the clinic is there already"
    refused = await started(operator, clinic, strategy="database")
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")
    assert refused.json()["reasons"] == ["plan basico does not allow database"]
    foreseen = await started(operator, clinic, strategy="database", dry_run=True)
    assert foreseen.status_code == 200
    assert foreseen.json()["report"]["refusals"] == ["plan basico does not allow database"]
    nowhere = await started(operator, clinic, server="nowhere")
    assert (nowhere.status_code, nowhere.json()["code"]) == (422, "invalid_reference")
    for body in ({"grace_hours": -1}, {"grace_hours": 9999}, {"colour": "blue"}, {"strategy": "x"}):
        assert (await started(operator, clinic, **body)).status_code == 422


async def test_a_second_move_waits_for_the_first(make_clinic: Made, operator: OperatorClient):
    clinic = await make_clinic(StrategyName.ROW)
    first = (await started(operator, clinic)).json()
    second = await started(operator, clinic, strategy="schema")
    assert (second.status_code, second.json()["code"]) == (409, "move_in_progress")
    foreseen = (await started(operator, clinic, dry_run=True)).json()
    assert foreseen["report"]["refusals"] == [f"the clinic's move {first['id']} is running"]


async def test_a_planned_move_is_given_up(
    tenancy: Tenancy, make_clinic: Made, operator: OperatorClient
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    planned = (await started(operator, clinic)).json()
    url = f"{moves_of(clinic)}/{planned['id']}"
    for wanted in ("rollback", "finish"):
        assert (await operator.post(f"{url}/{wanted}")).status_code == 409
    assert (await operator.post(f"{url}/abort")).status_code == 202
    await mover_of(tenancy).settle(planned["id"])
    assert (await operator.get(url)).json()["status"] == "aborted"
    assert (await started(operator, clinic)).status_code == 202


async def test_pages_hold_the_clinics_own_moves_newest_first(
    tenancy: Tenancy, make_clinic: Made, operator: OperatorClient
) -> None:
    clinic, other = await make_clinic(StrategyName.ROW), await make_clinic(StrategyName.ROW)
    ids = []
    for _ in range(3):
        planned = (await started(operator, clinic)).json()
        ids.append(planned["id"])
        await operator.post(f"{moves_of(clinic)}/{planned['id']}/abort")
        await mover_of(tenancy).settle(planned["id"])
    await started(operator, other)
    first = (await operator.get(f"{moves_of(clinic)}?limit=2")).json()
    rest = (await operator.get(f"{moves_of(clinic)}?cursor={first['next_cursor']}")).json()
    assert [move["id"] for move in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert (await operator.get(f"{moves_of(clinic)}?cursor=nonsense")).status_code in {400, 422}


@pytest.mark.parametrize("role", ["support", "auditor"])
async def test_who_may_only_read_moves_nothing(
    tenancy: Tenancy, api: httpx.AsyncClient, make_clinic: Made, operator: OperatorClient, role: str
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    planned = (await started(operator, clinic)).json()
    url = f"{moves_of(clinic)}/{planned['id']}"
    reader = await operator_of(tenancy, api, role)
    assert (await reader.get(moves_of(clinic))).json()["items"][0]["id"] == planned["id"]
    assert (await reader.get(url)).status_code == 200
    for path in (moves_of(clinic), f"{url}/abort", f"{url}/rollback", f"{url}/finish"):
        answer = await reader.post(path, json={"strategy": "schema"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    assert (await reader.get(url)).json()["wanted"] is None


async def test_nobody_of_a_clinic_sees_its_moves(api: httpx.AsyncClient, make_clinic: Made) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    for path in ("", f"/{uuid4()}", f"/{uuid4()}/events"):
        assert (await clinic.get(moves_of(clinic) + path)).status_code == 401
        assert (await api.get(moves_of(clinic) + path)).status_code == 401


async def test_a_move_is_found_under_its_own_clinic_only(
    make_clinic: Made, operator: OperatorClient
) -> None:
    clinic, other = await make_clinic(StrategyName.ROW), await make_clinic(StrategyName.ROW)
    planned = (await started(operator, clinic)).json()
    for url in (f"{moves_of(other)}/{planned['id']}", f"{moves_of(clinic)}/{uuid4()}"):
        for path in (url, f"{url}/events"):
            answer = await operator.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        for wanted in ("abort", "rollback", "finish"):
            assert (await operator.post(f"{url}/{wanted}")).status_code == 404
    nobody = moves_of(clinic).replace(str(clinic.tenant_id), str(uuid4()))
    assert (await operator.get(nobody)).json()["code"] == "tenant_not_found"
    answer = await operator.post(nobody, json={"strategy": "schema"})
    assert (answer.status_code, answer.json()["code"]) == (404, "tenant_not_found")
    untouched = (await operator.get(f"{moves_of(clinic)}/{planned['id']}")).json()
    assert untouched["wanted"] is None


async def test_a_stream_of_an_unsettled_move_stays_alive_and_is_bounded(
    make_clinic: Made, operator: OperatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_events, "STREAM_S_MAX", 1.0)
    monkeypatch.setattr(move_events, "KEEP_ALIVE_S", 0.1)
    monkeypatch.setattr(face, "WATCH_STEP_S", 0.1)
    clinic = await make_clinic(StrategyName.ROW)
    planned = (await started(operator, clinic)).json()
    stream = await operator.get(f"{moves_of(clinic)}/{planned['id']}/events")
    assert [name for name, _ in events_in(stream.text)] == ["progress"]
    assert stream.text.count(": still here") >= 3


async def test_watchers_are_limited_and_make_room_again(
    make_clinic: Made, operator: OperatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face, "WATCHERS_MAX", 1)
    monkeypatch.setattr(move_events, "STREAM_S_MAX", 1.5)
    clinic = await make_clinic(StrategyName.ROW)
    planned = (await started(operator, clinic)).json()
    url = f"{moves_of(clinic)}/{planned['id']}/events"
    first = asyncio.ensure_future(operator.get(url))
    await asyncio.sleep(0.5)
    refused = await operator.get(url)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert "retry-after" in refused.headers
    assert (await first).status_code == 200
    assert (await operator.get(url)).status_code == 200
