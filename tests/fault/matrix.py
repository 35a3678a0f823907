"""Runs faults at the phases of moves and writes down what was seen: `just fault-matrix`.

A program, not a test: the whole takes more than an hour. What it finds makes it end with an error.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.settings import Settings
from fault_cases import FAULTS, Case
from fault_ground import FaultGround, fault_ground
from fault_plan import WAYS, every_case
from fault_report import digest_of_sources, key_of, report
from tenancy.mover.phases import Phase

CASE_S_MAX = 150
GOALS = ("grace", "finish", "rollback", "abort")
REPORT = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.md"
SOURCES = digest_of_sources()
SECRET = "secret of the fault matrix, long enough for every check"


async def run_all(cases: list[Case], log: Path, minutes_max: float) -> None:
    """Run the cases one after the other; each result is in `log` as soon as it is known."""
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
            ends = time.monotonic() + minutes_max * 60
            for case in cases:
                if time.monotonic() > ends:
                    return
                result = await run_one(ground, case)
                with log.open("a") as file:
                    file.write(json.dumps(result) + "\n")
                told = "FAILED" if result["error"] else "held  "
                print(f"{told} {result['seconds']:5} {case} {result['ended']}", flush=True)


async def run_one(ground: FaultGround, case: Case) -> dict[str, Any]:
    result: dict[str, Any] = {
        "way": str(case.way),
        "goal": case.goal,
        "phase": case.phase.value,
        "fault": case.fault,
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "sources": SOURCES,
        "ended": "",
        "error": "",
    }
    began = time.monotonic()
    try:
        async with asyncio.timeout(CASE_S_MAX):
            seen = await ground.run(case)
    except Exception as error:  # noqa: BLE001  # every failure is a result
        result |= {"error": _told(error), "trace": "".join(traceback.format_exception(error))}
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


def chosen(options: argparse.Namespace, done: dict[tuple[str, ...], dict[str, Any]]) -> list[Case]:
    """Return the cases that the options ask for, this process's share of them."""
    ways = {str(WAYS[name]) for name in options.ways.split(",")}
    wanted = [
        case
        for case in every_case()
        if str(case.way) in ways
        and case.fault in options.faults.split(",")
        and case.phase in options.phases.split(",")
        and case.goal in options.goals.split(",")
    ]
    part, parts = (int(number) for number in options.part.split("/"))
    mine = wanted[part - 1 :: parts]
    if not options.resume:
        return mine
    before = {key for key, result in done.items() if not result["error"]}
    return [
        case
        for case in mine
        if (str(case.way), case.goal, case.phase.value, case.fault) not in before
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", default=",".join(WAYS), help="of: " + ", ".join(WAYS))
    parser.add_argument("--faults", default=",".join(FAULTS), help="of: " + ", ".join(FAULTS))
    parser.add_argument("--phases", default=",".join(Phase), help="names of phases")
    parser.add_argument("--goals", default=",".join(GOALS), help="of: " + ", ".join(GOALS))
    parser.add_argument("--part", default="1/1", help="as 1/2: for two at a time, each on its own")
    parser.add_argument("--resume", action="store_true", help="leave out what the log says held")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no case after them")
    parser.add_argument("--log", type=Path, default=Path("var/fault-matrix.jsonl"))
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--only-report", action="store_true", help="of what is in the log")
    options = parser.parse_args()
    if not options.only_report:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        cases = chosen(options, latest(options.log))
        asyncio.run(run_all(cases, options.log, options.minutes))
    results = latest(options.log)
    planned = len(list(every_case()))
    options.report.write_text(report(list(results.values()), planned=planned))
    sys.exit(any(result["error"] for result in results.values()))


def latest(log: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the newest result of each case in the log."""
    if not log.exists():
        return {}
    results = [json.loads(line) for line in log.read_text().splitlines()]
    return {key_of(result): result for result in results}


if __name__ == "__main__":
    main()
