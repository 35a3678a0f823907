"""What the fault matrix has seen, as a document."""

import hashlib
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import tenancy
from fault_cases import FAULTS, goal_of
from tenancy.mover.phases import Phase

TENANCY: Final = Path(tenancy.__file__).parent
INTRODUCTION: Final = """# The fault matrix

Written by `just fault-matrix`; do not edit. Each case is one move of a clinic that works (two writers, a
reader, and a client that reads after each of its writes) with one fault at one phase, on two real servers and
with the mover in a process of its own. Then another mover takes over until the move has ended: the journal's
heartbeat is taken for stopped at once, which in life takes 10 s. A case holds when all of this does:

| | Invariant | Held by |
| --- | --- | --- |
| I1, I2 | at most one home takes writes; none at the old one after its decision | after the decision and in the end the old home refuses the old epoch, `rw` and `ro` by the gate and a write past it (`Aftermath.refuses_old_epoch`); one row is `active`, any other `moved` |
| I3 | the new home's first write comes after every one of the old home's | the client that reads after each of its writes (`Echo`), over the decision as well |
| I4 | acknowledged writes are there exactly once, the others at most once | `Workload.check` |
| I5 | sums are constant, balances equal the ledger's replay | each read, and `Workload.check` |
| I6 | epochs grow, an attempt does not come back to life | the placement's epoch (`Aftermath.check`); whoever is stopped wakes after the take-over and at least 3 s, and everything is looked at after it has ended |
| I7 | read your writes | `Echo` |
| I8 | no other clinic's row is touched | rows and hashes of a neighbour in each pool, before and after |
| I9 | no client sees an error | writers, readers and `Echo`; where a server is killed its own errors are allowed, until it is back. Lengths of writes are told below, not limited here |
| I10 | nothing is left: slots, publications, locks, connections, rows, schemas, databases | `Aftermath.leftovers`, on both servers |
| I12 | a way back brings the new home's contents | `Workload.check` at the old home |
| I13 | registry and homes agree; a worker that knew of nothing writes at the right home | `Aftermath.check` |

Not looked at here: I11, the chain of a clinic's audit events (there is none yet: a later increment brings it), the latency of neighbours (`bench/`),
a registry restored from a backup (`tests/mover`).
"""
FAULT_WORDS: Final = """
Faults: `kill` (-9 of the mover), `stop` (SIGSTOP, as above), `raise` (an exception), `kill_*` (-9 of that server,
started again), `cut_*` (connections between mover and server broken, new ones refused), `hush_*` (nothing is carried
any more, nobody is told), `half_*` (the server is told that the mover has closed, the mover is told nothing; new
connections are served), `slow_*` (each answer takes 200 ms longer, for 4 s; nobody takes over before the mover ends).
A cell says how the move ended; an empty one was not run. Where both homes are on one server, it is the source's.
"""
TITLES: Final = {
    "": "",
    "rollback": ", phases passed again on the way back",
    "abort": ", and the move is given up",
}
ABORT_WORDS: Final = """Up to `decide_sent` whoever takes over is told to give the move up; at `purge_batch_k` and `cleaned` the fault
befalls the process that gives it up.
"""


@cache
def digest_of_sources() -> str:
    """Return what tells one state of the tenancy's sources from another."""
    digest = hashlib.sha256()
    for file in sorted(TENANCY.rglob("*")):
        if file.suffix in {".py", ".sql"}:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def key_of(result: dict[str, Any]) -> tuple[str, ...]:
    """Return what tells one case from another."""
    return result["way"], result["goal"], result["phase"], result["fault"]


def report(results: Sequence[dict[str, Any]], *, planned: int) -> str:
    """Return the results as a document; `planned` is the number of cases in the whole matrix."""
    return "\n".join(_lines(results, planned)) + "\n"


def _lines(results: Sequence[dict[str, Any]], planned: int) -> Iterator[str]:
    held = [r for r in results if not r["error"]]
    failed = [r for r in results if r["error"]]
    days = sorted({r["day"] for r in results})
    yield INTRODUCTION
    yield (
        f"Run on {', '.join(days)}, {os.cpu_count()} cores, Python {platform.python_version()}: {len(results)} of"
        f" {planned} planned cases, {len(held)} held, {len(failed)} failed;"
        f" {sum(r['acknowledged'] for r in held)} acknowledged writes,"
        f" {sum(r['seconds'] for r in results) / 60:.0f} minutes of work."
    )
    yield from _about_sources(results)
    yield FAULT_WORDS
    for way in dict.fromkeys(r["way"] for r in results):
        for goal, title in TITLES.items():
            mine = [r for r in results if r["way"] == way and _detour(r) == goal]
            if mine:
                yield from _section(
                    f"## {way}{title}", mine, ABORT_WORDS if goal == "abort" else ""
                )
    yield from ("## Longest write of the clinic, by fault", "", "| fault | ms |", "| --- | --- |")
    for fault in FAULTS:
        if longest := [r["longest_write_ms"] for r in held if r["fault"] == fault]:
            yield f"| {fault} | {max(longest)} |"
    if failed:
        yield from ("", "## What failed", "")
        for r in failed:
            told = f"- {r['way']}, {r['fault']} at {r['phase']} ({r['goal']}): {r['error']}"
            yield told.replace("\n", " ")


def _about_sources(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Tell when not all of it was seen of the present sources."""
    now = digest_of_sources()
    if before := sum(r["sources"] != now for r in results):
        yield (
            f"{before} of them, in brackets below, were run before the last change under `src/tenancy` and not again"
            " since."
        )


def _detour(result: dict[str, Any]) -> str:
    """Return the goal where it is not the one that the phase is named after."""
    is_own = result["goal"] == goal_of(Phase(result["phase"]))
    return "" if is_own else str(result["goal"])


def _section(title: str, results: Sequence[dict[str, Any]], words: str) -> Iterator[str]:
    faults = [f for f in FAULTS if any(r["fault"] == f for r in results)]
    yield from (title, "")
    if words:
        yield words
    yield f"| phase | {' | '.join(faults)} |"
    yield "| --- |" + " --- |" * len(faults)
    for phase in Phase:
        cells = [_cell(results, phase.value, fault) for fault in faults]
        if any(cells):
            yield f"| {phase.value} | {' | '.join(cells)} |"
    ended = Counter(r["ended"] for r in results if not r["error"])
    yield from ("", "Ended: " + ", ".join(f"{n} {how}" for how, n in ended.items()) + ".", "")


def _cell(results: Sequence[dict[str, Any]], phase: str, fault: str) -> str:
    for r in results:
        if (r["phase"], r["fault"]) == (phase, fault):
            told = "**failed**" if r["error"] else str(r["ended"])
            return told if r["sources"] == digest_of_sources() else f"({told})"
    return ""
