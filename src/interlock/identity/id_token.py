"""ID tokens: what a provider has signed of somebody. Pure.

Source: OpenID Connect Core 1.0, 2 and 3.1.3.7; RFC 8725 (best practice for JWTs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from joserfc import jwt
from joserfc.errors import ClaimError, JoseError
from joserfc.jwk import KeySet

from interlock.errors import Unauthenticated
from interlock.oidc_settings import OidcSettings

LEEWAY_S = 60
LONGEST_SUBJECT = 255
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Those with a public key: with none, or with the client's secret as the key, anybody else could have signed."""
_LARGEST = 100_000


def open_token(token: str, keys: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a token says, if one of these keys has signed it; else None.

    Args:
        token: As it came, in three parts.
        keys: The provider's, as a JWK set.
    """
    if len(token) > _LARGEST:
        return None
    try:
        found = KeySet.import_key_set(cast("Any", keys))
        return jwt.decode(token, found, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def check_claims(claims: Mapping[str, Any], terms: OidcSettings, *, nonce: str, now: int) -> str:
    """See that a token is the provider's, for us, of now, and in answer to this browser; gives who it is of.

    Args:
        claims: What it says.
        terms: The provider's settings.
        nonce: What the browser's request held.
        now: Seconds since 1970.

    Raises:
        Unauthenticated: it is not.
    """
    registry = jwt.JWTClaimsRegistry(
        now=now,
        leeway=LEEWAY_S,
        iss={"essential": True, "value": terms.issuer},
        aud={"essential": True, "value": terms.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        registry.validate(dict(claims))
    except ClaimError as cause:
        raise Unauthenticated(f"the provider's token is not for this: {cause}", todo="sign in anew") from cause
    audience = claims["aud"]
    party = claims.get("azp")
    if (isinstance(audience, list) and len(cast("list[object]", audience)) > 1 and party is None) or (
        party is not None and party != terms.client_id
    ):
        raise Unauthenticated("the provider's token was made for another client", todo="sign in anew")
    subject = str(claims["sub"])
    if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise Unauthenticated("the provider says nothing usable of who this is", todo="ask its administrator")
    return subject
