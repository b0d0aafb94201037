"""ID tokens: whose, for whom, of when, in answer to what."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from interlock.errors import Forbidden, Unauthenticated
from interlock.identity.arriving import check_admitted, roles_of, teams_of
from interlock.identity.id_token import check_claims, open_token
from interlock.oidc_settings import OidcSettings

NOW = 1_800_000_000
KEY = RSAKey.generate_key(2048, auto_kid=True)
KEYS: Any = KeySet([KEY]).as_dict(private=False)
TERMS = OidcSettings(
    name="company", issuer="https://login.example", client_id="interlock", roles_claim="groups",
    roles=(("payables", "reviewer"), ("heads", "lead")), teams_claim="groups",
)  # fmt: skip
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example", "aud": "interlock", "sub": "u-1", "exp": NOW + 300, "iat": NOW, "nonce": "n",
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://login.example/"},
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ["interlock", "another"]},  # without azp nothing says that it was asked for by us
        {"aud": ["interlock", "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": NOW - 61},
        {"exp": "tomorrow"},
        {"iat": NOW + 61},
        {"nbf": NOW + 61},
        {"nonce": "another"},
        {"sub": ""},
        {"sub": "u" * 256},
        {"sub": "u\n1"},
        {"sub": 1},
        *({one: None} for one in ("iss", "aud", "sub", "exp", "iat", "nonce")),
    ],
)
def test_a_token_that_is_not_for_this_is_refused(change: dict[str, Any]) -> None:
    claims = {name: value for name, value in (CLAIMS | change).items() if value is not None}
    with pytest.raises(Unauthenticated):
        check_claims(claims, TERMS, nonce="n", now=NOW)


@pytest.mark.parametrize(
    "change", [{}, {"exp": NOW - 59}, {"iat": NOW + 59}, {"aud": ["interlock", "x"], "azp": "interlock"}]
)
def test_a_token_for_this_says_who_it_is_of(change: dict[str, Any]) -> None:
    assert check_claims(CLAIMS | change, TERMS, nonce="n", now=NOW) == "u-1"


def _part(value: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def test_only_the_providers_own_key_signs() -> None:
    good = jwt.encode({"alg": "RS256", "kid": KEY.kid}, CLAIMS, KEY)
    assert open_token(good, KEYS) == CLAIMS
    head, body, signature = good.split(".")
    other = RSAKey.generate_key(2048, parameters={"kid": str(KEY.kid)})
    forged = jwt.encode({"alg": "RS256", "kid": KEY.kid}, CLAIMS, other)
    start = f"{_part({'alg': 'HS256', 'kid': KEY.kid})}.{body}"  # the public key, taken for a secret
    mac = hmac.digest(KEY.as_pem(private=False), start.encode(), "sha256")
    confused = f"{start}.{urlsafe_b64encode(mac).decode().rstrip('=')}"
    unsigned = f"{_part({'alg': 'none'})}.{body}."
    for token in (forged, confused, unsigned, f"{head}.{body}.{signature[:-2]}", f"{head}.{body}", "", "x" * 200_000):
        assert open_token(token, KEYS) is None, token[:60]
    wrong: list[Any] = [{}, {"keys": []}, {"keys": "x"}, {"keys": [{"kty": "RSA"}]}]
    for keys in wrong:
        assert open_token(good, keys) is None


def test_roles_and_teams_are_what_the_groups_say() -> None:
    assert roles_of(TERMS, {"groups": ["heads", "payables", "*", 7]}) == ("reviewer", "lead")
    assert roles_of(TERMS, {"groups": "heads"}) == ("lead",)
    assert roles_of(TERMS, {}) == ()
    assert teams_of(TERMS, {"groups": ["a b", "payables", "payables", ""]}) == ("payables",)


@pytest.mark.parametrize(
    ("claims", "admitted"),
    [
        ({"email": "ana@Example.com", "email_verified": True, "org": ["acme"]}, True),
        ({"email": "ana@example.com", "email_verified": "true", "org": "acme"}, False),
        ({"email": "ana@example.com", "org": "acme"}, False),
        ({"email": "ana@evil-example.com", "email_verified": True, "org": "acme"}, False),
        ({"email": "ana@example.com@evil.com", "email_verified": True, "org": "acme"}, False),
        ({"email": "ana@example.com", "email_verified": True, "org": "other"}, False),
        ({"email": "ana@example.com", "email_verified": True}, False),
    ],
)
def test_who_may_sign_in(claims: dict[str, Any], admitted: bool) -> None:  # noqa: FBT001 - what is expected
    terms = OidcSettings(
        name="company", issuer="https://login.example", client_id="interlock", domains=("example.com",),
        requires=(("org", "acme"),),
    )  # fmt: skip
    if admitted:
        check_admitted(terms, claims)
        return
    with pytest.raises(Forbidden):
        check_admitted(terms, claims)
