"""A short day of a clinic over HTTP: a booking, a double booking, a user shut out. Works wherever its home is."""

from populate import Population, populate
from served import SignedUp


async def walk_through(clinic: SignedUp) -> None:
    """Do what every server must be able to do for a clinic; fails where one cannot."""
    made = await populate(clinic)
    await _double_booking_is_refused(clinic, made)
    await _block_acts_at_once(clinic)


async def _double_booking_is_refused(clinic: SignedUp, made: Population) -> None:
    booking = {
        "patient_id": made.ids["patient"],
        "practitioner_id": made.ids["practitioner"],
        "branch_id": made.ids["branch"],
        **made.slot(),
    }
    first = await clinic.post("/api/v1/appointments", booking)
    assert first.status_code == 201, first.text
    second = await clinic.post("/api/v1/appointments", booking)
    assert (second.status_code, second.json()["code"]) == (409, "appointment_conflict")


async def _block_acts_at_once(clinic: SignedUp) -> None:
    dentist = SignedUp(clinic.http, clinic.slug)
    dentist.email = f"dentist@{clinic.slug}.example"
    account = {"email": dentist.email, "password": dentist.password, "status": "active"}
    made = await clinic.post("/api/v1/users", {**account, "roles": ["dentist"]})
    assert made.status_code == 201, made.text
    dentist.access = (await dentist.login()).json()["access"]
    assert (await dentist.get("/api/v1/auth/me")).status_code == 200
    path = f"/api/v1/users/{made.json()['id']}"
    version = (await clinic.get(path)).headers["ETag"]
    blocked = await clinic.post(f"{path}/block", {}, headers={"If-Match": version})
    assert blocked.status_code == 200, blocked.text
    assert (await dentist.get("/api/v1/auth/me")).status_code == 401
