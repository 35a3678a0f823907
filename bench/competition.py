"""The product against django-tenants with django-ninja: the same agenda, the same rows, the same number of processes."""

from collections.abc import Sequence

from bench.cost import Addresses
from bench.endpoints import Addressee, reading
from bench.fleet import Fleet, issuer_of, model_tables
from bench.ground import Ground
from bench.report import comparison_table
from bench.rival import Rival, make_rival, rival_server
from bench.rounds import Contender, Pace, compare
from bench.servers import product_server
from bench.traffic import Popularity
from tenancy.tenant import StrategyName

TITLE = "Against django-tenants with django-ninja"
RATIO_MIN = 2.0
NO_LOGIN_CHECK = {"RIVAL_CHECKS_LOGIN_SESSION": "0"}

REMARK = """
Reads of the agenda, clinics called evenly. The rival keeps its connections, sets the search path once a request and
selects columns, not entities; four threads a process were its best of 1, 2, 4 and 8. The line without the check of
the login session shows what that check costs it.
"""


async def measure_competition(
    ground: Ground, fleet: Fleet, clinics: int, pace: Pace
) -> dict[str, str]:
    """Return the report's section by title."""
    rival = await make_rival(ground, clinics, await model_tables(ground, fleet))
    addressees = _addressees(ground, fleet, rival, clinics)
    async with (
        rival_server(ground, rival) as gunicorn,
        rival_server(ground, rival, name="rival-granian", with_granian=True) as granian,
        rival_server(
            ground, rival, name="rival-unchecked", with_granian=True, environ=NO_LOGIN_CHECK
        ) as unchecked,
        product_server(ground) as product,
    ):
        await ground.settle()
        rivals = [
            ("django-tenants + django-ninja on Granian (the reference)", granian),
            ("the same on gunicorn", gunicorn),
            ("the same on Granian, login session not checked", unchecked),
        ]
        contenders = [
            Contender(
                name=name, server=server, plan=reading(server.port, addressees, Popularity.UNIFORM)
            )
            for name, server in rivals
        ]
        addresses = Addresses(ground, fleet)
        for strategy in StrategyName:
            own = addresses.of_product(strategy, clinics)
            plan = reading(product.port, own, Popularity.UNIFORM)
            contenders.append(
                Contender(
                    name=f"Polyclinic, {strategy.value}",
                    server=product,
                    plan=plan,
                    target=RATIO_MIN,
                )
            )
        results = await compare(contenders, pace, postmaster_pid=await ground.postmaster_pid())
    return {TITLE: comparison_table(results) + "\n" + REMARK}


def _addressees(ground: Ground, fleet: Fleet, rival: Rival, count: int) -> Sequence[Addressee]:
    issuer = issuer_of(ground)
    return [
        Addressee(
            host=clinic.host,
            token=fleet.token(issuer, clinic.number, clinic.tenant_id),
            ids=fleet.ids(clinic.number),
        )
        for clinic in rival.clinics[:count]
    ]
