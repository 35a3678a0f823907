"""Runs every fault at every phase and writes down what was seen: `just fault-matrix`.

A program, not a test: it takes most of an hour for each way. What it finds makes it end with an error.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.settings import Settings
from fault_cases import Case, Way
from fault_ground import FaultGround, fault_ground
from killable_servers import MAIN, SECOND
from tenancy.mover.phases import Phase
from tenancy.tenant import StrategyName

ROW, SCHEMA, DATABASE = StrategyName
FAULTS = (
    "kill",
    "stop",
    "raise",
    "kill_source",
    "kill_target",
    "cut_source",
    "cut_target",
    "hush_source",
    "hush_target",
)
OF_THE_MOVER = FAULTS[:3]
WAYS = {
    "between": Way(ROW, MAIN, SCHEMA, SECOND),
    "inside": Way(SCHEMA, MAIN, ROW, MAIN),
    "from-database": Way(DATABASE, SECOND, SCHEMA, MAIN),
    "to-database": Way(ROW, SECOND, DATABASE, MAIN),
}
CASE_S_MAX = 150
REPORT = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.md"
SECRET = "secret of the fault matrix, long enough for every check"


async def run_all(cases: list[Case], log: Path) -> list[dict[str, Any]]:
    """Run the cases one after the other; each result is in `log` as soon as it is known."""
    results = []
    with tempfile.TemporaryDirectory() as data_dir:
        settings = Settings.from_environment(
            {
                "CLINIC_DATA_DIR": data_dir,
                "CLINIC_SECRET_KEY": SECRET,
                "CLINIC_ROLE_SECRET": SECRET,
                "CLINIC_BASE_DOMAINS": "localhost",
            }
        )
        async with fault_ground(settings) as ground:
            for case in cases:
                result = await run_one(ground, case)
                results.append(result)
                with log.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                print(f"{'FAILED' if result['error'] else 'held  '} {case} {result['ended']}")
    return results


async def run_one(ground: FaultGround, case: Case) -> dict[str, Any]:
    result: dict[str, Any] = {
        "way": str(case.way),
        "phase": case.phase.value,
        "fault": case.fault,
        "ended": "",
        "error": "",
    }
    began = time.monotonic()
    try:
        async with asyncio.timeout(CASE_S_MAX):
            seen = await ground.run(case)
    except Exception as error:  # noqa: BLE001  # every failure is a result
        result["error"] = _told(error)
        await ground.sweep()
    else:
        result |= {
            "ended": seen.ended.value,
            "acknowledged": seen.acknowledged,
            "unknown": seen.unknown,
            "longest_write_ms": round(seen.longest_write_ms),
        }
    return result | {"seconds": round(time.monotonic() - began, 1)}


def _told(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {where.name}: {error}"[:400]


def report(results: list[dict[str, Any]]) -> str:
    """Return the results as a document."""
    held = [r for r in results if not r["error"]]
    failed = [r for r in results if r["error"]]
    longest: dict[str, int] = {}
    for r in held:
        longest[r["fault"]] = max(longest.get(r["fault"], 0), r["longest_write_ms"])
    lines = [
        "# The fault matrix",
        "",
        "Written by `just fault-matrix`; do not edit. Each case is one move of a clinic that works (two writers, a",
        "reader, and a client that reads after each of its writes) with one fault at one phase, on two real servers and",
        "with the mover in a process of its own. Another mover takes over until the move has ended. A case holds when",
        "every acknowledged write is there exactly once, sums and ledger agree, no client saw an error (unless a server",
        "was killed), the old home refuses the old epoch by the gate and past it, a worker that knew of nothing writes at",
        "the right home, the neighbours' rows are the same, and no slot, publication, lock, connection, row, schema or",
        "database is left.",
        "",
        (
            f"Run on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}: {len(results)} cases, {len(held)} held, {len(failed)} failed;"
            f" {sum(r['acknowledged'] for r in held)} acknowledged writes, {sum(r['seconds'] for r in results) / 60:.0f} minutes."
        ),
        "",
        "Faults: `kill` (-9 of the mover), `stop` (SIGSTOP, waked after the take-over and at least 3 s), `raise` (an",
        "exception), `kill_source`, `kill_target` (-9 of that server, started again), `cut_*` (connections between mover",
        "and server broken, new ones refused), `hush_*` (nothing is carried any more, nobody is told).",
        "A cell says how the move ended; an empty one was not run.",
        "",
    ]
    for way in dict.fromkeys(r["way"] for r in results):
        mine = [r for r in results if r["way"] == way]
        faults = [f for f in FAULTS if any(r["fault"] == f for r in mine)]
        lines += [f"## {way}", "", f"| phase | {' | '.join(faults)} |"]
        lines += ["| --- |" + " --- |" * len(faults)]
        for phase in Phase:
            cells = [_cell(mine, phase.value, fault) for fault in faults]
            if any(cells):
                lines.append(f"| {phase.value} | {' | '.join(cells)} |")
        ended = Counter(r["ended"] for r in mine if not r["error"])
        lines += [
            "",
            "Ended: " + ", ".join(f"{n} {status}" for status, n in ended.items()) + ".",
            "",
        ]
    lines += ["## Longest write of the clinic, by fault", "", "| fault | ms |", "| --- | --- |"]
    lines += [f"| {fault} | {ms} |" for fault, ms in longest.items()]
    if failed:
        lines += ["", "## What failed", ""]
        lines += [
            f"- {r['way']}, {r['fault']} at {r['phase']}: {r['error']}".replace("\n", " ")
            for r in failed
        ]
    return "\n".join(lines) + "\n"


def _cell(results: list[dict[str, Any]], phase: str, fault: str) -> str:
    for r in results:
        if (r["phase"], r["fault"]) == (phase, fault):
            return "**failed**" if r["error"] else r["ended"]
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", default=",".join(WAYS), help="of: " + ", ".join(WAYS))
    parser.add_argument("--faults", default=",".join(FAULTS), help="of: " + ", ".join(FAULTS))
    parser.add_argument("--phases", default=",".join(Phase), help="names of phases")
    parser.add_argument("--log", type=Path, default=Path("var/fault-matrix.jsonl"))
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--only-report", action="store_true", help="of what is in the log")
    options = parser.parse_args()
    if not options.only_report:
        cases = [
            Case(phase=Phase(phase), fault=fault, way=WAYS[way])
            for way in options.ways.split(",")
            for fault in options.faults.split(",")
            for phase in options.phases.split(",")
            if way != "inside" or fault in OF_THE_MOVER
        ]
        options.log.parent.mkdir(parents=True, exist_ok=True)
        asyncio.run(run_all(cases, options.log))
    results = [json.loads(line) for line in options.log.read_text().splitlines()]
    latest = {(r["way"], r["phase"], r["fault"]): r for r in results}
    options.report.write_text(report(list(latest.values())))
    sys.exit(any(r["error"] for r in latest.values()))


if __name__ == "__main__":
    main()
