"""Absences and extra hours, of a practitioner and of a whole branch."""

from attendance import EXCEPTIONS, MONDAY, MORNING, close, exceptions_path, monday_hours
from clinics import Clinic
from domain.actor import Role
from surgeries import another_branch, bearer, surgery_at


async def test_exception_lives_its_own_life(clinic_a: Clinic) -> None:
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


async def test_list_is_what_touches_the_range(clinic_a: Clinic) -> None:
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


async def test_branch_exceptions_are_on_its_wall_clock_and_for_its_people(clinic_a: Clinic) -> None:
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


async def test_patients_do_not_read_why(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    made = await close(surgery, f"{MONDAY}T08:00:00", f"{MONDAY}T09:00:00")
    answer = await clinic_a.get(f"{EXCEPTIONS}/{made['id']}", role=Role.PATIENT)
    assert (answer.status_code, answer.json()["reason"]) == (200, None)


async def test_other_clinic_gets_404(clinic_a: Clinic, clinic_b: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    made = await close(surgery, f"{MONDAY}T08:00:00", f"{MONDAY}T09:00:00")
    path, tag = f"{EXCEPTIONS}/{made['id']}", {"If-Match": '"1"'}
    assert (await clinic_b.get(path)).status_code == 404
    assert (await clinic_b.patch(path, {"reason": "x"}, headers=tag)).status_code == 404
    assert (await clinic_b.delete(path, headers=tag)).status_code == 404
    branch = f"/api/v1/branches/{surgery.branch_id}/exceptions"
    assert (await clinic_b.get(branch)).status_code == 404
