"""What may be asked of provisioning: fields, plans, strategies, and what is filled in."""

from typing import Any

import pytest

from set_ups import provisioner_of, seed, wanted
from tenancy.provisioning import Provisioner
from tenancy.registry.errors import (
    InvalidTenantFieldError,
    RegistryError,
    StrategyNotAllowedError,
    UnknownPlanError,
    UnknownServerError,
)
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName, TenantStatus


@pytest.fixture
def provisioner(tenancy: Tenancy) -> Provisioner:
    return provisioner_of(tenancy)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"plan": "none-such"}, UnknownPlanError),
        ({"plan": "basico", "strategy": StrategyName.DATABASE}, StrategyNotAllowedError),
        ({"plan": "empresa", "actor": PlatformActor(kind="visitor")}, UnknownPlanError),
        ({"server": "nowhere"}, UnknownServerError),
        ({"slug": "no"}, InvalidTenantFieldError),
        ({"slug": "www'; DROP DATABASE x; --"}, InvalidTenantFieldError),
        ({"name": " \t "}, InvalidTenantFieldError),
        ({"name": "x\u0000y"}, InvalidTenantFieldError),
        ({"name": "x" * 201}, InvalidTenantFieldError),
        ({"admin_email": "nobody"}, InvalidTenantFieldError),
        ({"admin_email": "a@b"}, InvalidTenantFieldError),
        ({"country": "Peru"}, InvalidTenantFieldError),
        ({"country": "JP"}, InvalidTenantFieldError),
        ({"timezone": "America/Atlantis"}, InvalidTenantFieldError),
        ({"timezone": "../etc/passwd"}, InvalidTenantFieldError),
        ({"currency": "soles"}, InvalidTenantFieldError),
        ({"language": "qu"}, InvalidTenantFieldError),
        ({"vertical": "barber"}, InvalidTenantFieldError),
        ({"phone": "call me"}, InvalidTenantFieldError),
    ],
)
async def test_bad_request_is_refused_before_anything_is_made(
    provisioner: Provisioner, changes: dict[str, Any], refusal: type[RegistryError]
) -> None:
    strategy = changes.pop("strategy", None)
    with pytest.raises(refusal):
        await provisioner.create(wanted(strategy, **changes), seed)
    assert await provisioner.sweep() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("PE", "America/Lima", "PEN")),
        ({"country": "cl"}, ("CL", "America/Santiago", "CLP")),
        ({"country": "CL", "timezone": "Pacific/Easter"}, ("CL", "Pacific/Easter", "CLP")),
        (
            {"country": "JP", "timezone": "Asia/Tokyo", "currency": "JPY"},
            ("JP", "Asia/Tokyo", "JPY"),
        ),
    ],
)
async def test_zone_and_currency_come_from_the_country(
    provisioner: Provisioner, given: dict[str, str], expected: tuple[str, str, str]
) -> None:
    made = await provisioner.create(wanted(**given), seed)
    assert (made.country, made.timezone, made.currency) == expected


async def test_visitor_starts_on_trial_in_the_preferred_strategy(
    tenancy: Tenancy, provisioner: Provisioner
) -> None:
    visitor = PlatformActor(kind="visitor")
    for plan, preferred, strategy in (
        ("prueba", StrategyName.SCHEMA, StrategyName.SCHEMA),
        ("basico", StrategyName.DATABASE, StrategyName.ROW),
    ):
        request = wanted(None, plan=plan, preferred_strategy=preferred, actor=visitor)
        made = await provisioner.create(request, seed)
        assert made.status is TenantStatus.TRIAL
        resolved = await tenancy.directory.by_id(made.id)
        assert resolved is not None
        assert resolved.placement.strategy is strategy
