"""Parts of the embedded server that need no server: who may go where, what is full, what is running."""

import os
import stat

import pytest

from app.postgres.account import Account
from app.postgres.binaries import Binaries
from app.postgres.cluster import make_cluster
from app.postgres.errors import PostgresError, PostgresSpaceError
from app.postgres.record import (
    ServerRecord,
    drop_misleading_locks,
    read_record,
    serves,
    write_record,
)

NOBODY = 65534
OURSELVES = Account(os.geteuid(), os.getegid(), other=False)
STRANGER = Account(NOBODY, NOBODY, other=True)


def program(directory, name, script):
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def record_of(pid, cluster):
    return ServerRecord(
        pid=pid,
        owner_pid=pid,
        cluster=str(cluster),
        socket_directory="/tmp",
        port=5432,
        version="18.6",
    )


def test_stranger_may_enter_only_where_every_folder_lets_others_pass(tmp_path):
    private = tmp_path / "private"
    inside = private / "inside"
    inside.mkdir(parents=True)
    opened = [tmp_path, *tmp_path.parents]
    if any(not folder.stat().st_mode & stat.S_IXOTH for folder in opened):
        assert not STRANGER.may_enter(inside)
    private.chmod(0o700)
    assert not STRANGER.may_enter(inside)
    assert OURSELVES.may_enter(inside)


@pytest.mark.parametrize(
    ("complaint", "error", "words"),
    [
        ("could not write: No space left on device", PostgresSpaceError, "is full"),
        (
            "initdb: error: out of ideas",
            PostgresError,
            "initdb failed: initdb: error: out of ideas",
        ),
    ],
)
def test_failed_initdb_is_one_line_and_leaves_nothing(tmp_path, complaint, error, words):
    program(tmp_path, "initdb", f'echo "a first line" >&2; echo "{complaint}" >&2; exit 1')
    ground = tmp_path / "postgres"
    ground.mkdir()
    binaries = Binaries(tmp_path, "18.6")
    with pytest.raises(error, match=words) as refusal:
        make_cluster(ground, OURSELVES, binaries, password="secret", synchronous=True)
    assert "\n" not in str(refusal.value)
    assert list(ground.iterdir()) == []


def test_record_of_a_process_that_is_no_server_is_stale(tmp_path):
    write_record(tmp_path, record_of(os.getpid(), tmp_path))
    assert read_record(tmp_path) is None
    assert not serves(os.getpid(), tmp_path)
    assert not serves(0, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": 1}', b"\xff"])
def test_damaged_record_counts_as_none(tmp_path, content):
    (tmp_path / "server.json").write_bytes(content)
    assert read_record(tmp_path) is None


def test_lock_files_that_name_somebody_else_are_removed_and_others_left(tmp_path):
    sockets = tmp_path / "socket"
    sockets.mkdir()
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n")
    lock = sockets / ".s.PGSQL.5432.lock"
    lock.write_text("not a number\n")
    drop_misleading_locks(tmp_path, sockets)
    assert not (tmp_path / "postmaster.pid").exists()
    assert lock.exists()
