"""Side by side: every contender is loaded in turn, several rounds, and compared within each round.

The machine is never quiet, so what counts is the median of the rounds' ratios, not the rates themselves.
"""

import random
from collections.abc import Callable, Sequence
from statistics import median

from msgspec import Struct

from bench.load import Outcome, Plan
from bench.processes import BenchError, ServerProcess, run_load, tree_cpu_seconds

REFUSED_SHARE_MAX = 0.001
MS_PER_S = 1000


class Pace(Struct, frozen=True, kw_only=True):
    """How long is measured."""

    rounds: int = 5
    seconds: float = 4.0
    warm_up_s: float = 3.0
    connections: int = 16


class Contender(Struct, kw_only=True):
    """One server with one kind of traffic."""

    name: str
    server: ServerProcess
    plan: Callable[[Pace], Plan]
    """Makes the plan of the next round; writes get other bodies each time."""
    target: float | None = None
    """The least share of the reference's rate that the design asks for."""


class Sample(Struct, kw_only=True):
    """One contender in one round."""

    outcome: Outcome
    application_cpu_s: float
    postgres_cpu_s: float


class Result(Struct, kw_only=True):
    """One contender over all rounds."""

    name: str
    target: float | None
    ratios: list[float]
    samples: list[Sample]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios to the reference."""
        return median(self.ratios)

    @property
    def rate(self) -> float:
        """The median rate in requests a second."""
        return median(sample.outcome.rate for sample in self.samples)

    def application_ms(self) -> float:
        """The application's processor time a request."""
        return self._cpu_ms([sample.application_cpu_s for sample in self.samples])

    def postgres_ms(self) -> float:
        """PostgreSQL's processor time a request."""
        return self._cpu_ms([sample.postgres_cpu_s for sample in self.samples])

    def cpu_ms(self) -> float:
        """The processor time a request, application and PostgreSQL together."""
        return self.application_ms() + self.postgres_ms()

    def _cpu_ms(self, seconds: Sequence[float]) -> float:
        answered = sum(sample.outcome.answered for sample in self.samples)
        return MS_PER_S * sum(seconds) / answered if answered else 0.0


async def compare(
    contenders: Sequence[Contender], pace: Pace, *, postmaster_pid: int
) -> list[Result]:
    """Return what each contender did; the first one is the reference of the ratios.

    Raises `BenchError` when a contender refuses requests: what refuses is not compared.
    """
    warm_up = Pace(rounds=1, seconds=pace.warm_up_s, connections=pace.connections)
    for contender in contenders:
        await _sample(contender, warm_up, postmaster_pid)
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    shuffled = list(contenders)
    chance = random.Random(pace.rounds)
    for _ in range(pace.rounds):
        chance.shuffle(shuffled)
        for contender in shuffled:
            samples[contender.name].append(await _sample(contender, pace, postmaster_pid))
    reference = samples[contenders[0].name]
    return [
        Result(
            name=contender.name,
            target=contender.target,
            ratios=[
                own.outcome.rate / other.outcome.rate
                for own, other in zip(samples[contender.name], reference, strict=True)
            ],
            samples=samples[contender.name],
        )
        for contender in contenders
    ]


async def _sample(contender: Contender, pace: Pace, postmaster_pid: int) -> Sample:
    application = contender.server.cpu_seconds()
    postgres = tree_cpu_seconds(postmaster_pid)
    outcome = await run_load(contender.plan(pace))
    if not outcome.answered or outcome.refused > REFUSED_SHARE_MAX * outcome.answered:
        raise BenchError(
            f"{contender.name}: {outcome.statuses}\n"
            + "\n".join(outcome.problems)
            + "\n"
            + contender.server.tail()
        )
    return Sample(
        outcome=outcome,
        application_cpu_s=contender.server.cpu_seconds() - application,
        postgres_cpu_s=tree_cpu_seconds(postmaster_pid) - postgres,
    )
