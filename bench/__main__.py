"""`python -m bench`: measure what is named, all of it by default, and write `docs/bench.md`."""

import argparse
import asyncio
import signal
from pathlib import Path

from bench.competition import measure_competition
from bench.cost import cases, measure_cost
from bench.fleet import Fleet, make_fleet
from bench.ground import Ground, ground
from bench.moves import measure_moves
from bench.processes import REPOSITORY, BenchError
from bench.report import write_section
from bench.rounds import Pace
from bench.roundtrips import measure_round_trips
from bench.signups import measure_sign_ups
from tenancy.tenant import StrategyName

MEASUREMENTS = ("roundtrips", "cost", "signups", "rival", "moves")
NEEDS_RIVAL = frozenset({"rival", "signups"})


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "measurements", nargs="*", metavar="MEASUREMENT", help=", ".join(MEASUREMENTS)
    )
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each table")
    parser.add_argument("--seconds", type=float, default=4.0, help="of load in each round")
    parser.add_argument("--warm-up", type=float, default=10.0, help="seconds before the rounds")
    parser.add_argument("--clinics", type=int, default=50, help="called evenly")
    parser.add_argument("--clinics-zipf", type=int, default=500, help="called Zipf-distributed")
    parser.add_argument("--databases", type=int, default=50, help="clinics with a database each")
    parser.add_argument("--data-dir", type=Path, help="keep the clinics here for the next run")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "bench.md")
    parser.add_argument("--without-rival", action="store_true", help="leave out django-tenants")
    options = parser.parse_args()
    unknown = set(options.measurements) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown measurement: {', '.join(sorted(unknown))}")
    try:
        asyncio.run(run_until_stopped(options))
    except BenchError as error:
        raise SystemExit(str(error)) from None
    except asyncio.CancelledError:
        raise SystemExit("stopped before the end") from None


async def run_until_stopped(options: argparse.Namespace) -> None:
    """Run; on SIGTERM stop everything that was started, as on Ctrl-C, for it lives in process groups of its own."""
    measuring = asyncio.ensure_future(run(options))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, measuring.cancel)
    await measuring


async def run(options: argparse.Namespace) -> None:
    """Make the clinics and measure; each section is written as soon as it is there."""
    wanted = set(options.measurements) or set(MEASUREMENTS)
    if options.without_rival:
        wanted -= {"rival"}
    pace = Pace(rounds=options.rounds, seconds=options.seconds, warm_up_s=options.warm_up)
    many = max(options.clinics, options.clinics_zipf)
    counts = {
        StrategyName.ROW: many,
        StrategyName.SCHEMA: many,
        StrategyName.DATABASE: options.databases,
    }
    async with ground(options.data_dir) as here:
        if wanted - {"moves"}:
            await _measure_fleet(here, await make_fleet(here, counts), wanted, pace, options)
        if "moves" in wanted:
            _write(options.output, await measure_moves(here, options.rounds))


async def _measure_fleet(
    here: Ground, fleet: Fleet, wanted: set[str], pace: Pace, options: argparse.Namespace
) -> None:
    if "roundtrips" in wanted:
        _write(options.output, await measure_round_trips(here, fleet))
    if "cost" in wanted:
        for case in cases(options.clinics, options.clinics_zipf):
            _write(options.output, await measure_cost(here, fleet, [case], pace))
    if "signups" in wanted:
        with_rival = not options.without_rival
        _write(options.output, await measure_sign_ups(here, fleet, with_rival=with_rival))
    if "rival" in wanted:
        _write(options.output, await measure_competition(here, fleet, options.clinics, pace))


def _write(path: Path, sections: dict[str, str]) -> None:
    for title, body in sections.items():
        write_section(path, title, body)
        print(f"## {title}\n\n{body}\n", flush=True)


if __name__ == "__main__":
    main()
