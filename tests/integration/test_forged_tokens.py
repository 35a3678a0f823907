"""Tokens that we did not issue in this form: all of them are refused, by the same answer."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from litestar import Litestar

from app.settings import Settings
from clinics import Clinic
from domain.actor import Role
from operations import read_operations
from visitors import Visitor

ME = "/api/v1/auth/me"
Claims = dict[str, Any]


class Forge:
    """A real token taken apart, and whatever can be made of it with our key (`signed`) or without."""

    def __init__(self, token: str, key: str) -> None:
        self.token = token
        self.key = key
        self.header: Claims = jwt.get_unverified_header(token)
        self.claims: Claims = jwt.decode(token, options={"verify_signature": False})

    def signed(
        self,
        *,
        key: str = "",
        algorithm: str = "HS256",
        header: Claims | None = None,
        **claims: Any,
    ) -> str:
        """Sign the claims with changes; one that is None is left out."""
        wanted = {k: v for k, v in {**self.claims, **claims}.items() if v is not None}
        kid = {"kid": self.header["kid"]} if header is None else header
        return jwt.encode(wanted, key or self.key, algorithm=algorithm, headers=kid)

    def tampered(self, **claims: Any) -> str:
        """Change the claims and keep the signature."""
        head, _, signature = self.token.split(".")
        return ".".join((head, _segment({**self.claims, **claims}), signature))

    def unsigned(self, algorithm: str) -> str:
        head = _segment({**self.header, "alg": algorithm})
        return ".".join((head, _segment(self.claims), ""))


def _segment(value: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
async def forge(settings: Settings, clinic_a: Clinic) -> Forge:
    return Forge(await clinic_a.token(), settings.secret_key)


async def show(clinic: Clinic, token: str | bytes) -> httpx.Response:
    text = token if isinstance(token, bytes) else token.encode()
    return await clinic.get(ME, role=None, headers={"Authorization": b"Bearer " + text})


Forgery = Callable[[Forge], str | bytes]
OTHER_KEY = "a key that is as long as ours and not ours at all"

WITHOUT_THE_KEY: dict[str, Forgery] = {
    "alg none": lambda f: f.unsigned("none"),
    "alg None": lambda f: f.unsigned("None"),
    "alg empty": lambda f: f.unsigned(""),
    "alg none with the signature": lambda f: f.unsigned("none") + f.token.split(".")[2],
    "other key": lambda f: f.signed(key=OTHER_KEY),
    "other key and kid": lambda f: f.signed(key=OTHER_KEY, header={"kid": "mine"}),
    "kid as key": lambda f: f.signed(key=f.header["kid"].ljust(32, "x")),
    "key of its own in the header": lambda f: f.signed(
        key=OTHER_KEY,
        header={"kid": f.header["kid"], "jwk": {"kty": "oct", "k": OTHER_KEY}, "jku": "http://x"},
    ),
    "kid that walks": lambda f: f.signed(key=OTHER_KEY, header={"kid": "../../../dev/null"}),
    "tenant swapped": lambda f: f.tampered(tenant_id=str(uuid4())),
    "roles raised": lambda f: f.tampered(roles=["admin", "superadmin"]),
    "life prolonged": lambda f: f.tampered(exp=f.claims["exp"] + 86_400),
    "signature cut": lambda f: f.token[:-2],
    "signature missing": lambda f: f.token.rsplit(".", 1)[0] + ".",
    "two segments": lambda f: f.token.rsplit(".", 1)[0],
    "four segments": lambda f: f.token + ".x",
    "a word": lambda _: "token",
    "dots": lambda _: "..",
    "no utf-8": lambda _: b"\xff\xfe\xfd.\xff.\xff",
    "not JSON": lambda _: "bm8.bm8.bm8",
    "JSON of another kind": lambda _: "W10.W10.W10",
    "very long": lambda _: "a" * 60_000,
    "twice": lambda f: f"{f.token} {f.token}",
    "quoted": lambda f: f'"{f.token}"',
}

WITH_THE_KEY: dict[str, Forgery] = {
    "other algorithm": lambda f: f.signed(algorithm="HS384"),
    "no kid": lambda f: f.signed(header={}),
    "unknown kid": lambda f: f.signed(header={"kid": "0" * 8}),
    "audience of operators": lambda f: f.signed(aud="platform"),
    "both audiences": lambda f: f.signed(aud=["clinic", "platform"]),
    "other issuer": lambda f: f.signed(iss="another"),
    "expired": lambda f: f.signed(exp=int(time.time()) - 60),
    "issued in the future": lambda f: f.signed(iat=int(time.time()) + 3_600),
    "not yet valid": lambda f: f.signed(nbf=int(time.time()) + 3_600),
    "end is no number": lambda f: f.signed(exp="tomorrow"),
    **{
        f"without {name}": lambda f, name=name: f.signed(**{name: None})
        for name in ("iss", "aud", "sub", "sid", "av", "iat", "exp", "jti", "tenant_id")
    },
    "tenant is no uuid": lambda f: f.signed(tenant_id="a"),
    "tenant is a list": lambda f: f.signed(tenant_id=[f.claims["tenant_id"]]),
    "subject is no uuid": lambda f: f.signed(sub="admin"),
    "unknown session": lambda f: f.signed(sid=str(uuid4())),
    "older access version": lambda f: f.signed(av=f.claims["av"] - 1),
    "newer access version": lambda f: f.signed(av=f.claims["av"] + 1),
    "access version too large": lambda f: f.signed(av=2**40),
    "negative access version": lambda f: f.signed(av=-1),
    "roles are no list": lambda f: f.signed(roles="admin"),
}


async def test_a_real_token_passes(clinic_a: Clinic, forge: Forge) -> None:
    for token in (forge.token, forge.signed()):
        assert (await show(clinic_a, token)).status_code == 200


@pytest.mark.parametrize("name", [*WITHOUT_THE_KEY, *WITH_THE_KEY])
async def test_forged_token_is_refused(clinic_a: Clinic, forge: Forge, name: str) -> None:
    token = {**WITHOUT_THE_KEY, **WITH_THE_KEY}[name](forge)
    answer = await show(clinic_a, token)
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] in {"invalid_token", "token_expired", "session_ended"}
    assert (answer.json()["code"] == "token_expired") is (name == "expired")


async def test_even_our_key_does_not_carry_a_session_to_another_clinic(
    clinic_a: Clinic, clinic_b: Clinic, forge: Forge
) -> None:
    """The session is looked up in the home of the clinic that is entered."""
    stolen = forge.signed(tenant_id=str(clinic_b.tenant_id))
    at_b = await show(clinic_b, stolen)
    assert (at_b.status_code, at_b.json()["code"]) == (401, "session_ended")
    mixed = forge.signed(tenant_id=str(clinic_b.tenant_id), sub=str(clinic_b.admin_id))
    assert (await show(clinic_b, mixed)).status_code == 401
    assert (await show(clinic_a, stolen)).json()["code"] == "tenant_mismatch"


async def test_token_counts_in_its_one_header_alone(clinic_a: Clinic, forge: Forge) -> None:
    bearer = f"Bearer {forge.token}"
    assert (
        await clinic_a.get(ME, role=None, params={"access_token": forge.token})
    ).status_code in {
        400,
        401,
    }
    for name in ("Cookie", "X-Authorization", "Proxy-Authorization", "X-Access-Token"):
        value = f"access_token={forge.token}" if name == "Cookie" else bearer
        assert (await clinic_a.get(ME, role=None, headers={name: value})).status_code == 401
    twice = [("Host", clinic_a.host), ("Authorization", bearer), ("Authorization", bearer)]
    answer = await clinic_a._api.get(ME, headers=twice)
    assert answer.status_code == 401


async def test_tokens_of_clinics_and_of_operators_do_not_open_each_others_doors(
    api: httpx.AsyncClient, clinic_a: Clinic, forge: Forge
) -> None:
    operator = forge.signed(aud="platform", tenant_id=None, roles=["superadmin"])
    both = forge.signed(aud="platform", roles=["superadmin"])
    wrong = []
    for one in await read_operations(api):
        if one.is_public:
            continue
        values = {"role": "nurse", "namespace": "ai"}
        url = one.url({name: values.get(name, str(uuid4())) for name in one.path_names})
        tokens = (
            [forge.token, forge.signed(tenant_id=None), both]
            if one.is_platform
            else [operator, both]
        )
        for token in tokens:
            headers = {"Host": clinic_a.host, "Authorization": f"Bearer {token}", "If-Match": '"1"'}
            answer = await api.request(one.method, url, headers=headers)
            if answer.status_code != 401:
                wrong.append(f"{one}: {answer.status_code} {answer.text}")
    assert wrong == []


async def test_operator_whom_the_registry_does_not_know_is_nobody(
    api: httpx.AsyncClient, forge: Forge
) -> None:
    """Signed by our key, of the right audience, and yet worth nothing without its session."""
    token = forge.signed(aud="platform", tenant_id=None, roles=["superadmin"])
    for path in ("/api/v1/platform/tenants", "/api/v1/platform/auth/me"):
        answer = await api.get(path, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


async def test_token_dies_with_logout_block_and_change_of_roles(
    app: Litestar, clinic_a: Clinic
) -> None:
    for ending in ("logout", "block", "roles"):
        user_id, username = await clinic_a.add_user(Role.NURSE)
        visitor = await Visitor(app, clinic_a).login(username)
        assert (await visitor.me()).status_code == 200
        if ending == "logout":
            await visitor.send("POST", "/api/personnel/auth/logout")
        else:
            url = f"/api/v1/users/{user_id}"
            tag = {"If-Match": (await clinic_a.get(url)).headers["etag"]}
            body = {"json": {"role": "doctor"}} if ending == "roles" else {}
            changed = await clinic_a.request("POST", f"{url}/{ending}", headers=tag, **body)
            assert changed.status_code == 200, changed.text
        for path in (ME, "/api/v1/patients", "/api/v1/rooms", "/api/agenda/citas/"):
            answer = await visitor.send("GET", path)
            assert (answer.status_code, answer.json()["code"]) == (401, "session_ended"), ending
