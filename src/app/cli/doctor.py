"""`clinic doctor`: what is installed, and whether everything is as it must be."""

import platform
from pathlib import Path

import rich_click as click
from msgspec import Struct

from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import busy, print_json
from app.cli.workplace import Workplace, run_job
from app.readiness import installed_release, readiness_of
from controllers.health import Revisions
from tenancy.fleet.homes import every_placement
from tenancy.inspection.inspector import Finding, Inspector

EXIT_FINDINGS = 1


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What is installed where, and what is wrong with it."""

    release: str
    python: str
    postgresql: str
    data_dir: str
    registry: Revisions
    tenant: Revisions
    servers: list[str]
    clinics: int
    findings: list[Finding]


@click.command()
@json_option
@data_dir_option
def doctor(as_json: bool, data_dir: Path | None) -> int:
    """Compare homes with the registry; check roles, grants, policies and tables; exit code 1 if anything is wrong."""
    diagnosis = run_job(existing_settings(data_dir), _diagnose)
    if as_json:
        print_json(diagnosis)
    else:
        _print(diagnosis)
    return EXIT_FINDINGS if diagnosis.findings else 0


async def _diagnose(workplace: Workplace) -> Diagnosis:
    tenancy, settings = workplace.tenancy, workplace.settings
    report = await readiness_of(tenancy, settings.registry_database).report()
    with busy("Looking at every home"):
        servers = [server.name for server in await tenancy.store.servers.all()]
        placements = [placement async for placement in every_placement(tenancy)]
        inspector = Inspector(tenancy.pools, tenancy.strategies.values())
        findings = [
            *await inspector.inspect_registry(workplace.server.name, settings.registry_database),
            *await inspector.inspect(servers, placements),
            *await inspector.inspect_streams(
                servers, placements, await tenancy.store.moves.open_ids()
            ),
        ]
    return Diagnosis(
        release=installed_release(),
        python=platform.python_version(),
        postgresql=report.postgresql,
        data_dir=str(settings.data_dir),
        registry=report.registry,
        tenant=report.tenant,
        servers=servers,
        clinics=len(placements),
        findings=findings,
    )


def _print(diagnosis: Diagnosis) -> None:
    click.echo(f"polyclinic  {diagnosis.release} (Python {diagnosis.python})")
    click.echo(f"postgresql  {diagnosis.postgresql}")
    click.echo(f"data        {diagnosis.data_dir}")
    for name, revisions in (("registry", diagnosis.registry), ("tenant", diagnosis.tenant)):
        click.echo(f"{name:<10}  revision {revisions.installed}, newest {revisions.newest}")
    click.echo(f"servers     {', '.join(diagnosis.servers)}")
    click.echo(f"clinics     {diagnosis.clinics}")
    for finding in diagnosis.findings:
        click.echo(f"WRONG  {finding.place}: {finding.problem}")
    click.echo(f"{len(diagnosis.findings)} problems found" if diagnosis.findings else "all is well")
