"""The ids of a demo clinic's rows, made before the rows so that these can point at one another."""

from uuid import UUID

from msgspec import Struct

from app.demo.specification import BranchSpec, ClinicSpec
from domain.tables import new_id


class ClinicIds(Struct, frozen=True, kw_only=True):
    """New ids: by code or name where rows have one, else by index in staff or patients."""

    branches: dict[str, UUID]
    rooms: dict[tuple[str, str], UUID]
    specialties: dict[str, UUID]
    categories: dict[str, UUID]
    services: dict[str, UUID]
    staff_people: list[UUID]
    staff_users: list[UUID]
    practitioners: dict[int, UUID]
    people: list[UUID]
    patients: list[UUID]
    portal_user: UUID

    @property
    def admin(self) -> UUID:
        """The user who has made everything that nobody else made."""
        return self.staff_users[0]


def new_ids(spec: ClinicSpec, patients: int) -> ClinicIds:
    """Return ids for everything of the clinic but its agenda."""
    return ClinicIds(
        branches={branch.code: new_id() for branch in spec.branches},
        rooms={key: new_id() for branch in spec.branches for key in room_keys(branch)},
        specialties={specialty.code: new_id() for specialty in spec.specialties},
        categories={service.category: new_id() for service in spec.services},
        services={service.code: new_id() for service in spec.services},
        staff_people=[new_id() for _ in spec.staff],
        staff_users=[new_id() for _ in spec.staff],
        practitioners={
            index: new_id() for index, staff in enumerate(spec.staff) if staff.specialty is not None
        },
        people=[new_id() for _ in range(patients)],
        patients=[new_id() for _ in range(patients)],
        portal_user=new_id(),
    )


def room_keys(branch: BranchSpec) -> list[tuple[str, str]]:
    """Return branch code and name of each room."""
    return [(branch.code, room.name) for room in branch.rooms]
