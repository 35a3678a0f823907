"""Writes down what a soak of moves has seen."""

import os
import platform
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from traffic import ANSWER_S_MAX, Answer

from tenancy.mover.attempt import INSIDE_THE_PAUSE
from tenancy.mover.phases import Phase

AROUND_S: Final = 0.05


class Moved(Struct, frozen=True, kw_only=True):
    """One move as its process tells of it."""

    direction: str
    began_at: float
    locked_at: float
    decided_at: float
    ended_at: float
    pause_ms: float
    cut_overs: int
    rows: int
    steps: dict[str, float]
    """Milliseconds since the fence at which each phase of the pause was reached."""


def percentiles(values: Sequence[float]) -> str:
    """Return p50, p99 and maximum as cells of a table."""
    if not values:
        return "- | - | -"
    ordered = sorted(values)
    at = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99)]
    return " | ".join(f"{value:.1f}" for value in (*at, ordered[-1]))


def longest_around(writes: Sequence[Answer], moved: Moved) -> float:
    """Return the longest time of a write that was under way at the cut-over, in milliseconds.

    `writes` are in the order in which they were sent.
    """
    begin, end = moved.locked_at - AROUND_S, moved.decided_at + AROUND_S
    first = bisect_left(writes, begin - ANSWER_S_MAX, key=lambda a: a.sent_at)
    last = bisect_right(writes, end, key=lambda a: a.sent_at)
    return max((a.ms for a in writes[first:last] if a.answered_at >= begin), default=0.0)


def report(
    answers: Sequence[Answer], moved: Sequence[Moved], moves_begin: float, missing: str
) -> str:
    """Return what was seen as a document."""
    failed = [a for a in answers if a.problem]
    by_kind = {kind: [a for a in answers if a.kind == kind] for kind in ("write", "read", "other")}
    ends = max(a.answered_at for a in answers)
    begins = min(a.sent_at for a in answers)
    writes = sorted(by_kind["write"], key=lambda a: a.sent_at)
    lines = [
        "# Moves under load",
        "",
        "Written by `just soak-moves`; do not edit. One clinic after another is moved again and again between row, schema and",
        "database on one PostgreSQL (embedded, fsync on) while it and two others work through `clinic serve` with two workers.",
        "Load generator, servers, mover and PostgreSQL share the machine.",
        "",
        f"Run on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f} at the end), Python {platform.python_version()}, {ends - begins:.0f} s.",
        "",
        f"- moves: {len(moved)} ({', '.join(f'{n} {d}' for d, n in Counter(m.direction for m in moved).items())})",
        (
            f"- requests: {len(answers)}; to the moving clinic {len(writes) / (ends - begins):.0f} writes/s and"
            f" {len(by_kind['read']) / (ends - begins):.0f} reads/s"
        ),
        f"- failed requests: {len(failed)}; of them reads of the moving clinic: {sum(a.kind == 'read' for a in failed)}",
        f"- acknowledged writes, each exactly once: {f'no: {missing}' if missing else 'yes'}",
        f"- rows of a clinic at a move, at most: {max((m.rows for m in moved), default=0)}",
        f"- fences taken and given back before the decision, at most: {max((m.cut_overs for m in moved), default=0)} tries",
        "",
        "| ms | p50 | p99 | max |",
        "| --- | --- | --- | --- |",
        f"| fence held, as the mover measures it | {percentiles([m.pause_ms for m in moved])} |",
        f"| longest write at each cut-over, as clients see it | {percentiles([longest_around(writes, m) for m in moved])} |",
        f"| duration of a move | {percentiles([(m.ended_at - m.began_at) * 1000 for m in moved])} |",
    ]
    for kind, name in (("write", "writes"), ("read", "reads"), ("other", "the other clinics")):
        quiet = [a.ms for a in by_kind[kind] if a.answered_at < moves_begin]
        moving = [a.ms for a in by_kind[kind] if a.sent_at >= moves_begin]
        lines += [
            f"| {name}, no move | {percentiles(quiet)} |",
            f"| {name}, while moves run | {percentiles(moving)} |",
        ]
    by_direction: dict[str, list[float]] = {}
    for m in moved:
        by_direction.setdefault(m.direction, []).append(m.pause_ms)
    lines += ["", "| fence held by direction, ms | p50 | p99 | max |", "| --- | --- | --- | --- |"]
    lines += [f"| {d} | {percentiles(values)} |" for d, values in by_direction.items()]
    lines += ["", "| reached after the fence, ms | p50 | p99 | max |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {phase} | {percentiles([m.steps[phase.value] for m in moved])} |"
        for phase in Phase
        if phase in INSIDE_THE_PAUSE
    ]
    if failed:
        lines += ["", "## What failed", ""]
        seen = Counter((a.kind, a.status, a.problem[:160]) for a in failed)
        lines += [
            f"- {n} x {kind} {status}: `{what}`" for (kind, status, what), n in seen.most_common(10)
        ]
    return "\n".join(lines) + "\n"
