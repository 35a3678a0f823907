"""Small routes for tests of the frame: they write, fail and wait on demand, inside a clinic."""

import asyncio
from typing import Annotated, Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, SkipValidation
from msgspec import Meta, Struct
from sqlalchemy import insert, literal, select

from controllers.etag import tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from domain.actor import Actor
from domain.errors import NotFoundError
from domain.operations.counters import next_number
from domain.operations.models import DocumentCounter
from domain.tables import new_id
from tenancy.session import TenantSession

Session = NamedDependency[SkipValidation[TenantSession]]


class NumberIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Annotated[str, Meta(max_length=2000)]
    fails: bool = False
    wait_s: float = 0.0
    value: int = 1


class NumberOut(Struct, frozen=True, kw_only=True):
    number: str


class StandIns(Controller):
    """Writes with and without a key."""

    path = "/api/v1/stand-ins"

    @post("/numbers", opt=WRITE)
    @idempotent
    async def create_number(self, db_session: Session, data: JSONBody[NumberIn]) -> NumberOut:
        number = await next_number(db_session, data.kind)
        await asyncio.sleep(data.wait_s)
        if data.fails:
            raise NotFoundError
        return NumberOut(number=number)

    @post("/tagged-numbers", opt=WRITE)
    @idempotent
    async def create_tagged_number(
        self,
        db_session: Session,
        data: JSONBody[NumberIn],
        actor: NamedDependency[SkipValidation[Actor]],
    ) -> Response[NumberOut]:
        assert actor.user_id is not None
        number = await next_number(db_session, data.kind)
        return tagged(NumberOut(number=number), 1, 201, f"/numbers/{number}")

    @post("/counters", opt=WRITE)
    async def create_counter(self, db_session: Session, data: JSONBody[NumberIn]) -> NumberOut:
        values: dict[str, Any] = {"id": new_id(), "kind": data.kind, "next_value": data.value}
        await db_session.execute(insert(DocumentCounter).values(**values))
        return NumberOut(number="1")

    @post("/counters-of-nowhere", opt=WRITE)
    async def create_counter_of_nowhere(self, db_session: Session) -> NumberOut:
        values: dict[str, Any] = {
            "id": new_id(),
            "kind": "x",
            "next_value": 1,
            "branch_id": new_id(),
        }
        await db_session.execute(insert(DocumentCounter).values(**values))
        return NumberOut(number="1")

    @get("/numbers", opt=READ)
    async def list_numbers(self, db_session: Session, kind: FromQuery[str]) -> list[int]:
        counter = DocumentCounter
        statement = select(counter.next_value).where(counter.kind == kind)
        return list((await db_session.execute(statement)).scalars())

    @get("/faults", opt=READ)
    async def fault(self, db_session: Session) -> int:
        return (await db_session.execute(select(literal(1) / literal(0)))).scalar_one()

    @get("/bugs", opt=READ)
    async def bug(self, db_session: Session) -> int:
        await db_session.execute(select(literal(1)))
        message = "secret detail of a bug"
        raise RuntimeError(message)
