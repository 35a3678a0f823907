"""Weekly hours, exceptions and free slots over HTTP."""

import asyncio
import secrets
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import IntegrityError

from clinics import Clinic
from domain.actor import Role
from domain.scheduling.calendar import DAY, day_period
from surgeries import Surgery, another_branch, bearer, next_weekday, surgery_at

SLOTS = "/api/v1/availability"
EXCEPTIONS = "/api/v1/availability-exceptions"
MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
MORNING = [f"{MONDAY}T{hour}" for hour in ("09:00:00", "10:00:00", "11:00:00", "12:00:00")]


def hours_path(surgery: Surgery) -> str:
    return f"/api/v1/practitioners/{surgery.practitioner_id}/availability"


def exceptions_path(surgery: Surgery) -> str:
    return f"/api/v1/practitioners/{surgery.practitioner_id}/exceptions"


def rule(weekday: int = 1, start: str = "09:00", end: str = "12:00", **more: Any) -> dict[str, Any]:
    return {"weekday": weekday, "start_local": start, "end_local": end} | more


async def put(surgery: Surgery, rules: list[dict[str, Any]], tag: str, **more: Any) -> Any:
    body = {"branch_id": str(surgery.branch_id), "rules": rules} | more
    return await surgery.clinic.put(hours_path(surgery), body, headers={"If-Match": tag})


async def tag_of(surgery: Surgery) -> str:
    return str((await surgery.clinic.get(hours_path(surgery))).headers["ETag"])


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


class TestWeeklyHours:
    """A practitioner's week, replaced branch by branch."""

    async def test_replaced_hours_are_shown_with_a_new_version(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        before = await tag_of(surgery)
        rules = [rule(6, "08:00", "12:30"), rule(6, "15:00:00", "19:00", valid_to="2199-12-31")]
        answer = await put(surgery, rules, before)
        assert answer.status_code == 200, answer.text
        shown = answer.json()["rules"]
        assert [(r["weekday"], r["start_local"], r["end_local"]) for r in shown] == [
            (6, "08:00", "12:30"),
            (6, "15:00", "19:00"),
        ]
        today = datetime.now(ZoneInfo("America/Lima")).date()
        assert {r["valid_from"] for r in shown} == {str(today)}
        assert answer.headers["ETag"] not in {before, ""}
        again = await surgery.clinic.get(hours_path(surgery))
        assert again.json() == answer.json()
        assert again.headers["ETag"] == answer.headers["ETag"]

    async def test_same_hours_again_change_nothing(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        first = await put(surgery, [rule(2), rule(3)], await tag_of(surgery))
        second = await put(surgery, [rule(3), rule(2)], first.headers["ETag"])
        assert second.json() == first.json()
        assert second.headers["ETag"] == first.headers["ETag"]

    async def test_replacing_needs_the_version_that_is_there(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        body = {"branch_id": str(surgery.branch_id), "rules": []}
        assert (await clinic_a.put(hours_path(surgery), body)).status_code == 428
        stale = await put(surgery, [], '"1"')
        assert (stale.status_code, stale.headers["ETag"]) == (412, await tag_of(surgery))

    async def test_of_two_parallel_replacements_one_holds(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        tag = (await put(surgery, [], await tag_of(surgery))).headers["ETag"]
        answers = await asyncio.gather(put(surgery, [rule(1)], tag), put(surgery, [rule(2)], tag))
        assert sorted(answer.status_code for answer in answers) == [200, 412]

    @pytest.mark.parametrize(
        ("rules", "pointer"),
        [
            ([rule(1, "09:00", "12:00"), rule(1, "11:59", "13:00")], "/rules"),
            ([rule(1, "12:00", "09:00")], "/rules/0/end_local"),
            ([rule(1), rule(2, "09:00", "09:00")], "/rules/1/end_local"),
            ([rule(1, valid_from="2027-02-02", valid_to="2027-02-01")], "/rules/0/valid_to"),
            ([rule(0)], "/rules/0/weekday"),
            ([rule(8)], "/rules/0/weekday"),
            ([rule(1, "9:00")], "/rules/0/start_local"),
            ([rule(1, "09:00:30")], "/rules/0/start_local"),
            ([rule(1, "09:00", "24:00")], "/rules/0/end_local"),
            ([rule(1)] * 101, "/rules"),
        ],
    )
    async def test_impossible_hours_are_refused_at_their_field(
        self, clinic_a: Clinic, rules: list[dict[str, Any]], pointer: str
    ) -> None:
        surgery = await surgery_at(clinic_a)
        tag = await tag_of(surgery)
        answer = await put(surgery, rules, tag)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert await tag_of(surgery) == tag

    async def test_nobody_attends_at_two_branches_at_once(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        there = str(await another_branch(clinic_a))
        refused = await put(
            surgery, [rule(1, "12:00", "14:00")], await tag_of(surgery), branch_id=there
        )
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (
            422,
            "overlapping_rules",
        )
        allowed = await put(
            surgery, [rule(1, "13:00", "15:00")], await tag_of(surgery), branch_id=there
        )
        assert allowed.status_code == 200, allowed.text
        assert [r["branch_id"] for r in allowed.json()["rules"]] == [there]
        kept = await clinic_a.get(hours_path(surgery), params={"branch": str(surgery.branch_id)})
        assert [r["weekday"] for r in kept.json()["rules"]] == [1, 2, 3, 4, 5]

    async def test_database_refuses_overlapping_rules_too(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        with pytest.raises(IntegrityError) as refused:
            await surgery.add(surgery.rule(1, time(12, 59), time(14)))
        assert refused.value.orig.sqlstate == "23P01"
        await surgery.add(surgery.rule(1, time(13), time(14)))

    async def test_other_clinic_gets_404(self, clinic_a: Clinic, clinic_b: Clinic) -> None:
        ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
        assert (await clinic_b.get(hours_path(ours))).status_code == 404
        assert (await clinic_b.get(exceptions_path(ours))).status_code == 404
        body = {"branch_id": str(theirs.branch_id), "rules": []}
        answer = await clinic_b.put(hours_path(ours), body, headers={"If-Match": '"1"'})
        assert answer.status_code == 404
        foreign = await put(theirs, [], await tag_of(theirs), branch_id=str(uuid4()))
        assert (foreign.status_code, foreign.json()["code"]) == (422, "invalid_reference")

    async def test_admins_write_and_patients_read(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        for role in (Role.PATIENT, Role.AUDITOR):
            assert (await clinic_a.get(hours_path(surgery), role=role)).status_code == 200
        body = {"branch_id": str(surgery.branch_id), "rules": []}
        answer = await clinic_a.put(hours_path(surgery), body, role=Role.OPERATOR)
        assert answer.status_code == 403


class TestExceptions:
    """Absences and extra hours, of a practitioner and of a whole branch."""

    async def test_exception_lives_its_own_life(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        made = await close(surgery, f"{MONDAY}T10:00:00", f"{MONDAY}T11:00:00")
        assert made["starts_at"] == f"{MONDAY}T10:00:00-05:00"
        assert (made["practitioner_id"], made["branch_id"]) == (str(surgery.practitioner_id), None)
        path = f"{EXCEPTIONS}/{made['id']}"
        assert (await clinic_a.get(path)).json() == made
        changes = {"ends_at": f"{MONDAY}T12:00:00", "reason": None}
        changed = await clinic_a.patch(path, changes, headers={"If-Match": '"1"'})
        assert changed.status_code == 200, changed.text
        assert changed.json()["ends_at"] == f"{MONDAY}T12:00:00-05:00"
        assert (changed.json()["starts_at"], changed.json()["reason"]) == (made["starts_at"], None)
        backwards = {"starts_at": f"{MONDAY}T12:00:00"}
        refused = await clinic_a.patch(path, backwards, headers={"If-Match": '"2"'})
        assert refused.json()["errors"][0]["code"] == "ends_before_start"
        assert (await clinic_a.delete(path)).status_code == 428
        gone = await clinic_a.delete(path, headers={"If-Match": '"2"'})
        assert gone.status_code == 204, gone.text
        assert (await clinic_a.get(path)).status_code == 404
        assert await monday_hours(surgery) == MORNING

    async def test_list_is_what_touches_the_range(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        early = await close(surgery, f"{MONDAY}T08:00:00", f"{MONDAY}T09:00:00")
        late = await close(surgery, f"{MONDAY}T11:00:00", f"{MONDAY}T12:00:00")

        async def ids(**query: str) -> list[str]:
            answer = await clinic_a.get(exceptions_path(surgery), params=query)
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        assert await ids() == [early["id"], late["id"]]
        assert await ids(**{"from": f"{MONDAY}T09:00:00"}) == [late["id"]]
        assert await ids(to=f"{MONDAY}T11:00:00") == [early["id"]]

    async def test_branch_exceptions_are_on_its_wall_clock_and_for_its_people(
        self, clinic_a: Clinic
    ) -> None:
        branch_id = await another_branch(clinic_a, "America/Santiago")
        surgery = await surgery_at(clinic_a, branch_id, "America/Santiago")
        path = f"/api/v1/branches/{branch_id}/exceptions"
        body = {
            "starts_at": f"{MONDAY}T00:00:00",
            "ends_at": f"{MONDAY}T12:00:00",
            "kind": "closed",
        }
        made = await clinic_a.post(path, body)
        assert made.status_code == 201, made.text
        assert made.json()["starts_at"].startswith(f"{MONDAY}T00:00:00-0")
        assert await monday_hours(surgery) == MORNING[3:]
        elsewhere = await surgery.staff(Role.OPERATOR, clinic_a.branch_id)
        here = await surgery.staff(Role.OPERATOR, branch_id)
        one = f"{EXCEPTIONS}/{made.json()['id']}"
        for each in (path, one):
            assert (await clinic_a.get(each, headers=bearer(elsewhere))).status_code == 404
            assert (await clinic_a.get(each, headers=bearer(here))).status_code == 200

    async def test_patients_do_not_read_why(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        made = await close(surgery, f"{MONDAY}T08:00:00", f"{MONDAY}T09:00:00")
        answer = await clinic_a.get(f"{EXCEPTIONS}/{made['id']}", role=Role.PATIENT)
        assert (answer.status_code, answer.json()["reason"]) == (200, None)

    async def test_other_clinic_gets_404(self, clinic_a: Clinic, clinic_b: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        made = await close(surgery, f"{MONDAY}T08:00:00", f"{MONDAY}T09:00:00")
        path, tag = f"{EXCEPTIONS}/{made['id']}", {"If-Match": '"1"'}
        assert (await clinic_b.get(path)).status_code == 404
        assert (await clinic_b.patch(path, {"reason": "x"}, headers=tag)).status_code == 404
        assert (await clinic_b.delete(path, headers=tag)).status_code == 404
        branch = f"/api/v1/branches/{surgery.branch_id}/exceptions"
        assert (await clinic_b.get(branch)).status_code == 404


class TestFreeSlots:
    """What can be booked."""

    async def test_slots_are_the_hours_less_what_is_taken(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        assert await monday_hours(surgery) == MORNING
        booked = await surgery.book(f"{MONDAY}T10:15:00")
        free = [start[11:16] for start in await monday_hours(surgery, step=30)]
        assert free == ["09:00", "09:30", "11:00", "11:30", "12:00", "12:30"]
        await surgery.act(booked, "cancel")
        assert await monday_hours(surgery) == MORNING

    async def test_answer_names_place_and_length(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        answer = await ask(surgery, MONDAY, MONDAY + DAY)
        assert answer.json() == {
            "practitioner_id": str(surgery.practitioner_id),
            "branch_id": str(surgery.branch_id),
            "timezone": "America/Lima",
            "duration_min": 30,
            "items": answer.json()["items"],
            "next_cursor": None,
        }
        first = answer.json()["items"][0]
        assert first == {
            "starts_at": f"{MONDAY}T09:00:00-05:00",
            "ends_at": f"{MONDAY}T09:30:00-05:00",
        }
        assert len(answer.json()["items"]) == 8

    async def test_service_gives_length_and_step(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        category = await clinic_a.post("/api/v1/service-categories", {"name": secrets.token_hex(4)})
        service = await clinic_a.post(
            "/api/v1/services",
            {
                "category_id": category.json()["id"],
                "code": secrets.token_hex(4),
                "name": "Endodoncia",
                "duration_min": 90,
            },
        )
        found = await starts(surgery, MONDAY, MONDAY + DAY, service=service.json()["id"])
        assert [start[11:16] for start in found] == ["09:00", "10:30"]
        missing = await ask(surgery, MONDAY, MONDAY + DAY, service=str(uuid4()))
        assert missing.status_code == 404

    async def test_practitioner_is_busy_at_every_branch(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        branch_id = await another_branch(clinic_a)
        await surgery.book(f"{MONDAY}T09:00:00", 120, branch_id=branch_id)
        assert await monday_hours(surgery) == MORNING[2:]

    async def test_exceptions_close_and_open(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        await close(surgery, f"{MONDAY}T09:00:00", f"{MONDAY}T11:00:00")
        await close(surgery, f"{SUNDAY}T10:00:00", f"{SUNDAY}T11:00:00", "open")
        assert await monday_hours(surgery) == MORNING[2:]
        sunday = await starts(surgery, SUNDAY, SUNDAY + DAY, step=30)
        assert [start[11:16] for start in sunday] == ["10:00", "10:30"]

    async def test_branch_opens_for_those_who_attend_there(self, clinic_a: Clinic) -> None:
        branch_id = await another_branch(clinic_a)
        attends = await surgery_at(clinic_a, branch_id)
        stranger = await surgery_at(clinic_a)
        body = {"starts_at": f"{SUNDAY}T10:00:00", "ends_at": f"{SUNDAY}T11:00:00", "kind": "open"}
        await clinic_a.post(f"/api/v1/branches/{branch_id}/exceptions", body)
        assert len(await starts(attends, SUNDAY, SUNDAY + DAY)) == 2
        stranger.branch_id = branch_id
        assert await starts(stranger, SUNDAY, SUNDAY + DAY) == []

    async def test_offered_slot_can_be_booked_by_a_patient(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        found = await starts(surgery, MONDAY, MONDAY + DAY, headers=bearer(token))
        for start in (found[0], found[-1]):
            body = surgery.body(start, patient_id=patient_id)
            headers = bearer(token, **{"Idempotency-Key": secrets.token_hex(8)})
            answer = await clinic_a.post("/api/v1/appointments", body, headers=headers)
            assert answer.status_code == 201, answer.text

    async def test_nothing_is_offered_in_the_past(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        now = datetime.now(UTC)
        whole_day = {"starts_at": (now - DAY).isoformat(), "ends_at": (now + DAY).isoformat()}
        await clinic_a.post(exceptions_path(surgery), whole_day | {"kind": "open"})
        since, until = (now - DAY).isoformat(), (now + timedelta(hours=3)).isoformat()
        found = await starts(surgery, since, until, step=5)
        assert found
        assert min(datetime.fromisoformat(start) for start in found) >= now

    @pytest.mark.parametrize("length", [23, 25])
    async def test_nine_is_nine_around_the_change_of_clocks(
        self, clinic_a: Clinic, length: int
    ) -> None:
        zone = ZoneInfo("America/Santiago")
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone.key), zone.key)
        day = MONDAY
        while (d := day_period(day, zone)).ends_at - d.starts_at != timedelta(hours=length):
            day += DAY
        found = await starts(surgery, day - 3 * DAY, day + 3 * DAY, step=240)
        assert {start[11:19] for start in found} == {"09:00:00"}
        assert len({start[19:] for start in found}) == 2

    @pytest.mark.parametrize(
        ("since", "until", "status", "code"),
        [
            (MONDAY, MONDAY + 32 * DAY, 422, "too_long_period"),
            (MONDAY, MONDAY, 422, "ends_before_start"),
            (MONDAY + DAY, MONDAY, 422, "ends_before_start"),
            ("soon", MONDAY, 422, "invalid_format"),
        ],
    )
    async def test_range_has_limits(
        self, clinic_a: Clinic, since: Any, until: Any, status: int, code: str
    ) -> None:
        surgery = await surgery_at(clinic_a)
        answer = await ask(surgery, since, until)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
        assert (await ask(surgery, MONDAY, MONDAY + 31 * DAY)).status_code == 200

    @pytest.mark.parametrize("missing", ["practitioner", "branch", "from", "to"])
    async def test_question_without_its_parts_is_refused(
        self, clinic_a: Clinic, missing: str
    ) -> None:
        params = {
            "practitioner": str(uuid4()),
            "branch": str(uuid4()),
            "from": str(MONDAY),
            "to": str(MONDAY + DAY),
        }
        del params[missing]
        answer = await clinic_a.get(SLOTS, params=params)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, missing)

    async def test_other_clinic_gets_404(self, clinic_a: Clinic, clinic_b: Clinic) -> None:
        ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
        for practitioner, branch in (
            (theirs.practitioner_id, ours.branch_id),
            (ours.practitioner_id, theirs.branch_id),
        ):
            answer = await ask(
                ours, MONDAY, MONDAY + DAY, practitioner=str(practitioner), branch=str(branch)
            )
            assert answer.status_code == 404

    async def test_branch_of_others_is_not_there(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
        token = await surgery.staff(Role.NURSE, clinic_a.branch_id)
        answer = await ask(surgery, MONDAY, MONDAY + DAY, headers=bearer(token))
        assert answer.status_code == 404
