"""Metrics tell of routes and strategies, never of a clinic."""

import httpx

from clinics import Clinic
from tenancy.tenant import StrategyName


async def test_metrics_name_the_strategy_and_no_clinic(
    api: httpx.AsyncClient, clinic_a: Clinic, placement: StrategyName
) -> None:
    assert (await clinic_a.get("/api/v1/settings/ai")).status_code == 200
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'route="/api/v1/settings/{namespace' in answer.text
    assert f'strategy="{placement}"' in answer.text
    assert clinic_a.slug not in answer.text
    assert str(clinic_a.tenant_id) not in answer.text
