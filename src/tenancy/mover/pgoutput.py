"""Reads PostgreSQL's `pgoutput` messages, protocol version 1 ("Logical Replication Message Formats" in its manual)."""

from enum import Enum
from typing import Final, Literal

from msgspec import Struct

from tenancy.mover.errors import StreamError


class Unchanged(Enum):
    """Stands for a value that is stored out of line and was not touched: the message does not carry it."""

    VALUE = "unchanged"


UNCHANGED: Final = Unchanged.VALUE
Value = str | None | Unchanged


class Relation(Struct, frozen=True):
    """A table as the stream announces it."""

    oid: int
    schema: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """The columns of the replica identity."""


class Change(Struct, frozen=True):
    """One changed row: `new` is None for a deletion; `old` holds the former key where it is told."""

    kind: Literal["insert", "update", "delete"]
    relation: Relation
    old: tuple[Value, ...] | None
    new: tuple[Value, ...] | None

    def key(self) -> dict[str, Value]:
        """Return the key under which the row was before the change."""
        row = self.old if self.old is not None else self.new
        assert row is not None
        return {
            name: value
            for name, value in zip(self.relation.columns, row, strict=True)
            if name in self.relation.key
        }


class Transaction(Struct, frozen=True):
    """One committed transaction of the source; positions are bytes in its log."""

    commit_lsn: int
    end_lsn: int
    changes: tuple[Change, ...]
    marks: tuple[str, ...]


class Reader:
    """Cuts one message into its fields; every read past its end is a `StreamError`."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """Return an unsigned big-endian number of `size` bytes."""
        return int.from_bytes(self.octets(size), "big")

    def octets(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise StreamError
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def text(self) -> str:
        """Return a string that ends with a zero byte."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise StreamError
        piece = self._data[self._at : end]
        self._at = end + 1
        return _utf8(piece)


def _utf8(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise StreamError from error


class Decoder:
    """Puts messages together to transactions; keeps the relations announced so far."""

    def __init__(self, mark_prefix: str) -> None:
        self._mark_prefix = mark_prefix
        self._relations: dict[int, Relation] = {}
        self._changes: list[Change] | None = None
        self._marks: list[str] = []

    def feed(self, data: bytes) -> Transaction | None:
        """Take one message; return the transaction that it completes. Raises `StreamError`."""
        reader = Reader(data)
        match reader.octets(1):
            case b"B":
                self._changes, self._marks = [], []
            case b"C":
                return self._commit(reader)
            case b"R":
                relation = _relation(reader)
                self._relations[relation.oid] = relation
            case b"I" | b"U" | b"D" as kind:
                self._add(self._change(kind, reader))
            case b"M":
                self._mark(reader)
            case b"O" | b"Y":
                pass  # where a transaction came from and what a type is called: of no use here
            case _:
                # Above all "T": a truncation is not published, so nothing may send one.
                raise StreamError
        return None

    def _add(self, change: Change) -> None:
        if self._changes is None:
            raise StreamError
        self._changes.append(change)

    def _commit(self, reader: Reader) -> Transaction:
        if self._changes is None:
            raise StreamError
        reader.octets(1)
        commit_lsn, end_lsn = reader.number(8), reader.number(8)
        done = Transaction(commit_lsn, end_lsn, tuple(self._changes), tuple(self._marks))
        self._changes, self._marks = None, []
        return done

    def _mark(self, reader: Reader) -> None:
        is_transactional = reader.number(1)
        reader.octets(8)
        if reader.text() == self._mark_prefix and is_transactional:
            self._marks.append(_utf8(reader.octets(reader.number(4))))

    def _change(self, kind: bytes, reader: Reader) -> Change:
        relation = self._relations.get(reader.number(4))
        if relation is None:
            raise StreamError
        old: tuple[Value, ...] | None = None
        part = reader.octets(1)
        if part in {b"K", b"O"} and kind != b"I":
            old = _row(reader, relation)
            if kind == b"D":
                return Change("delete", relation, old, None)
            part = reader.octets(1)
        if part != b"N":
            raise StreamError
        word: Literal["insert", "update"] = "insert" if kind == b"I" else "update"
        return Change(word, relation, old, _row(reader, relation))


def _relation(reader: Reader) -> Relation:
    oid, schema, table = reader.number(4), reader.text(), reader.text()
    reader.octets(1)
    columns, key = [], []
    for _ in range(reader.number(2)):
        is_key = reader.number(1)
        name = reader.text()
        reader.octets(8)
        columns.append(name)
        if is_key & 1:
            key.append(name)
    return Relation(oid, schema, table, tuple(columns), tuple(key))


def _row(reader: Reader, relation: Relation) -> tuple[Value, ...]:
    count = reader.number(2)
    if count != len(relation.columns):
        raise StreamError
    return tuple(_value(reader) for _ in range(count))


def _value(reader: Reader) -> Value:
    match reader.octets(1):
        case b"n":
            return None
        case b"u":
            return UNCHANGED
        case b"t":
            return _utf8(reader.octets(reader.number(4)))
        case _:
            raise StreamError
