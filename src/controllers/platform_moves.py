"""Moves of clinics, as the platform's operators ask for them; server processes work on what the journal holds."""

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, SkipValidation
from litestar.response import ServerSentEvent
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from auth.guards import needs
from controllers.modes import NO_TENANT
from controllers.move_events import EVENT_STREAM, events_of
from controllers.operators import OPERATOR, Operator
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit
from controllers.platform_move_shapes import (
    MoveIn,
    MoveOut,
    MovePreviewOut,
    shown_move,
    shown_preview,
)
from controllers.responses import problems
from domain.paging import Page, decode_cursor, encode_cursor
from tenancy.moves import MoveRecord, Moves, tenant_of

MovesDependency = NamedDependency[SkipValidation[Moves]]


class PlatformMoveController(Controller):
    """The moves of one clinic from home to home."""

    path = "/api/v1/platform/tenants/{tenant:uuid}/moves"
    tags = ("platform",)
    opt = NO_TENANT
    dependencies = OPERATOR

    @post(
        "/",
        operation_id="startMove",
        status_code=HTTP_202_ACCEPTED,
        guards=[needs("moves:write")],
        responses={
            HTTP_200_OK: ResponseSpec(
                MovePreviewOut, generate_examples=False, description="Of a dry run: the plan."
            ),
            **problems(401, 403, 404, 409, 422, 503),
        },
    )
    async def start_move(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        data: JSONBody[MoveIn],
    ) -> Response[MoveOut]:
        """Plan a move that a server process then works on; a dry run tells what it would take and changes nothing."""
        request = data.request(tenant)
        if data.dry_run:
            preview: Response[Any] = Response(shown_preview(await moves.foresee(request)))
            preview.status_code = HTTP_200_OK
            return preview
        return _accepted(await moves.start(request, actor=operator.actor))

    @get(
        "/",
        operation_id="listMoves",
        guards=[needs("moves:read")],
        responses=problems(400, 401, 403, 404),
    )
    async def list_moves(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[MoveOut]:
        """Return one page of the clinic's moves, newest first."""
        before = decode_cursor(cursor, [UUID])[0] if cursor else None
        records = await moves.page(limit=limit + 1, before=before, tenant_id=tenant)
        items = records[:limit]
        return Page(
            items=[shown_move(record) for record in items],
            next_cursor=encode_cursor([items[-1].id]) if len(records) > limit else None,
        )

    @get(
        "/{move:uuid}",
        operation_id="getMove",
        guards=[needs("moves:read")],
        responses=problems(401, 403, 404),
    )
    async def get_move(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        move: FromPath[UUID],
    ) -> MoveOut:
        """Return one move."""
        return shown_move(await moves.move(move, tenant_id=tenant))

    @post(
        "/{move:uuid}/abort",
        operation_id="abortMove",
        status_code=HTTP_202_ACCEPTED,
        guards=[needs("moves:write")],
        responses=problems(401, 403, 404, 409),
    )
    async def abort(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        move: FromPath[UUID],
    ) -> Response[MoveOut]:
        """Ask to give up a move that is not decided yet; the clinic stays where it is."""
        return await _wanted(moves, operator, (tenant, move), "abort")

    @post(
        "/{move:uuid}/rollback",
        operation_id="rollBackMove",
        status_code=HTTP_202_ACCEPTED,
        guards=[needs("moves:write")],
        responses=problems(401, 403, 404, 409),
    )
    async def roll_back(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        move: FromPath[UUID],
    ) -> Response[MoveOut]:
        """Ask to bring the clinic back to its old home, with every write made since."""
        return await _wanted(moves, operator, (tenant, move), "rollback")

    @post(
        "/{move:uuid}/finish",
        operation_id="finishMove",
        status_code=HTTP_202_ACCEPTED,
        guards=[needs("moves:write")],
        responses=problems(401, 403, 404, 409),
    )
    async def finish(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        move: FromPath[UUID],
    ) -> Response[MoveOut]:
        """Ask to give up the way back and to remove what the old home still holds."""
        return await _wanted(moves, operator, (tenant, move), "finish")

    @get(
        "/{move:uuid}/events",
        operation_id="watchMove",
        guards=[needs("moves:read")],
        responses={HTTP_200_OK: EVENT_STREAM, **problems(401, 403, 404, 429)},
    )
    async def watch(
        self,
        moves: MovesDependency,
        operator: Operator,
        tenant: FromPath[UUID],
        move: FromPath[UUID],
    ) -> ServerSentEvent:
        """Send the move as server-sent events until it settles; a client that is cut off asks again."""
        return ServerSentEvent(events_of(moves, await moves.move(move, tenant_id=tenant)))


async def _wanted(
    moves: Moves, operator: Any, which: tuple[UUID, UUID], wanted: str
) -> Response[MoveOut]:
    tenant, move_id = which
    record = await moves.move(move_id, tenant_id=tenant)
    return _accepted(await moves.want(record, wanted, actor=operator.actor))


def _accepted(record: MoveRecord) -> Response[MoveOut]:
    location = f"/api/v1/platform/tenants/{tenant_of(record)}/moves/{record.id}"
    return Response(
        shown_move(record), status_code=HTTP_202_ACCEPTED, headers={"Location": location}
    )
