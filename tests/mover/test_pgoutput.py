"""Messages of `pgoutput` written by hand are read as the manual says; anything else is a `StreamError`."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.mover.errors import StreamError
from tenancy.mover.pgoutput import UNCHANGED, Decoder, Transaction

PREFIX = "polyclinic.move"
BEGIN = b"B" + bytes(7) + b"\x64" + bytes(8) + bytes(4)
COMMIT = b"C\0" + bytes(7) + b"\x64" + bytes(7) + b"\x70" + bytes(8)
# Relation 9, schema s, table t: key columns a and b, then c.
RELATION = (
    b"R\0\0\0\x09s\0t\0d\0\x03"
    b"\x01a\0\0\0\0\x19\xff\xff\xff\xff\x01b\0\0\0\0\x19\xff\xff\xff\xff\0c\0\0\0\0\x19\xff\xff\xff\xff"
)
ONE, TWO = b"t\0\0\0\x011", b"t\0\0\0\x012"
INSERT = b"I\0\0\0\x09N\0\x03" + ONE + ONE + b"t\0\0\0\0"
UPDATE = b"U\0\0\0\x09N\0\x03" + ONE + ONE + b"u"
KEY_UPDATE = b"U\0\0\0\x09K\0\x03" + ONE + ONE + b"nN\0\x03" + TWO + ONE + b"n"
DELETE = b"D\0\0\0\x09K\0\x03" + TWO + ONE + b"n"
MARK = b"M\x01" + bytes(8) + PREFIX.encode() + b"\0\0\0\0\x04mark"
MESSAGES = (BEGIN, RELATION, INSERT, UPDATE, KEY_UPDATE, DELETE, MARK, COMMIT)


def decoded(*messages: bytes) -> Transaction | None:
    decoder, last = Decoder(PREFIX), None
    for message in messages:
        last = decoder.feed(message)
    return last


def test_golden_messages():
    done = decoded(*MESSAGES)
    assert done is not None
    assert (done.commit_lsn, done.end_lsn, done.marks) == (0x64, 0x70, ("mark",))
    assert [(c.kind, c.old, c.new) for c in done.changes] == [
        ("insert", None, ("1", "1", "")),
        ("update", None, ("1", "1", UNCHANGED)),
        ("update", ("1", "1", None), ("2", "1", None)),
        ("delete", ("2", "1", None), None),
    ]
    assert done.changes[2].key() == {"a": "1", "b": "1"}
    assert done.changes[0].relation.key == ("a", "b")


def test_a_message_that_is_cut_short_is_refused():
    for message in MESSAGES[1:]:
        # What a commit carries after its positions is of no use here.
        for size in range(len(message) - (8 if message is COMMIT else 0)):
            with pytest.raises(StreamError):
                decoded(BEGIN, RELATION, message[:size])


def test_a_truncation_is_refused():
    with pytest.raises(StreamError):
        decoded(BEGIN, RELATION, b"T\0\0\0\x01\0\0\0\0\x09")


@given(
    st.one_of(
        st.binary(max_size=60),
        st.tuples(st.sampled_from(MESSAGES), st.integers(0, 60), st.integers(0, 255)).map(
            lambda m: m[0][: m[1]] + bytes([m[2]]) + m[0][m[1] + 1 :]
        ),
    )
)
def test_garbage_is_refused_by_nothing_but_a_stream_error(message: bytes):
    with contextlib.suppress(StreamError):
        decoded(BEGIN, RELATION, message)
