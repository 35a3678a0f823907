"""A fingerprint recognises a request and tells nobody without the secret what was in it."""

import hashlib

from controllers.fingerprints import RequestFingerprints

NEW, OLD = "the present secret", "the secret before"
BODY = b'{"password": "test1234"}'


def test_the_same_request_has_the_same_fingerprint() -> None:
    prints = RequestFingerprints((NEW,))
    assert prints.of(b"key", BODY) == prints.of(b"key", BODY)
    assert len(prints.of(b"key", BODY)[0]) == 32


def test_another_secret_key_or_body_has_another_one() -> None:
    known = RequestFingerprints((NEW,)).of(b"key", BODY)
    assert RequestFingerprints((OLD,)).of(b"key", BODY) != known
    assert RequestFingerprints((NEW,)).of(b"yek", BODY) != known
    assert RequestFingerprints((NEW,)).of(b"key", BODY + b" ") != known
    assert RequestFingerprints((NEW,)).of(b"ke", b"y" + BODY) != known


def test_it_is_no_plain_hash() -> None:
    assert hashlib.sha256(BODY).digest() not in RequestFingerprints((NEW,)).of(BODY)


def test_what_was_kept_under_the_secret_before_is_recognised() -> None:
    kept = RequestFingerprints((OLD,)).of(b"key", BODY)[0]
    assert kept in RequestFingerprints((NEW, OLD)).of(b"key", BODY)
