"""What a move is to do: from which home to which, and the names it uses on the way."""

from uuid import UUID

from msgspec import Struct

from tenancy.tenant import Home, Placement, TenantId

MARK_PREFIX = "polyclinic.move"
GRACE_S_DEFAULT = 24 * 3600


class MovePlan(Struct, frozen=True, kw_only=True):
    """One move: the placement it starts from and the one it leads to, whose epoch is one higher."""

    move_id: UUID
    source: Placement
    target: Placement
    is_offline: bool = False
    grace_s: int = GRACE_S_DEFAULT

    @property
    def tenant_id(self) -> TenantId:
        """Whose rows are moved."""
        return self.source.tenant_id

    @property
    def is_inside_one_database(self) -> bool:
        """Whether both homes are schemas of one database."""
        return _database(self.source.home) == _database(self.target.home)

    def backwards(self) -> "MovePlan":
        """Return the plan of the way back, to the epoch after the target's."""
        back = Placement(
            tenant_id=self.tenant_id,
            strategy=self.source.strategy,
            home=self.source.home,
            epoch=self.target.epoch + 1,
        )
        return MovePlan(move_id=self.move_id, source=self.target, target=back, grace_s=self.grace_s)


class StreamNames(Struct, frozen=True):
    """Publication and slot of one direction; both carry the move's id, so that an orphan tells whose it is."""

    name: str

    @classmethod
    def forward(cls, move_id: UUID) -> "StreamNames":
        """Return the names of the stream from the old home to the new one."""
        return cls(f"move_{move_id.hex}_f")

    @classmethod
    def reverse(cls, move_id: UUID) -> "StreamNames":
        """Return the names of the stream that keeps the old home up to date for a way back."""
        return cls(f"move_{move_id.hex}_r")


def _database(home: Home) -> tuple[str, str]:
    return home.server, home.database
