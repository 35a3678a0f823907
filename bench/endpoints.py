"""The endpoints that are measured: a read of 20 joined rows and a write, both behind a token."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from msgspec import Struct

from bench.load import Plan
from bench.model_clinic import SLOT_MIN, ModelIds, slot
from bench.rounds import Pace
from bench.traffic import Popularity, call_order, http_request

APPOINTMENTS = "/api/v1/appointments"
WRITES_A_SECOND_MAX = 3_000
ORDER_SEED = 20
CREATED = 201


class Addressee(Struct, frozen=True, kw_only=True):
    """One clinic as a server is asked for it."""

    host: str
    token: str
    ids: ModelIds

    def agenda(self) -> str:
        """Return the request of a day's agenda: appointments with the names of patient and practitioner."""
        path = (
            f"{APPOINTMENTS}/agenda?date={self.ids.first_day.date()}&branch_id={self.ids.branch_id}"
        )
        return http_request("GET", path, host=self.host, token=self.token)

    def booking(self, number: int) -> str:
        """Return the request of booking `number`, of which no two are for one time."""
        ids = self.ids
        starts_at = slot(ids.quiet_from, number, len(ids.practitioner_ids))
        body: dict[str, str | UUID] = {
            "patient_id": ids.patient_ids[number % len(ids.patient_ids)],
            "practitioner_id": ids.practitioner_ids[number % len(ids.practitioner_ids)],
            "branch_id": ids.branch_id,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(minutes=SLOT_MIN)).isoformat(),
            "reason_type": "consultation",
            "reason_text": "Control",
        }
        return http_request("POST", APPOINTMENTS, host=self.host, token=self.token, body=body)


def reading(
    port: int, addressees: Sequence[Addressee], popularity: Popularity
) -> Callable[[Pace], Plan]:
    """Return what plans reads of the agenda."""
    requests = [addressee.agenda() for addressee in addressees]
    order = call_order(len(addressees), popularity, seed=ORDER_SEED)

    def plan(pace: Pace) -> Plan:
        return Plan(
            port=port,
            requests=requests,
            order=order,
            repeat=True,
            connections=pace.connections,
            seconds=pace.seconds,
        )

    return plan


class Writing:
    """Plans bookings; each is sent once, so each plan goes on where the one before ended."""

    def __init__(
        self, port: int, addressees: Sequence[Addressee], *, first_number: int = 0
    ) -> None:
        self._port = port
        self._addressees = addressees
        self._next = [first_number] * len(addressees)

    def __call__(self, pace: Pace) -> Plan:
        """Return a plan with more bookings than there will be time for."""
        return self.plan(int(WRITES_A_SECOND_MAX * pace.seconds), pace)

    def plan(self, count: int, pace: Pace) -> Plan:
        """Return a plan of `count` bookings, over all clinics in turn."""
        requests = []
        for position in range(count):
            clinic = position % len(self._addressees)
            requests.append(self._addressees[clinic].booking(self._next[clinic]))
            self._next[clinic] += 1
        return Plan(
            port=self._port,
            requests=requests,
            order=list(range(count)),
            repeat=False,
            connections=pace.connections,
            seconds=pace.seconds,
            expected_status=CREATED,
        )
