"""The whole application on a server that a test chose, beside the one that all tests share."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from app.factory import create_app
from app.postgres.external import ExternalServer
from app.preparation import prepare_server, tenancy_options
from app.settings import Settings
from clinics import Clinic, ClinicMaker
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName


class House(NamedTuple):
    """One process' worth of tenancy with its application in front."""

    tenancy: Tenancy
    maker: ClinicMaker

    async def clinic(self, strategy: StrategyName, **fields: Any) -> Clinic:
        """Make a clinic with a name of its own."""
        return await self.maker.make(f"c{secrets.token_hex(5)}", strategy, **fields)


@asynccontextmanager
async def open_house(settings: Settings, url: str) -> AsyncIterator[House]:
    """Prepare the server behind a `CLINIC_DATABASE_URL` and yield an application on it."""
    server = ExternalServer(url)
    await prepare_server(settings, server)
    async with Tenancy(tenancy_options(settings, server.address)) as tenancy:
        application = create_app(settings, tenancy)
        async with application.lifespan():
            transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
                yield House(tenancy, ClinicMaker(tenancy, settings, api))
