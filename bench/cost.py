"""What tenancy costs: the product against the same application without it, clinic by clinic the same data."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from bench.endpoints import Addressee, Writing, reading
from bench.fleet import Fleet, issuer_of
from bench.ground import Ground
from bench.load import Plan
from bench.plain_database import ONLY_CLINIC
from bench.processes import ServerProcess
from bench.report import comparison_table
from bench.rounds import Contender, Pace, compare
from bench.servers import plain_server, product_server
from bench.traffic import Popularity
from tenancy.tenant import StrategyName

PLAIN_HOST = "plain.localhost"
REFERENCE = "no tenancy (the reference)"
UNCHECKED = "no tenancy, login session not checked"
BOOKINGS_APART = 50_000
"""Both references write into one database: the second one's bookings come after those of the first."""

TARGETS = {
    Popularity.UNIFORM: {
        StrategyName.ROW: 0.95,
        StrategyName.SCHEMA: 0.85,
        StrategyName.DATABASE: 0.95,
    },
    Popularity.ZIPF: {
        StrategyName.ROW: 0.95,
        StrategyName.SCHEMA: 0.95,
        StrategyName.DATABASE: 0.95,
    },
}


class Case(Struct, frozen=True, kw_only=True):
    """One table of the report."""

    title: str
    popularity: Popularity
    clinics: int
    writes: bool = False


class Addresses:
    """Who is asked for what: the clinics of the fleet with tokens made beforehand."""

    def __init__(self, ground: Ground, fleet: Fleet) -> None:
        self._fleet = fleet
        self._issuer = issuer_of(ground)

    def of_product(self, strategy: StrategyName, count: int) -> list[Addressee]:
        """Return the first `count` clinics of a strategy."""
        return [
            Addressee(
                host=clinic.host,
                token=self._fleet.token(self._issuer, clinic.number, clinic.tenant_id),
                ids=self._fleet.ids(clinic.number),
            )
            for clinic in self._fleet.clinics[strategy][:count]
        ]

    def of_plain(self, count: int) -> list[Addressee]:
        """Return the same clinics' rows as the reference has them."""
        return [
            Addressee(
                host=PLAIN_HOST,
                token=self._fleet.token(self._issuer, number, ONLY_CLINIC),
                ids=self._fleet.ids(number),
            )
            for number in range(1, count + 1)
        ]


def cases(clinics: int, clinics_zipf: int) -> list[Case]:
    """Return the tables that the design asks for."""
    return [
        Case(
            title=f"Cost of tenancy: reads, {clinics} clinics called evenly",
            popularity=Popularity.UNIFORM,
            clinics=clinics,
        ),
        Case(
            title=f"Cost of tenancy: reads, {clinics_zipf} clinics, Zipf-distributed",
            popularity=Popularity.ZIPF,
            clinics=clinics_zipf,
        ),
        Case(
            title=f"Cost of tenancy: writes, {clinics} clinics called evenly",
            popularity=Popularity.UNIFORM,
            clinics=clinics,
            writes=True,
        ),
    ]


async def measure_cost(
    ground: Ground, fleet: Fleet, wanted: Sequence[Case], pace: Pace
) -> dict[str, str]:
    """Return the report's sections by title."""
    sections = {}
    postmaster_pid = await ground.postmaster_pid()
    async with (
        plain_server(ground) as plain,
        plain_server(ground, name="unchecked", checks_login=False) as unchecked,
        product_server(ground) as product,
    ):
        for case in wanted:
            await ground.settle()
            contenders = _contenders(case, ground, fleet, plain, unchecked, product)
            results = await compare(contenders, pace, postmaster_pid=postmaster_pid)
            sections[case.title] = comparison_table(results) + _remark(case, fleet)
    return sections


def _contenders(
    case: Case,
    ground: Ground,
    fleet: Fleet,
    plain: ServerProcess,
    unchecked: ServerProcess,
    product: ServerProcess,
) -> list[Contender]:
    addresses = Addresses(ground, fleet)
    references = [(REFERENCE, plain), (UNCHECKED, unchecked)]
    made = [
        Contender(
            name=name,
            server=server,
            plan=_plan(case, server, addresses.of_plain(case.clinics), first_number=offset),
        )
        for offset, (name, server) in zip((0, BOOKINGS_APART), references, strict=True)
    ]
    return made + [
        Contender(
            name=strategy.value,
            server=product,
            plan=_plan(case, product, addresses.of_product(strategy, case.clinics)),
            target=TARGETS[case.popularity][strategy],
        )
        for strategy in fleet.clinics
    ]


def _plan(
    case: Case, server: ServerProcess, addressees: Sequence[Addressee], *, first_number: int = 0
) -> Callable[[Pace], Plan]:
    if case.writes:
        return Writing(server.port, addressees, first_number=first_number)
    return reading(server.port, addressees, case.popularity)


def _remark(case: Case, fleet: Fleet) -> str:
    fewer = {s: len(c) for s, c in fleet.clinics.items() if len(c) < case.clinics}
    if not fewer:
        return ""
    named = ", ".join(f"{count} with a {strategy.value} each" for strategy, count in fewer.items())
    return f"\n\nThere are fewer clinics of some strategies: {named}."
