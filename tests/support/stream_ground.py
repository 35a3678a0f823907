"""Two schemas with the same tables and a real slot between them: what the mover streams, without a clinic round it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from tenancy.mover.apply import Applier
from tenancy.mover.phases import nothing_happens
from tenancy.mover.plan import StreamNames
from tenancy.mover.progress import ProgressBoard, TableCount
from tenancy.mover.slots import Replication
from tenancy.mover.stream import ChangeStream
from tenancy.mover.tables import Shapes, read_shapes
from tenancy.mover.verify import count_table
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, Placement, StrategyName, TenantId

ATTEMPT = 1


class StreamGround:
    """A source and a target schema of one database, and the tenant whose rows go from one to the other."""

    def __init__(self, tenancy: Tenancy, connection: Any, server: str, database: str) -> None:
        self.tenant_id, self.names = TenantId(uuid4()), StreamNames.forward(uuid4())
        self.connection = connection
        """The administrator, who writes at the source."""
        word = secrets.token_hex(5)
        self.source = Home(server, database, f"stream_{word}_s")
        self.target = Home(server, database, f"stream_{word}_t")
        self.shapes: Shapes = {}
        self.replication = Replication(tenancy.pools, self.source)
        self._pools = tenancy.pools

    async def prepare(self, tables: str) -> None:
        """Make the tables at both ends, and publish the tenant's rows of them; the slot is the caller's."""
        for home in (self.source, self.target):
            await self.connection.execute(
                f"CREATE SCHEMA {home.schema} AUTHORIZATION clinic_owner; SET ROLE clinic_owner;"
                f" SET search_path = {home.schema}; {tables};"
                f" GRANT USAGE ON SCHEMA {home.schema} TO clinic_mover;"
                f" GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {home.schema} TO clinic_mover;"
                f" RESET ROLE"
            )
        # What is not flushed yet is not in the stream yet.
        await self.connection.execute(
            f"SET search_path = {self.source.schema}; SET synchronous_commit = on"
        )
        await self.connection.execute(
            "INSERT INTO tenancy.move_stream (tenant_id, schema_name, move_id, attempt)"
            " VALUES ($1, $2, $3, $4)",
            self.tenant_id,
            self.target.schema,
            uuid4(),
            ATTEMPT,
        )
        self.shapes = await read_shapes(self.connection, self.source.schema)
        await self.replication.publish(self.names, self.tenant_id, self.shapes)

    def applier(self) -> Applier:
        """Return a new applier of the target; the caller opens and closes it."""
        placement = Placement(
            tenant_id=self.tenant_id, strategy=StrategyName.SCHEMA, home=self.target, epoch=1
        )
        return Applier(
            self._pools, placement, self.shapes, attempt=ATTEMPT, reached=nothing_happens
        )

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[ChangeStream]:
        """Yield the open stream from the slot to the target, beginning where the slot does or it was left."""
        stream = ChangeStream(
            self._pools,
            self.source,
            self.names,
            self.applier(),
            board=ProgressBoard(),
            reached=nothing_happens,
        )
        await stream.open()
        try:
            if not stream.applier.applied_lsn:
                await stream.applier.start_at(await self.replication.position(self.names))
            yield stream
        finally:
            await stream.close()

    async def rows(self, home: Home) -> dict[str, list[str]]:
        """Return every row as text: what hashes call equal, such as 1.0 and 1.00, is not."""
        return {
            name: [
                row[0]
                for row in await self.connection.fetch(
                    f'SELECT t::text FROM {home.schema}."{name}" t ORDER BY 1'
                )
            ]
            for name in self.shapes
        }

    async def counts(self, home: Home) -> dict[str, TableCount]:
        """Return count and hash of every table, as the mover compares them."""
        return {
            name: await count_table(self.connection, home, shape, self.tenant_id)
            for name, shape in self.shapes.items()
        }

    async def clear(self) -> None:
        """Remove slot, publication and schemas."""
        await self.replication.withdraw(self.names)
        await self.connection.execute(
            f"DROP SCHEMA IF EXISTS {self.source.schema}, {self.target.schema} CASCADE"
        )
        await self.connection.execute(
            "DELETE FROM tenancy.move_stream WHERE tenant_id = $1", self.tenant_id
        )


@asynccontextmanager
async def open_ground(
    tenancy: Tenancy, connection: Any, server: str, database: str, tables: str
) -> AsyncIterator[StreamGround]:
    """Yield a ground with these tables; `connection` is the administrator's, and closed at the end."""
    ground = StreamGround(tenancy, connection, server, database)
    try:
        await ground.prepare(tables)
        yield ground
    finally:
        await ground.clear()
        await connection.close()
