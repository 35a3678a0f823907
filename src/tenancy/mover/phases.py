"""The phases of a move, in order. Their names are those of the failpoints, of the journal and of the runbook."""

from collections.abc import Callable
from enum import StrEnum


class Phase(StrEnum):
    """How far a move has come: what is named has just been done.

    `lock_wait`, `apply_before_commit`, `before_decide` and `finalize_started` tell what is about to be done. Of the
    last four, a move that is given up or goes back passes `purge_batch_k` and `cleaned` alone.
    """

    PLANNED = "planned"
    ATTEMPT_SRC = "attempt_src"
    ATTEMPT_DST = "attempt_dst"
    PUBLISHED = "published"
    SLOT_CREATED = "slot_created"
    COPY_CHUNK = "copy_chunk_k"
    COPIED = "copied"
    INDEXES_BUILT = "indexes_built"
    REVERSE_SLOT = "reverse_slot"
    APPLY_BEFORE_COMMIT = "apply_before_commit"
    APPLIED_NOT_CONFIRMED = "applied_not_confirmed"
    CAUGHT_UP = "caught_up"
    LOCK_WAIT = "lock_wait"
    LOCKED = "locked"
    MARKER_WRITTEN = "marker_written"
    DRAINED = "drained"
    VERIFIED = "verified"
    TARGET_READY = "target_ready"
    BEFORE_DECIDE = "before_decide"
    DECIDE_SENT = "decide_sent"
    DECIDED = "decided"
    REGISTRY_WRITTEN = "registry_written"
    REVERSE_STARTED = "reverse_started"
    FULL_VERIFY = "full_verify"
    ROLLBACK_LOCKED = "rollback_locked"
    ROLLBACK_DECIDED = "rollback_decided"
    FINALIZE_STARTED = "finalize_started"
    SLOT_DROPPED = "slot_dropped"
    PURGE_BATCH = "purge_batch_k"
    CLEANED = "cleaned"


Reached = Callable[[Phase], None]
"""Told of each phase as it is reached; a test lets the process die there."""


def nothing_happens(_phase: Phase) -> None:
    """Pass a phase unharmed."""
