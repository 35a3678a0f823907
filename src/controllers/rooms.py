"""Rooms, dental chairs and devices of the branches."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.organisation.models import RoomKind
from domain.organisation.rooms import RoomService
from domain.organisation.schemas import RoomChanges, RoomFilter, RoomIn, RoomOut
from domain.paging import Page
from tenancy.session import TenantSession

PATH = "/api/v1/rooms"

Rooms = NamedDependency[SkipValidation[RoomService]]


def provide_rooms(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> RoomService:
    """Return the service of rooms."""
    return RoomService(db_session, actor)


class RoomController(Controller):
    """Rooms of the calling clinic."""

    path = PATH
    tags = ("rooms",)
    dependencies = {"rooms": Provide(provide_rooms, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @get(
        "/",
        operation_id="listRooms",
        guards=[needs("rooms:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_rooms(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        rooms: Rooms,
        branch: FromQuery[UUID | None] = None,
        branch_id: FromQuery[UUID | None] = None,
        kind: FromQuery[RoomKind | None] = None,
        is_active: FromQuery[bool | None] = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[RoomOut]:
        """Return one page of rooms, by name; `branch` is another name of `branch_id`."""
        wanted = RoomFilter(branch_id=branch_id or branch, kind=kind, is_active=is_active)
        return await rooms.list_rooms(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createRoom",
        guards=[needs("rooms:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_room(self, rooms: Rooms, data: JSONBody[RoomIn]) -> Response[RoomOut]:
        """Add a room to a branch."""
        room = await rooms.create_room(data)
        return tagged(room, room.version, HTTP_201_CREATED, f"{PATH}/{room.id}")

    @get(
        "/{room_id:uuid}",
        operation_id="getRoom",
        guards=[needs("rooms:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_room(self, rooms: Rooms, room_id: FromPath[UUID]) -> Response[RoomOut]:
        """Return one room."""
        room = await rooms.get_room(room_id)
        return tagged(room, room.version)

    @patch(
        "/{room_id:uuid}",
        operation_id="updateRoom",
        guards=[needs("rooms:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_room(
        self,
        rooms: Rooms,
        room_id: FromPath[UUID],
        data: JSONBody[RoomChanges],
        if_match: IfMatch = None,
    ) -> Response[RoomOut]:
        """Change a room."""
        room = await rooms.change_room(room_id, data, required_version(if_match))
        return tagged(room, room.version)

    @delete(
        "/{room_id:uuid}",
        operation_id="archiveRoom",
        guards=[needs("rooms:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 412, 428),
    )
    async def archive_room(
        self, rooms: Rooms, room_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Take a room out of use for good."""
        await rooms.archive_room(room_id, required_version(if_match))
