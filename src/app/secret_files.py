"""Secrets that the program makes for itself, once, and keeps in files that only their owner can read."""

import secrets
from pathlib import Path

SECRET_BYTES = 48
PRIVATE_FILE_MODE = 0o600


def kept_secret(path: Path) -> str:
    """Return the secret kept at `path`; the first call makes it. Raises `OSError` where that is impossible.

    Several processes may ask at once: the file appears complete or not at all, and all of them read the same.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        try:
            draft.touch(mode=PRIVATE_FILE_MODE, exist_ok=False)
            draft.write_text(f"{secrets.token_urlsafe(SECRET_BYTES)}\n", encoding="ascii")
            # A link, not a rename: whoever comes second must not replace what the first has made.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8").strip()
