"""Appointments: booked by whom and when, their life, who sees them, what they look like."""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from clinics import Clinic
from domain.actor import Role
from domain.operations.models import AuditEvent
from domain.organisation.models import Person
from domain.scheduling.calendar import DAY, day_period
from domain.scheduling.models import AppointmentEvent
from domain.tables import new_id
from surgeries import (
    APPOINTMENTS,
    Surgery,
    another_branch,
    bearer,
    next_weekday,
    surgery_at,
)
from tenancy.modes import Mode

MONDAY = next_weekday(1)
SUNDAY = next_weekday(7)
NINE = f"{MONDAY}T09:00:00"


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


def day_of_hours(hours: int, zone: ZoneInfo) -> date:
    """The next day of that many hours in the zone."""
    day = MONDAY
    while (period := day_period(day, zone)).ends_at - period.starts_at != timedelta(hours=hours):
        day += DAY
    return day


async def events(clinic: Clinic, appointment_id: str) -> list[tuple[str | None, str, str | None]]:
    event = AppointmentEvent
    async with clinic._tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.execute(
            select(event.from_status, event.to_status, event.note)
            .where(event.appointment_id == UUID(appointment_id))
            .order_by(event.at, event.id)
        )
        return [tuple(row) for row in found]


async def audited(clinic: Clinic, appointment_id: str) -> list[tuple[str, UUID | None]]:
    async with clinic._tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.execute(
            select(AuditEvent.action, AuditEvent.branch_id)
            .where(
                AuditEvent.entity_type == "appointment",
                AuditEvent.entity_id == UUID(appointment_id),
            )
            .order_by(AuditEvent.at, AuditEvent.id)
        )
        return [tuple(row) for row in found]


async def test_booked_appointment_is_pending_and_carries_the_branch_offset(
    clinic_a: Clinic,
) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(
        APPOINTMENTS,
        surgery.body(NINE, room_id=surgery.room_id, reason_type="control", reason_text="Revisión"),
    )
    assert answer.status_code == 201, answer.text
    booked = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"{APPOINTMENTS}/{booked['id']}"
    assert booked["starts_at"] == f"{NINE}-05:00"
    assert booked["ends_at"] == f"{MONDAY}T09:30:00-05:00"
    assert booked["status"] == "pending"
    assert booked["source"] == "staff"
    assert booked["outside_availability"] is False
    assert (booked["reason_type"], booked["reason_text"]) == ("control", "Revisión")
    again = await clinic_a.get(answer.headers["Location"])
    assert again.json() == {k: v for k, v in booked.items() if k != "outside_availability"}
    assert await events(clinic_a, booked["id"]) == [(None, "pending", None)]
    assert await audited(clinic_a, booked["id"]) == [("create", surgery.branch_id)]


async def test_reason_is_other_unless_given(clinic_a: Clinic) -> None:
    booked = await (await surgery_at(clinic_a)).book(NINE)
    assert (booked["reason_type"], booked["reason_text"]) == ("other", "")


async def test_same_idempotency_key_books_once(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    headers = key()
    first = await clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=headers)
    second = await clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"ends_at": f"{MONDAY}T08:00:00"}, "/ends_at", "ends_before_start"),
        ({"ends_at": f"{MONDAY}T21:00:01"}, "/ends_at", "too_long_period"),
        ({"starts_at": "2020-01-01T09:00:00"}, "/ends_at", "too_long_period"),
        ({"starts_at": "0001-01-01T00:00:00"}, "/starts_at", "out_of_range"),
        ({"starts_at": "tomorrow"}, "/starts_at", "invalid_format"),
        ({"reason_type": "fun"}, "/reason_type", "invalid_choice"),
        ({"status": "confirmed"}, "/status", "unknown_field"),
        ({"patient_id": None}, "/patient_id", "invalid_type"),
    ],
)
async def test_impossible_booking_is_refused_at_its_field(
    clinic_a: Clinic, changes: dict[str, Any], pointer: str, code: str
) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(APPOINTMENTS, surgery.body(NINE, **changes))
    assert answer.status_code == 422, answer.text
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(pointer, code)]


async def test_what_was_half_a_day_ago_is_not_booked_any_more(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    now = datetime.now(UTC).replace(microsecond=0)
    refused = await clinic_a.post(APPOINTMENTS, surgery.body(now - timedelta(hours=12, minutes=1)))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "in_the_past"
    await surgery.book(now - timedelta(hours=11))


@pytest.mark.parametrize(
    "field", ["patient_id", "practitioner_id", "branch_id", "room_id", "service_id"]
)
async def test_reference_to_another_clinic_or_to_nothing_is_refused(
    clinic_a: Clinic, clinic_b: Clinic, field: str
) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    for foreign in (getattr(theirs, field, None) or uuid4(), uuid4()):
        answer = await clinic_a.post(APPOINTMENTS, ours.body(NINE, **{field: foreign}))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"


async def test_room_of_another_branch_is_refused(clinic_a: Clinic) -> None:
    here = await surgery_at(clinic_a)
    there = await surgery_at(clinic_a, await another_branch(clinic_a))
    answer = await clinic_a.post(APPOINTMENTS, here.body(NINE, room_id=there.room_id))
    assert answer.json()["errors"][0]["pointer"] == "/room_id"


async def test_staff_may_book_outside_the_hours_and_are_told(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    assert (await surgery.book(f"{SUNDAY}T09:00:00"))["outside_availability"] is True
    assert (await surgery.book(f"{MONDAY}T12:45:00"))["outside_availability"] is True


class TestTimeZones:
    """The wall clock of the branch, also where it is not that of the clinic."""

    @pytest.mark.parametrize(
        ("zone", "offset"),
        [
            ("America/Lima", "-05:00"),
            ("America/Bogota", "-05:00"),
            ("America/La_Paz", "-04:00"),
            ("America/Mexico_City", "-06:00"),
        ],
    )
    async def test_nine_is_nine_at_the_branch(
        self, clinic_a: Clinic, zone: str, offset: str
    ) -> None:
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone), zone)
        booked = await surgery.book(NINE)
        assert booked["starts_at"] == f"{NINE}{offset}"
        assert booked["outside_availability"] is False
        agenda = await clinic_a.get(
            f"{APPOINTMENTS}/agenda",
            params={"date": str(MONDAY), "branch_id": str(surgery.branch_id)},
        )
        assert [line["starts_at"] for line in agenda.json()["items"]] == [f"{NINE}{offset}"]

    @pytest.mark.parametrize("zone", ["America/Santiago", "America/Asuncion"])
    async def test_nine_stays_nine_over_the_whole_year(self, clinic_a: Clinic, zone: str) -> None:
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone), zone)
        for weeks in (2, 15, 28, 41):
            monday = next_weekday(1, weeks=weeks)
            booked = await surgery.book(f"{monday}T09:00:00")
            assert booked["starts_at"].startswith(f"{monday}T09:00:00-0")
            assert booked["outside_availability"] is False

    async def test_booking_over_the_change_of_clocks_keeps_its_wall_times(
        self, clinic_a: Clinic
    ) -> None:
        zone = ZoneInfo("America/Santiago")
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a, zone.key), zone.key)
        # From 24:00 -03:00 back to 23:00 -04:00.
        saturday, sunday = day_of_hours(25, zone), day_of_hours(25, zone) + DAY
        booked = await surgery.book(f"{saturday}T22:30:00", 120)
        assert booked["starts_at"] == f"{saturday}T22:30:00-03:00"
        assert booked["ends_at"] == f"{sunday}T00:30:00-04:00"
        # From 24:00 -04:00 on to 01:00 -03:00.
        saturday, sunday = day_of_hours(23, zone) - DAY, day_of_hours(23, zone)
        spring = await surgery.book(f"{saturday}T23:30:00", 120)
        assert spring["ends_at"] == f"{sunday}T01:30:00-03:00"
        skipped = await clinic_a.post(APPOINTMENTS, surgery.body(f"{sunday}T00:30:00"))
        assert skipped.status_code == 422
        complaint = skipped.json()["errors"][0]
        assert (complaint["pointer"], complaint["code"]) == ("/starts_at", "nonexistent_time")


class TestLife:
    """Each action, its version, its events."""

    async def test_from_pending_to_completed(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        appointment = await surgery.book(NINE)
        for action, status in [
            ("confirm", "confirmed"),
            ("arrive", "arrived"),
            ("start", "in_progress"),
            ("complete", "completed"),
        ]:
            answer = await surgery.act(appointment, action, {"note": f"{action} noted"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == status
            assert answer.headers["ETag"] == f'"{appointment["version"] + 1}"'
            appointment = answer.json()
        assert appointment["arrived_at"] is not None
        assert [event[:2] for event in await events(clinic_a, appointment["id"])] == [
            (None, "pending"),
            ("pending", "confirmed"),
            ("confirmed", "arrived"),
            ("arrived", "in_progress"),
            ("in_progress", "completed"),
        ]
        assert (await events(clinic_a, appointment["id"]))[1][2] == "confirm noted"
        assert await audited(clinic_a, appointment["id"]) == [
            (action, surgery.branch_id)
            for action in ("create", "confirm", "arrive", "start", "complete")
        ]

    async def test_cancelled_one_says_why_and_when(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        answer = await surgery.act(
            await surgery.book(NINE), "cancel", {"cancel_reason": "el paciente llamó"}
        )
        assert answer.json()["status"] == "cancelled"
        assert answer.json()["cancel_reason"] == "el paciente llamó"
        assert answer.json()["cancelled_at"] is not None

    async def test_nobody_misses_an_appointment_before_it_begins(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        early = await surgery.act(await surgery.book(NINE), "no-show")
        assert (early.status_code, early.json()["code"]) == (409, "invalid_transition")
        begun = await surgery.book(datetime.now(UTC) - timedelta(hours=1))
        assert (await surgery.act(begun, "no-show")).json()["status"] == "no_show"

    @pytest.mark.parametrize("action", ["start", "complete"])
    async def test_step_is_not_skipped(self, clinic_a: Clinic, action: str) -> None:
        surgery = await surgery_at(clinic_a)
        answer = await surgery.act(await surgery.book(NINE), action)
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
        assert answer.json()["current_status"] == "pending"

    async def test_action_needs_the_version_that_is_there(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        booked = await surgery.book(NINE)
        path = f"{APPOINTMENTS}/{booked['id']}/confirm"
        assert (await clinic_a.post(path)).status_code == 428
        stale = await clinic_a.post(path, headers={"If-Match": '"7"'})
        assert (stale.status_code, stale.headers["ETag"]) == (412, '"1"')

    async def test_reschedule_cancels_the_old_one_and_books_the_new_one(
        self, clinic_a: Clinic
    ) -> None:
        surgery = await surgery_at(clinic_a)
        old = await surgery.book(NINE, reason_type="procedure", room_id=surgery.room_id)
        target = {"starts_at": f"{MONDAY}T10:00:00", "ends_at": f"{MONDAY}T10:45:00"}
        answer = await surgery.act(old, "reschedule", target | {"note": "tráfico"})
        assert answer.status_code == 201, answer.text
        new = answer.json()
        assert answer.headers["Location"] == f"{APPOINTMENTS}/{new['id']}"
        assert new["rescheduled_from_id"] == old["id"]
        assert (new["status"], new["reason_type"]) == ("pending", "procedure")
        assert (new["room_id"], new["patient_id"]) == (old["room_id"], old["patient_id"])
        assert new["starts_at"] == f"{MONDAY}T10:00:00-05:00"
        gone = (await clinic_a.get(f"{APPOINTMENTS}/{old['id']}")).json()
        assert (gone["status"], gone["cancel_reason"]) == ("cancelled", "tráfico")
        assert await events(clinic_a, old["id"]) == [
            (None, "pending", None),
            ("pending", "cancelled", "tráfico"),
        ]
        assert [a for a, _ in await audited(clinic_a, old["id"])] == ["create", "reschedule"]
        again = await surgery.act(gone, "reschedule", target)
        assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")

    async def test_reschedule_may_change_practitioner_and_leave_the_room(
        self, clinic_a: Clinic
    ) -> None:
        surgery = await surgery_at(clinic_a)
        other = await surgery.another_practitioner()
        old = await surgery.book(NINE, room_id=surgery.room_id)
        target = {"starts_at": old["starts_at"], "ends_at": old["ends_at"]}
        answer = await surgery.act(
            old, "reschedule", target | {"practitioner_id": str(other), "room_id": None}
        )
        assert (answer.json()["practitioner_id"], answer.json()["room_id"]) == (str(other), None)
        assert answer.json()["outside_availability"] is True

    async def test_change_is_of_room_service_and_reason_until_the_end(
        self, clinic_a: Clinic
    ) -> None:
        surgery = await surgery_at(clinic_a)
        booked = await surgery.book(NINE)
        path = f"{APPOINTMENTS}/{booked['id']}"
        changes = {
            "room_id": str(surgery.room_id),
            "reason_text": "dolor",
            "reason_type": "emergency",
        }
        answer = await clinic_a.patch(path, changes, headers={"If-Match": '"1"'})
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in changes} == changes
        assert answer.headers["ETag"] == '"2"'
        timed = await clinic_a.patch(path, {"starts_at": NINE}, headers={"If-Match": '"2"'})
        assert timed.json()["errors"][0]["code"] == "unknown_field"
        cancelled = (await surgery.act(answer.json(), "cancel")).json()
        tag = {"If-Match": f'"{cancelled["version"]}"'}
        final = await clinic_a.patch(path, {"reason_text": "x"}, headers=tag)
        assert (final.status_code, final.json()["code"]) == (409, "invalid_transition")


class TestPortal:
    """Portal users: their own, inside the hours, with a key."""

    async def test_own_request_is_pending_from_the_portal(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        body = surgery.body(NINE, patient_id=patient_id)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
        assert answer.status_code == 201, answer.text
        assert (answer.json()["status"], answer.json()["source"]) == ("pending", "portal")

    async def test_request_without_a_key_is_refused(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        body = surgery.body(NINE, patient_id=patient_id)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token))
        assert answer.status_code == 400

    async def test_outside_the_hours_is_refused(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        body = surgery.body(f"{SUNDAY}T09:00:00", patient_id=patient_id)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "outside_availability"

    async def test_for_somebody_else_is_forbidden_whether_they_exist_or_not(
        self, clinic_a: Clinic
    ) -> None:
        surgery = await surgery_at(clinic_a)
        _, _, token = await surgery.portal_user()
        for patient_id in (surgery.patient_id, uuid4()):
            body = surgery.body(NINE, patient_id=patient_id)
            answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    async def test_overbooking_and_other_actions_are_forbidden(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        extra = {"is_overbooked": True, "overbook_reason": "please"}
        body = surgery.body(NINE, patient_id=patient_id, **extra)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
        assert answer.status_code == 403
        own = await surgery.book(NINE, patient_id=patient_id)
        for action in ("confirm", "arrive", "start", "complete", "no-show", "reschedule"):
            answer = await surgery.act(own, action, headers=bearer(token))
            assert answer.status_code in {403, 422}, action
        path = f"{APPOINTMENTS}/{own['id']}"
        answer = await clinic_a.patch(path, {"reason_text": "x"}, headers=bearer(token))
        assert answer.status_code == 403

    async def test_own_ones_are_seen_and_cancelled_and_no_others(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        own = await surgery.book(NINE, patient_id=patient_id)
        other = await surgery.book(f"{MONDAY}T10:00:00")
        listed = await clinic_a.get(APPOINTMENTS, headers=bearer(token))
        assert [item["id"] for item in listed.json()["items"]] == [own["id"]]
        agenda = await clinic_a.get(
            f"{APPOINTMENTS}/agenda", params={"date": str(MONDAY)}, headers=bearer(token)
        )
        assert [line["id"] for line in agenda.json()["items"]] == [own["id"]]
        for path in (f"{APPOINTMENTS}/{other['id']}", f"{APPOINTMENTS}/{other['id']}/ics"):
            assert (await clinic_a.get(path, headers=bearer(token))).status_code == 404
        assert (await surgery.act(other, "cancel", headers=bearer(token))).status_code == 404
        answer = await surgery.act(own, "cancel", headers=bearer(token))
        assert answer.json()["status"] == "cancelled"

    async def test_too_late_to_cancel_and_too_early_to_ask(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        soon = datetime.now(UTC) + timedelta(minutes=30)
        own = await surgery.book(soon, patient_id=patient_id)
        late = await surgery.act(own, "cancel", headers=bearer(token))
        assert (late.status_code, late.json()["code"]) == (409, "invalid_transition")
        for start, code in [
            (soon + timedelta(minutes=1), "too_soon"),
            ("2100-03-01T09:00:00", "too_far_ahead"),
        ]:
            body = surgery.body(start, patient_id=patient_id)
            answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
            assert answer.json()["errors"][0]["code"] == code

    async def test_conflict_with_strangers_tells_times_only(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        _, patient_id, token = await surgery.portal_user()
        booked = await surgery.book(NINE)
        body = surgery.body(NINE, patient_id=patient_id)
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token, **key()))
        assert answer.json()["conflicts"] == [
            {
                "resource": "practitioner",
                "starts_at": booked["starts_at"],
                "ends_at": booked["ends_at"],
            }
        ]


class TestBranches:
    """Staff see and change what is at their branches."""

    async def test_other_branch_is_invisible_and_forbidden(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        elsewhere = await another_branch(clinic_a)
        token = await surgery.staff(Role.OPERATOR, elsewhere)
        booked = await surgery.book(NINE)
        listed = await clinic_a.get(APPOINTMENTS, headers=bearer(token))
        assert listed.json()["items"] == []
        day = {"date": str(MONDAY), "branch_id": str(surgery.branch_id)}
        agenda = await clinic_a.get(f"{APPOINTMENTS}/agenda", params=day, headers=bearer(token))
        assert agenda.json()["items"] == []
        path = f"{APPOINTMENTS}/{booked['id']}"
        for read in (path, f"{path}/ics"):
            assert (await clinic_a.get(read, headers=bearer(token))).status_code == 404
        forbidden = [
            await surgery.act(booked, "confirm", headers=bearer(token)),
            await surgery.act(booked, "cancel", headers=bearer(token)),
            await clinic_a.post(
                APPOINTMENTS, surgery.body(f"{MONDAY}T11:00:00"), headers=bearer(token)
            ),
            await clinic_a.patch(
                path, {"reason_text": "x"}, headers=bearer(token, **{"If-Match": '"1"'})
            ),
        ]
        assert [(a.status_code, a.json()["code"]) for a in forbidden] == [
            (403, "branch_forbidden")
        ] * 4

    async def test_own_branch_is_open(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
        token = await surgery.staff(Role.OPERATOR, surgery.branch_id)
        body = surgery.body(NINE, is_overbooked=True, overbook_reason="urgencia")
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token))
        assert answer.status_code == 201, answer.text
        confirmed = await surgery.act(answer.json(), "confirm", headers=bearer(token))
        assert confirmed.status_code == 200

    @pytest.mark.parametrize(
        ("role", "status"),
        [
            (Role.NURSE, 403),
            (Role.DENTIST, 403),
            (Role.OPERATOR, 201),
            (Role.ADMIN, 201),
        ],
    )
    async def test_overbooking_takes_the_permission(
        self, clinic_a: Clinic, role: Role, status: int
    ) -> None:
        surgery = await surgery_at(clinic_a)
        token = await surgery.staff(role, surgery.branch_id)
        body = surgery.body(NINE, is_overbooked=True, overbook_reason="urgencia")
        answer = await clinic_a.post(APPOINTMENTS, body, headers=bearer(token))
        assert answer.status_code == status

    @pytest.mark.parametrize("role", [Role.DIGITIZER, Role.AUDITOR])
    async def test_readers_read_and_do_not_write(self, clinic_a: Clinic, role: Role) -> None:
        surgery = await surgery_at(clinic_a)
        token = await surgery.staff(role, surgery.branch_id)
        booked = await surgery.book(NINE)
        path = f"{APPOINTMENTS}/{booked['id']}"
        assert (await clinic_a.get(path, headers=bearer(token))).status_code == 200
        answer = await clinic_a.post(APPOINTMENTS, surgery.body(NINE), headers=bearer(token))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE)
    path = f"{APPOINTMENTS}/{booked['id']}"
    assert (await clinic_b.get(path)).status_code == 404
    assert (await clinic_b.get(f"{path}/ics")).status_code == 404
    for action in ("confirm", "cancel"):
        answer = await clinic_b.post(f"{path}/{action}", headers={"If-Match": '"1"'})
        assert answer.status_code == 404
    listed = await clinic_b.get(APPOINTMENTS, params={"practitioner": booked["practitioner_id"]})
    assert listed.json() == {"items": [], "next_cursor": None}


class TestLists:
    """Filters, order, pages, and the day's agenda."""

    @staticmethod
    async def day_of(surgery: Surgery) -> list[str]:
        hours = (11, 9, 10, 12)
        booked = [await surgery.book(f"{MONDAY}T{hour:02}:00:00") for hour in hours]
        return [each["id"] for each in sorted(booked, key=lambda each: each["starts_at"])]

    async def test_filters_narrow_the_list(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        other = await surgery.another_patient()
        one = await surgery.book(NINE, room_id=surgery.room_id)
        two = await surgery.book(f"{MONDAY}T10:00:00", patient_id=other)
        await surgery.act(two, "confirm")
        mine = {"practitioner": str(surgery.practitioner_id)}

        async def ids(**query: Any) -> list[str]:
            answer = await clinic_a.get(APPOINTMENTS, params=mine | query)
            assert answer.status_code == 200, answer.text
            return [item["id"] for item in answer.json()["items"]]

        assert await ids() == [one["id"], two["id"]]
        assert await ids(patient=str(other)) == [two["id"]]
        assert await ids(room=str(surgery.room_id)) == [one["id"]]
        assert await ids(branch=str(surgery.branch_id)) == [one["id"], two["id"]]
        assert await ids(branch_id=str(uuid4())) == []
        assert await ids(status="confirmed") == [two["id"]]
        assert await ids(status=["confirmed", "pending"]) == [one["id"], two["id"]]
        assert await ids(**{"from": f"{MONDAY}T09:30:00"}) == [two["id"]]
        assert await ids(to=f"{MONDAY}T15:00:00Z") == [one["id"]]
        assert await ids(to=str(MONDAY)) == []

    async def test_pages_follow_each_other_by_start(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a)
        expected = await self.day_of(surgery)
        seen: list[str] = []
        query = {"practitioner": str(surgery.practitioner_id), "limit": "3"}
        while True:
            page = (await clinic_a.get(APPOINTMENTS, params=query)).json()
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == expected

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({"doctor": "x"}, 400),
            ({"status": "lost"}, 400),
            ({"practitioner": "7"}, 400),
            ({"from": "yesterday"}, 422),
            ({"cursor": "nonsense"}, 400),
            ({"limit": "101"}, 400),
        ],
    )
    async def test_impossible_query_is_refused(
        self, clinic_a: Clinic, query: dict[str, str], status: int
    ) -> None:
        assert (await clinic_a.get(APPOINTMENTS, params=query)).status_code == status

    async def test_agenda_is_the_local_day_with_names(self, clinic_a: Clinic) -> None:
        surgery = await surgery_at(clinic_a, await another_branch(clinic_a))
        expected = await self.day_of(surgery)
        late = await surgery.book(f"{MONDAY}T23:30:00")
        await surgery.book(f"{MONDAY + timedelta(days=1)}T00:00:00")
        await surgery.book(f"{MONDAY - timedelta(days=1)}T23:00:00")
        query = {"date": str(MONDAY), "branch_id": str(surgery.branch_id)}
        answer = await clinic_a.get(f"{APPOINTMENTS}/agenda", params=query)
        assert answer.status_code == 200, answer.text
        lines = answer.json()["items"]
        assert [line["id"] for line in lines] == [*expected, late["id"]]
        assert lines[0]["practitioner_name"] == "Rosa Quispe Mamani"
        assert lines[0]["patient_name"] == "Luis Rojas"
        other_one = await surgery.another_practitioner()
        query["practitioner"] = str(other_one)
        nothing = await clinic_a.get(f"{APPOINTMENTS}/agenda", params=query)
        assert nothing.json()["items"] == []

    async def test_agenda_needs_a_day(self, clinic_a: Clinic) -> None:
        for query in ({}, {"date": "2027-02-30"}):
            assert (await clinic_a.get(f"{APPOINTMENTS}/agenda", params=query)).status_code == 400


async def test_calendar_file_says_when_and_where_and_not_why(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = await surgery.book(NINE, reason_text="conducto secreto")
    answer = await clinic_a.get(f"{APPOINTMENTS}/{booked['id']}/ics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert f"DTSTART:{MONDAY:%Y%m%d}T140000Z\r\n" in answer.text
    assert f"UID:{booked['id']}@{clinic_a.slug}.polyclinic\r\n" in answer.text
    assert "secreto" not in answer.text
    changed = await surgery.act(booked, "cancel")
    again = await clinic_a.get(f"{APPOINTMENTS}/{changed.json()['id']}/ics")
    assert "STATUS:CANCELLED\r\nSUMMARY" in again.text
    assert "SEQUENCE:1\r\n" in again.text


async def test_names_of_people_do_not_leak_between_clinics(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    await ours.book(NINE)
    await theirs.add(Person(id=new_id(), given_names="Secreta", family_name="Ajena"))
    await theirs.book(NINE)
    for clinic, surgery in ((clinic_a, ours), (clinic_b, theirs)):
        query = {"date": str(MONDAY)}
        answer = await clinic.get(f"{APPOINTMENTS}/agenda", params=query)
        practitioners = {line["practitioner_id"] for line in answer.json()["items"]}
        assert str(surgery.practitioner_id) in practitioners
        other = theirs if surgery is ours else ours
        assert str(other.practitioner_id) not in practitioners
