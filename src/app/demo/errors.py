"""What can keep the demo from being made."""

from app.cli.errors import CommandError


class NotADemoClinicError(CommandError):
    """A clinic that the demo did not make has the name of one of its own."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"there is a clinic {slug} already that the demo did not make: choose another --data-dir"
        )
        self.slug = slug
