"""Passwords hashed by ASP.NET Identity, versions 2 and 3: verified, never made. Layout: dotnet/aspnetcore PasswordHasher."""

import base64
import binascii
import hashlib
import hmac
import struct

from msgspec import Struct

ITERATIONS_MAX = 500_000
"""What a stored hash may ask for; the framework itself never used more than 100,000."""
STORED_LENGTH_MAX = 512
SALT_BYTES_MIN = 16
SUBKEY_BYTES_MIN = 16

PREFIX = "aspnet_identity$"
"""Written before the hash by an earlier importer; harmless when absent."""

_V2_LENGTH = 1 + 16 + 32
_V2_ITERATIONS = 1_000
_V3_HEADER = struct.Struct(">BIII")
_V3_FUNCTIONS = {0: "sha1", 1: "sha256", 2: "sha512"}


class _Derivation(Struct, frozen=True):
    function: str
    iterations: int
    salt: bytes
    subkey: bytes


def verify_aspnet_identity(stored: str, password: str) -> bool:
    """Return whether `password` made `stored`; anything malformed is a failed verification, never an exception.

    Takes up to half a second of CPU: call it off the event loop.
    """
    derivation = _parse(stored)
    if derivation is None:
        return False
    derived = hashlib.pbkdf2_hmac(
        derivation.function,
        password.encode(),
        derivation.salt,
        derivation.iterations,
        len(derivation.subkey),
    )
    return hmac.compare_digest(derived, derivation.subkey)


def _parse(stored: str) -> _Derivation | None:
    encoded = stored.removeprefix(PREFIX)
    if len(encoded) > STORED_LENGTH_MAX:
        return None
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    match raw[:1]:
        case b"\x00":
            return _parse_version_2(raw)
        case b"\x01":
            return _parse_version_3(raw)
        case _:
            return None


def _parse_version_2(raw: bytes) -> _Derivation | None:
    if len(raw) != _V2_LENGTH:
        return None
    return _Derivation("sha1", _V2_ITERATIONS, raw[1:17], raw[17:])


def _parse_version_3(raw: bytes) -> _Derivation | None:
    if len(raw) < _V3_HEADER.size:
        return None
    _, function_number, iterations, salt_length = _V3_HEADER.unpack_from(raw)
    function = _V3_FUNCTIONS.get(function_number)
    body = raw[_V3_HEADER.size :]
    if function is None or not 1 <= iterations <= ITERATIONS_MAX:
        return None
    if salt_length < SALT_BYTES_MIN or len(body) - salt_length < SUBKEY_BYTES_MIN:
        return None
    return _Derivation(function, iterations, body[:salt_length], body[salt_length:])
