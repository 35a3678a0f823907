"""Access tokens: what is accepted, and every way in which one is refused."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from auth.errors import InvalidTokenError, TokenExpiredError
from auth.principal import PrincipalKind
from auth.tokens import (
    LEEWAY_S,
    Audience,
    Grant,
    SigningKey,
    TokenIssuer,
    new_refresh_token,
    refresh_digest,
)

KEY = SigningKey("k1", "a" * 32)
OTHER_KEY = SigningKey("k2", "b" * 32)
GRANT = Grant(
    subject=uuid4(),
    session_id=uuid4(),
    clinic_id=uuid4(),
    access_version=3,
    roles=frozenset({"admin", "dentist"}),
)


def issuer(
    *keys: SigningKey, shift_s: int = 0, name: str = "https://clinic.example"
) -> TokenIssuer:
    return TokenIssuer(
        keys or (KEY,), issuer=name, clock=lambda: datetime.now(UTC) + timedelta(seconds=shift_s)
    )


def forged(changes: dict[str, Any], key: SigningKey = KEY, kid: str | None = "k1") -> str:
    claims = jwt.decode(issuer().issue(GRANT, Audience.CLINIC), options={"verify_signature": False})
    claims |= changes
    claims = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims, key.secret, algorithm="HS256", headers=headers)


def test_claims_of_an_issued_token_come_back() -> None:
    claims = issuer().verify(issuer().issue(GRANT, Audience.CLINIC), Audience.CLINIC)
    principal = claims.principal()
    assert principal.kind is PrincipalKind.USER
    assert principal.subject == GRANT.subject
    assert principal.tenant_id == GRANT.clinic_id
    assert principal.session_id == GRANT.session_id
    assert principal.access_version == 3
    assert principal.roles == {"admin", "dentist"}
    assert not principal.must_change_password
    assert claims.exp - claims.iat == 3_600


def test_token_names_neither_home_nor_epoch() -> None:
    token = issuer().issue(GRANT, Audience.CLINIC)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {
        "iss",
        "aud",
        "sub",
        "sid",
        "av",
        "roles",
        "iat",
        "exp",
        "jti",
        "tenant_id",
    }
    assert jwt.get_unverified_header(token)["kid"] == "k1"


def test_must_change_password_travels_in_the_token() -> None:
    grant = Grant(subject=uuid4(), session_id=uuid4(), clinic_id=uuid4(), must_change_password=True)
    claims = issuer().verify(issuer().issue(grant, Audience.CLINIC), Audience.CLINIC)
    assert claims.principal().must_change_password


def test_token_for_one_audience_is_refused_by_the_other() -> None:
    operator = Grant(subject=uuid4(), session_id=uuid4(), roles=frozenset({"superadmin"}))
    platform = issuer().issue(operator, Audience.PLATFORM)
    assert issuer().verify(platform, Audience.PLATFORM).principal().kind is PrincipalKind.OPERATOR
    with pytest.raises(InvalidTokenError):
        issuer().verify(platform, Audience.CLINIC)
    with pytest.raises(InvalidTokenError):
        issuer().verify(issuer().issue(GRANT, Audience.CLINIC), Audience.PLATFORM)


def test_clinic_token_without_a_clinic_is_refused() -> None:
    nobody = Grant(subject=uuid4(), session_id=uuid4())
    with pytest.raises(InvalidTokenError):
        issuer().verify(issuer().issue(nobody, Audience.CLINIC), Audience.CLINIC)
    with pytest.raises(InvalidTokenError):
        issuer().verify(issuer().issue(GRANT, Audience.PLATFORM), Audience.PLATFORM)


def test_expired_token_says_so() -> None:
    old = issuer(shift_s=-4_000).issue(GRANT, Audience.CLINIC)
    with pytest.raises(TokenExpiredError):
        issuer().verify(old, Audience.CLINIC)


def test_expired_token_of_a_stranger_is_only_invalid() -> None:
    old = issuer(OTHER_KEY, shift_s=-4_000).issue(GRANT, Audience.CLINIC)
    with pytest.raises(InvalidTokenError) as refused:
        issuer().verify(old, Audience.CLINIC)
    assert type(refused.value) is InvalidTokenError


def test_key_rotation_accepts_the_previous_key_until_it_is_dropped() -> None:
    old = issuer(KEY).issue(GRANT, Audience.CLINIC)
    rotated = issuer(OTHER_KEY, KEY)
    assert rotated.verify(old, Audience.CLINIC).sub == GRANT.subject
    new = rotated.issue(GRANT, Audience.CLINIC)
    assert jwt.get_unverified_header(new)["kid"] == "k2"
    with pytest.raises(InvalidTokenError):
        issuer(OTHER_KEY).verify(old, Audience.CLINIC)


def test_right_secret_under_another_keys_name_is_refused() -> None:
    with pytest.raises(InvalidTokenError):
        issuer(KEY, OTHER_KEY).verify(forged({}, KEY, kid="k2"), Audience.CLINIC)


def test_algorithm_is_never_taken_from_the_token() -> None:
    payload = jwt.decode(
        issuer().issue(GRANT, Audience.CLINIC), options={"verify_signature": False}
    )
    unsigned = jwt.encode(payload, "", algorithm="none", headers={"kid": "k1"})
    longer = jwt.encode(payload, KEY.secret * 2, algorithm="HS512", headers={"kid": "k1"})
    same_key = jwt.encode(payload, "a" * 64, algorithm="HS512", headers={"kid": "k1"})
    for token in (unsigned, longer, same_key):
        with pytest.raises(InvalidTokenError):
            issuer().verify(token, Audience.CLINIC)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": None},
        {"aud": ["clinic", "platform"]},
        {"sub": "not a uuid"},
        {"sub": None},
        {"sid": None},
        {"sid": 7},
        {"av": None},
        {"av": "many"},
        {"jti": None},
        {"exp": None},
        {"exp": "soon"},
        {"tenant_id": None},
        {"tenant_id": "sonrisa"},
        {"roles": "admin"},
        {"roles": [1]},
    ],
)
def test_token_with_a_missing_or_odd_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        issuer().verify(forged(changes), Audience.CLINIC)


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "a.b.c", "é.é.é", "x" * 5_000),
        # Made anew in each process, and a test has the same name in all of them.
        pytest.param(new_refresh_token(), id="a refresh token"),
        pytest.param(forged({}, kid=None), id="no key named"),
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidTokenError):
        issuer().verify(token, Audience.CLINIC)


def test_any_changed_character_of_the_payload_breaks_the_signature() -> None:
    head, body, signature = issuer().issue(GRANT, Audience.CLINIC).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["roles"] = ["admin", "auditor"]
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(InvalidTokenError):
        issuer().verify(f"{head}.{changed}.{signature}", Audience.CLINIC)


@pytest.mark.parametrize("kid", [None, 1, ["k1"], {"k1": 1}])
def test_odd_key_name_is_refused_not_an_error(kid: Any) -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": kid}).encode()).rstrip(b"=")
    with pytest.raises(InvalidTokenError):
        issuer().verify(f"{head.decode()}.e30.AAAA", Audience.CLINIC)


def test_weak_or_ambiguous_keys_are_refused_at_start() -> None:
    with pytest.raises(ValueError, match="shorter"):
        SigningKey("k", "short")
    with pytest.raises(ValueError, match="signing keys"):
        TokenIssuer((), issuer="x")
    with pytest.raises(ValueError, match="signing keys"):
        issuer(KEY, SigningKey("k1", "c" * 32))


def test_refresh_tokens_are_opaque_and_stored_as_digests() -> None:
    token = new_refresh_token()
    assert token.startswith("pcr_")
    digest = refresh_digest(token)
    assert digest is not None
    assert len(digest) == 32
    assert refresh_digest(new_refresh_token()) != digest


@pytest.mark.parametrize("token", ["", "pcr_", "pcr_" + "a" * 42, "x" * 47, "pcr_" + "ñ" * 43])
def test_what_cannot_be_a_refresh_token_has_no_digest(token: str) -> None:
    assert refresh_digest(token) is None


def test_grant_ids_are_uuids() -> None:
    claims = issuer().verify(issuer().issue(GRANT, Audience.CLINIC), Audience.CLINIC)
    assert isinstance(claims.sid, UUID)


def test_known_token_stops_at_its_expiry() -> None:
    now = datetime.now(UTC)
    moments = [now]
    ours = TokenIssuer((KEY,), issuer="https://clinic.example", clock=lambda: moments[-1])
    token = ours.issue(GRANT, Audience.CLINIC)
    assert ours.verify(token, Audience.CLINIC) == ours.verify(token, Audience.CLINIC)
    moments.append(now + timedelta(seconds=ours.access_ttl_s + LEEWAY_S + 1))
    with pytest.raises(TokenExpiredError):
        ours.verify(token, Audience.CLINIC)


def test_known_token_is_for_its_audience_and_its_keys_alone() -> None:
    ours = issuer(KEY)
    token = ours.issue(GRANT, Audience.CLINIC)
    ours.verify(token, Audience.CLINIC)
    with pytest.raises(InvalidTokenError):
        ours.verify(token, Audience.PLATFORM)
    with pytest.raises(InvalidTokenError):
        ours.verify(token[:-1] + ("A" if token[-1] != "A" else "Q"), Audience.CLINIC)
    with pytest.raises(InvalidTokenError):
        issuer(OTHER_KEY).verify(token, Audience.CLINIC)


def test_few_tokens_are_remembered_and_refused_ones_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.tokens.VERIFIED_MAX", 2)
    ours, stranger = issuer(KEY), issuer(OTHER_KEY)
    decoded: list[str] = []
    plainly = ours._decode

    def counted(token: str, audience: Audience) -> dict[str, Any]:
        decoded.append(token)
        return plainly(token, audience)

    monkeypatch.setattr(ours, "_decode", counted)
    first, second, third = (ours.issue(GRANT, Audience.CLINIC) for _ in range(3))
    for token in (first, second, first, third, first, second):
        ours.verify(token, Audience.CLINIC)
    assert decoded == [first, second, third, second]
    for _ in range(2):
        with pytest.raises(InvalidTokenError):
            ours.verify(stranger.issue(GRANT, Audience.CLINIC), Audience.CLINIC)
    assert len(decoded) == 6
