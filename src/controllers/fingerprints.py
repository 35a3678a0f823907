"""What a request is recognised by when it comes again, without anybody being able to guess what was in it."""

import hmac
from collections.abc import Sequence
from typing import Final

LABEL: Final = b"polyclinic request fingerprint"
"""Keeps this key apart from every other that is made of the same secret."""

DIGEST: Final = "sha256"
LENGTH_BYTES: Final = 8


class RequestFingerprints:
    """Keyed hashes (HMAC, RFC 2104): a body may hold a password, and a plain hash of a short one is soon guessed."""

    def __init__(self, secrets: Sequence[str]) -> None:
        assert secrets
        self._keys = tuple(hmac.digest(secret.encode(), LABEL, DIGEST) for secret in secrets)

    def of(self, *parts: bytes) -> tuple[bytes, ...]:
        """Return the fingerprint under the present secret, then those under the previous ones."""
        # Each part with its length, so that what ends one cannot begin the next.
        message = b"".join(len(part).to_bytes(LENGTH_BYTES) + part for part in parts)
        return tuple(hmac.digest(key, message, DIGEST) for key in self._keys)
