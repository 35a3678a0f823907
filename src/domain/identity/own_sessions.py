"""The caller's own sessions: listed, and ended one by one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import distinct_on

from domain.errors import NotFoundError
from domain.identity.access import lock_user
from domain.identity.models import AuthSession
from domain.identity.revocation import RevokeReason, family_of, revoke_family
from domain.identity.schemas import SessionOut
from domain.paging import Page, PageRequest, fetch_page
from domain.service import ClinicService


class OwnSessionService(ClinicService):
    """Shows and ends the sessions of the user who calls."""

    async def list_own(self, session_id: UUID, page: PageRequest) -> Page[SessionOut]:
        """Return the caller's sessions that are alive, the oldest first; `session_id` is the current one."""
        current = await family_of(self.session, session_id)
        newest = (
            select(
                AuthSession.family_id,
                AuthSession.issued_at,
                AuthSession.expires_at,
                AuthSession.user_agent,
                AuthSession.ip,
            )
            .where(
                AuthSession.user_id == self._caller(),
                AuthSession.revoked_at.is_(None),
                AuthSession.expires_at > self.now(),
            )
            .ext(distinct_on(AuthSession.family_id))
            .order_by(AuthSession.family_id, AuthSession.id.desc())
            .subquery("newest")
        )

        def make(row: Row[Any]) -> SessionOut:
            return SessionOut(
                id=row.family_id,
                started_at=_made_at(row.family_id),
                last_refreshed_at=row.issued_at,
                expires_at=row.expires_at,
                user_agent=row.user_agent,
                ip=row.ip,
                is_current=row.family_id == current,
            )

        return await fetch_page(
            self.session, select(*newest.c), order=[newest.c.family_id], request=page, make=make
        )

    async def end_current(self, session_id: UUID) -> None:
        """Log out: refresh and access tokens of the session are void from the commit on."""
        await lock_user(self.session, self._caller())
        family_id = await family_of(self.session, session_id)
        if family_id is not None:
            await revoke_family(self.session, family_id, RevokeReason.LOGOUT, self.now())
            await self.audit("logout", "auth_session", family_id)

    async def end_own(self, family_id: UUID) -> None:
        """End one of the caller's sessions; raise `NotFoundError` if it is somebody else's."""
        await lock_user(self.session, self._caller())
        owner = await self.session.scalar(
            select(AuthSession.user_id).where(AuthSession.family_id == family_id).limit(1)
        )
        if owner != self._caller():
            raise NotFoundError
        await revoke_family(self.session, family_id, RevokeReason.REVOKED_BY_USER, self.now())
        await self.audit("revoke", "auth_session", family_id)

    def _caller(self) -> UUID:
        assert self.actor.user_id is not None
        return self.actor.user_id


def _made_at(family_id: UUID) -> datetime:
    """Return when a family began: its id is a UUIDv7, whose first 48 bits are milliseconds (RFC 9562 5.7)."""
    return datetime.fromtimestamp((family_id.int >> 80) / 1000, UTC)
