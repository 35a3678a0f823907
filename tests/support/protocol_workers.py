"""What workers of the protocol model do: enter as `tenancy.enter` lets them, write, read, and follow the clinic."""

from collections.abc import Iterator

from protocol_world import SERVABLE, UNFENCED, Flaw, Row, Worker, World

WRITES_MAX = 2
Step = tuple[str, World]


class ForbiddenCommitError(Exception):
    """A transaction committed where it must not."""


def writer_steps(world: World, number: int, flaw: Flaw | None) -> Iterator[Step]:
    """Yield what one writer can do next."""
    worker = world.writers[number]

    def become(**parts) -> World:
        changed = list(world.writers)
        changed[number] = worker._replace(**parts)
        return world._replace(writers=tuple(changed))

    row, name = world.row(worker.home), f"writer {number}"
    is_free = world.fence(worker.home).attempt == UNFENCED
    if worker.at == "idle" and (worker.home, worker.epoch) != ("a", 1):
        yield f"{name} believes an old registry", become(home="a", epoch=1)
    match worker.at:
        case "idle" if flaw is Flaw.STALE_CHECK:
            yield f"{name} looks at the home", become(at="waits", seen=row)
        case "idle" | "waits" if is_free:
            yield f"{name} locks", become(at="locked")
        case "locked":
            yield from _checked(worker, worker.seen or row, name, become)
        case "inside":
            yield f"{name} rolls back", become(at="idle", seen=None)
            yield from _committed(world, worker, name, become(at="idle", seen=None))


def _checked(worker: Worker, row: Row, name: str, become) -> Iterator[Step]:
    if row.state in SERVABLE and row.epoch == worker.epoch:
        yield f"{name} is in at {worker.home}", become(at="inside")
    elif row.state == "moved":
        there = "b" if worker.home == "a" else "a"
        yield f"{name} follows", become(at="idle", home=there, epoch=row.epoch, seen=None)
    elif row.state in {"loading", "none"}:
        yield f"{name} is sent back", become(at="idle", home="a", epoch=1, seen=None)
    elif row.state == "active":
        yield f"{name} learns the epoch", become(at="idle", epoch=row.epoch, seen=None)
    else:
        yield f"{name} waits", become(at="idle", seen=None)


def _committed(world: World, worker: Worker, name: str, after: World) -> Iterator[Step]:
    if (worker.home, worker.epoch) not in world.serving():
        raise ForbiddenCommitError(f"I2: {name} commits at {worker.home} in epoch {worker.epoch}")
    data = world.forth if worker.epoch == 1 else world.back
    if worker.epoch <= 2 and data.written < WRITES_MAX:
        written = data._replace(written=data.written + 1)
        which = "forth" if worker.epoch == 1 else "back"
        yield f"{name} commits at {worker.home}", after._replace(**{which: written})


def reader_steps(world: World, number: int) -> Iterator[Step]:
    """Yield what one reader can do next; it never waits, and is seen only by who removes a home."""
    reader = world.readers[number]

    def become(**parts) -> World:
        changed = list(world.readers)
        changed[number] = reader._replace(**parts)
        return world._replace(readers=tuple(changed))

    row, name = world.row(reader.home), f"reader {number}"
    match reader.at:
        case "idle":
            yield f"{name} shows itself", become(at="locked")
            if (reader.home, reader.epoch) != ("a", 1):
                yield f"{name} believes an old registry", become(home="a", epoch=1)
        case "locked":
            yield from _checked(reader, row, name, become)
        case "inside":
            yield f"{name} ends", become(at="idle")
