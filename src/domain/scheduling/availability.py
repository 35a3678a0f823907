"""Weekly hours of practitioners: read, and replaced branch by branch."""

import zlib
from collections.abc import Iterable, Sequence
from datetime import date, time
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError, StaleVersionError
from domain.organisation.branch_scope import in_offered_branches, require_branch
from domain.organisation.models import Practitioner
from domain.organisation.workplaces import is_offered
from domain.scheduling.availability_schemas import RuleIn, RuleOut, ScheduleIn, ScheduleOut
from domain.scheduling.errors import InvalidTimeError, OverlappingRulesError
from domain.scheduling.models import AvailabilityRule
from domain.scheduling.moments import zone_named
from domain.scheduling.slots import WeeklyRule, rules_overlap
from domain.service import ClinicService
from domain.tables import new_id
from tenancy.session import TenantSession

ENTITY: Final = "availability"

_RULE = AvailabilityRule
_COLUMNS: Final[tuple[Any, ...]] = (
    _RULE.id,
    _RULE.branch_id,
    _RULE.weekday,
    _RULE.start_local,
    _RULE.end_local,
    _RULE.valid_from,
    _RULE.valid_to,
)


class AvailabilityService(ClinicService):
    """The weekly hours of the clinic's practitioners."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def get_schedule(self, practitioner_id: UUID, branch_id: UUID | None) -> ScheduleOut:
        """Return the hours at one branch or at all that the caller sees; raise `NotFoundError`."""
        known = await self.session.scalar(
            select(Practitioner.id).where(
                Practitioner.id == practitioner_id,
                Practitioner.archived_at.is_(None),
                is_offered(self.actor),
            )
        )
        if known is None:
            raise NotFoundError
        return await self._schedule(practitioner_id, branch_id)

    async def replace_schedule(
        self, practitioner_id: UUID, new: ScheduleIn, *, version: int
    ) -> ScheduleOut:
        """Make `new` the hours at its branch; rules that stay the same stay the same rows.

        Raises `NotFoundError`, `StaleVersionError`, `InvalidTimeError`, `OverlappingRulesError`.
        """
        branch = await require_branch(self.session, self.actor, new.branch_id)
        await self._lock(practitioner_id)
        rows = await self._rows(practitioner_id)
        if _version_of(rows) != version:
            raise StaleVersionError(_version_of(rows))
        today = self.now().astimezone(zone_named(branch.timezone, self.clinic.zone)).date()
        kept = {_rule_of(row): row.id for row in rows if row.branch_id == new.branch_id}
        wanted = _wanted_rules(new.rules, today, kept)
        elsewhere = [_rule_of(row) for row in rows if row.branch_id != new.branch_id]
        if rules_overlap([*wanted, *elsewhere]):
            raise OverlappingRulesError
        await self._archive([kept[rule] for rule in kept.keys() - set(wanted)])
        await self._add(practitioner_id, new.branch_id, set(wanted) - kept.keys())
        await self.audit("update", ENTITY, practitioner_id, branch_id=new.branch_id)
        return await self._schedule(practitioner_id, new.branch_id)

    async def _lock(self, practitioner_id: UUID) -> None:
        """Keep others from replacing hours of this practitioner until the end (FOR NO KEY UPDATE of the row)."""
        locked = await self.session.scalar(
            select(Practitioner.id)
            .where(Practitioner.id == practitioner_id, Practitioner.archived_at.is_(None))
            .with_for_update(key_share=True)
        )
        if locked is None:
            raise NotFoundError

    async def _rows(self, practitioner_id: UUID) -> Sequence[Any]:
        """Return all rules of the practitioner, also those that the caller does not see."""
        shown = in_offered_branches(_RULE.branch_id, self.actor)
        statement = (
            select(*_COLUMNS, shown.label("is_shown"))
            .where(_RULE.practitioner_id == practitioner_id, _RULE.archived_at.is_(None))
            .order_by(_RULE.weekday, _RULE.start_local, _RULE.valid_from, _RULE.id)
        )
        return (await self.session.execute(statement)).all()

    async def _schedule(self, practitioner_id: UUID, branch_id: UUID | None) -> ScheduleOut:
        rows = await self._rows(practitioner_id)
        return ScheduleOut(
            practitioner_id=practitioner_id,
            rules=[
                _shown(row)
                for row in rows
                if row.is_shown and (branch_id is None or row.branch_id == branch_id)
            ],
            version=_version_of(rows),
        )

    async def _archive(self, rule_ids: Sequence[UUID]) -> None:
        if rule_ids:
            await self.session.execute(
                update(_RULE)
                .where(_RULE.id.in_(rule_ids))
                .values(
                    archived_at=self.now(),
                    updated_by=self.actor.user_id,
                    version=_RULE.version + 1,
                )
                .execution_options(synchronize_session=False)
            )

    async def _add(
        self, practitioner_id: UUID, branch_id: UUID, rules: Iterable[WeeklyRule]
    ) -> None:
        self.session.add_all(
            AvailabilityRule(
                id=new_id(),
                practitioner_id=practitioner_id,
                branch_id=branch_id,
                weekday=rule.weekday,
                start_local=rule.start_local,
                end_local=rule.end_local,
                valid_from=rule.valid_from,
                valid_to=rule.valid_to,
                created_by=self.actor.user_id,
            )
            for rule in rules
        )
        await self.session.flush()


def _version_of(rows: Sequence[Any]) -> int:
    """Return a number that differs, for all practical purposes, between any two sets of rules.

    A set has no row of its own that could count its changes; the ids of its rules say which set it is.
    """
    return zlib.crc32(b"".join(sorted(row.id.bytes for row in rows))) or 1


def _rule_of(row: Any) -> WeeklyRule:
    return WeeklyRule(row.weekday, row.start_local, row.end_local, row.valid_from, row.valid_to)


def _wanted_rules(
    rules: Sequence[RuleIn], today: date, kept: Iterable[WeeklyRule]
) -> list[WeeklyRule]:
    """Return the rules as they are stored; one without `valid_from` continues the one it repeats."""
    begun = {_hours(rule): rule.valid_from for rule in sorted(kept, reverse=True)}
    wanted = []
    for position, rule in enumerate(rules):
        start, end = time.fromisoformat(rule.start_local), time.fromisoformat(rule.end_local)
        hours = (rule.weekday, start, end, rule.valid_to)
        valid_from = rule.valid_from or begun.get(hours, today)
        if end <= start:
            raise InvalidTimeError(f"rules/{position}/end_local", "ends_before_start")
        if rule.valid_to is not None and rule.valid_to < valid_from:
            raise InvalidTimeError(f"rules/{position}/valid_to", "ends_before_start")
        wanted.append(WeeklyRule(rule.weekday, start, end, valid_from, rule.valid_to))
    return wanted


def _hours(rule: WeeklyRule) -> tuple[int, time, time, date | None]:
    return (rule.weekday, rule.start_local, rule.end_local, rule.valid_to)


def _shown(row: Any) -> RuleOut:
    return RuleOut(
        id=row.id,
        branch_id=row.branch_id,
        weekday=row.weekday,
        start_local=f"{row.start_local:%H:%M}",
        end_local=f"{row.end_local:%H:%M}",
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )
