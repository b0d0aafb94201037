"""A provider that people sign in by: OpenID Connect, authorization code with PKCE.

Source: OpenID Connect Core 1.0, 3.1; Discovery 1.0, 4; RFC 7636 (PKCE, S256); RFC 9700 (best practice); RFC 9207 (the
issuer in the answer). Authlib speaks to it; it is untyped, and is met here alone.

INVARIANT: what is believed of somebody stands in an ID token that the provider's key has signed, by an algorithm with a
public key, for us, in answer to this browser's own request, and lately.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import msgspec
from authlib.integrations.httpx_client import AsyncOAuth2Client

from interlock.errors import Unauthenticated
from interlock.identity.id_token import check_claims, open_token
from interlock.oidc_settings import OidcSettings

TIMEOUT_S = 10.0
LASTS_S = 600.0
RESTS_S = 10.0
_LARGEST = 1_000_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_AGAIN = "sign in anew"
_TELL = "tell whoever sees to the settings"
_client_of: Any = AsyncOAuth2Client


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that has begun, as the browser keeps it: it alone can end it.

    Attributes:
        provider: By which provider.
        state: What it must bring back.
        nonce: What the token must hold.
        verifier: What our request for the token is proved by.
        to: Where somebody wants to go.
    """

    provider: str
    state: str
    nonce: str
    verifier: str
    to: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser brings back from a provider."""

    code: str = ""
    state: str = ""
    iss: str = ""
    error: str = ""


class Claimed(msgspec.Struct, frozen=True):
    """Who has signed in at a provider.

    Attributes:
        subject: Who they are there, for ever.
        claims: What else it says of them.
    """

    subject: str
    claims: Mapping[str, Any]


class Provider:
    """One provider. What it says of itself and its keys are kept for ten minutes.

    Args:
        terms: Its settings.
        now: Seconds since 1970.
    """

    def __init__(self, terms: OidcSettings, now: Callable[[], float] = time.time) -> None:
        self.terms = terms
        self._now = now
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, Mapping[str, Any]] | None = None
        self._asking = asyncio.Lock()

    async def begin(self, redirect: str, to: str) -> tuple[str, Begun]:
        """Where the browser goes to sign in, and what it keeps meanwhile.

        Args:
            redirect: Where the provider sends it back to.
            to: Where somebody wants to go afterwards.

        Raises:
            Unauthenticated: the provider does not answer, or not as one does.
        """
        metadata = await self._described()
        begun = Begun(
            provider=self.terms.name,
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            to=to,
        )
        async with self._client(redirect) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint, state=begun.state, code_verifier=begun.verifier, nonce=begun.nonce
            )
        return str(url), begun

    async def finish(self, begun: Begun, answer: Answer, redirect: str) -> Claimed:
        """Who has signed in.

        Raises:
            Unauthenticated: it is no answer to what this browser began, or the provider or its token says otherwise.
        """
        same = hmac.compare_digest(begun.state.encode(), answer.state.encode())
        if begun.provider != self.terms.name or not same:
            raise Unauthenticated("this sign-in was not begun in this browser", todo=_AGAIN)
        metadata = await self._described()
        must_say = metadata.authorization_response_iss_parameter_supported
        if (answer.iss or must_say) and answer.iss != metadata.issuer:
            raise Unauthenticated("the answer is another provider's", todo=_AGAIN)
        if answer.error or not answer.code:
            what = f"the provider says {answer.error[:60]!r}" if answer.error else "the provider gave no code"
            raise Unauthenticated(what, todo=_AGAIN)
        token = await self._exchange(metadata, answer.code, begun.verifier, redirect)
        claims = open_token(token, await self._key_set(metadata))
        if claims is None:  # it may have another key by now
            claims = open_token(token, await self._key_set(metadata, anew=True))
        if claims is None:
            raise Unauthenticated("none of the provider's keys has signed its token", todo=_AGAIN)
        subject = check_claims(claims, self.terms, nonce=begun.nonce, now=int(self._now()))
        return Claimed(subject, claims)

    def _client(self, redirect: str) -> Any:
        secret = self.terms.secret.resolve(os.environ) if self.terms.secret else None
        return _client_of(
            client_id=self.terms.client_id,
            client_secret=secret,
            scope=" ".join(self.terms.scopes),
            redirect_uri=redirect,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            timeout=TIMEOUT_S,
        )

    async def _exchange(self, metadata: Metadata, code: str, verifier: str, redirect: str) -> str:
        async with self._client(redirect) as client:
            try:
                answer: Mapping[str, object] = await client.fetch_token(
                    metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
                )
            except Exception as cause:  # it raises what two libraries have; to whom signs in, all of it says the same
                what = f"the provider did not take the code: {str(cause)[:200]}"
                raise Unauthenticated(what, todo=_AGAIN) from cause
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Unauthenticated("the provider gave no ID token", todo=_TELL)
        return token

    async def _described(self) -> Metadata:
        async with self._asking:
            if self._metadata and time.monotonic() - self._metadata[0] < LASTS_S:
                return self._metadata[1]
            found = await _get(f"{self.terms.issuer.rstrip('/')}/.well-known/openid-configuration")
            try:
                metadata = msgspec.convert(found, Metadata)
            except msgspec.ValidationError as cause:
                raise Unauthenticated(f"the provider says of itself: {cause}", todo=_TELL) from cause
            if metadata.issuer != self.terms.issuer:
                what = f"the provider calls itself {metadata.issuer[:200]}, not {self.terms.issuer}"
                raise Unauthenticated(what, todo="write issuer in the settings exactly so, if that is meant")
            for one in (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri):
                _check_address(one, self.terms.issuer)
            self._metadata = time.monotonic(), metadata
            return metadata

    async def _key_set(self, metadata: Metadata, *, anew: bool = False) -> Mapping[str, Any]:
        """Its keys; anew at most every ten seconds, so that forged tokens do not make us ask more often."""
        async with self._asking:
            age = time.monotonic() - self._keys[0] if self._keys else LASTS_S
            if self._keys is None or age >= (RESTS_S if anew else LASTS_S):
                self._keys = time.monotonic(), await _get(metadata.jwks_uri)
            return self._keys[1]


async def _get(url: str) -> Mapping[str, Any]:
    """A JSON object from there.

    Raises:
        Unauthenticated: there is none.
    """
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client, client.stream("GET", url) as answer:
            answer.raise_for_status()
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > _LARGEST:
                    raise Unauthenticated(f"{url} says more than {_LARGEST} bytes", todo=_TELL)
        found: object = msgspec.json.decode(content)
    except (httpx.HTTPError, msgspec.DecodeError) as cause:
        raise Unauthenticated(f"the provider does not answer at {url}: {cause}", todo=_TELL) from cause
    if not isinstance(found, dict):
        raise Unauthenticated(f"{url} is no JSON object", todo=_TELL)
    return cast("dict[str, Any]", found)


def _check_address(url: str, issuer: str) -> None:
    """See that nothing travels in the clear: http is for a provider on this machine alone.

    Raises:
        Unauthenticated: it would.
    """
    parts = urlsplit(url)
    here = urlsplit(issuer).hostname in _LOOPBACK and parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and here):
        raise Unauthenticated(f"the provider names {url[:200]}, which is not https", todo=_TELL)
