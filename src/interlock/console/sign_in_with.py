"""Signing in by a provider: there and back.

What a sign-in began with is kept by the browser alone, in a cookie that lasts ten minutes and that no script and no
other site can read: whoever brings an answer that another browser asked for is refused, and no request fills a table.
"""

from __future__ import annotations

import logging
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from interlock.console.cookies import BEGUN, BEGUN_S, cookie_name, give_cookie, take_cookie
from interlock.console.places import HOME, own_path
from interlock.console.sign_in import lead, let_in, show_door
from interlock.console.visit import OPEN, Visit
from interlock.errors import ConfigInvalid, Forbidden, NotFound, Unauthenticated
from interlock.identity.arriving import arrive
from interlock.identity.attempts import browser_digest
from interlock.identity.person import Person
from interlock.identity.sessions import open_session

if TYPE_CHECKING:
    from interlock.identity.provider import Answer, Begun, Provider

log = logging.getLogger("interlock.console")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody wants to go afterwards."""

    to: str = HOME


@get("/console/sign-in/with/{name:str}", opt=OPEN)
async def go_to_provider(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """Send the browser to the provider.

    Raises:
        NotFound: there is none of that name.
    """
    provider = _provider(request, name)
    to = own_path(request.query(Wanted).to)
    try:
        url, begun = await provider.begin(_redirect(request, name), to)
    except Unauthenticated as cause:
        return _refused(request, to, cause)
    response = lead(url)
    kept = urlsafe_b64encode(msgspec.json.encode(begun)).decode().rstrip("=")
    give_cookie(response, request.node.settings, BEGUN, kept, lasts_s=BEGUN_S)
    return response


@get("/console/sign-in/back/{name:str}", opt=OPEN)
async def come_back(request: Visit, name: FromPath[str]) -> Response[bytes]:
    """The browser is back, with a code or with an error. Either way what it began with is used up."""
    from interlock.identity.provider import Answer  # noqa: PLC0415 - see _provider

    provider = _provider(request, name)
    node = request.node
    begun = _begun(request)
    said = {key: str(value) for key, value in request.query_params.items() if key in Answer.__struct_fields__}
    to = begun.to if begun else HOME
    try:
        tenant, person = await _arrived(request, provider, begun, Answer(**said))
    except (Unauthenticated, Forbidden) as cause:
        response = _refused(request, to, cause)
    else:
        browser = secrets.token_urlsafe(32)
        secret = await open_session(
            node.writer, tenant, person, how=name, agent=request.asking.agent, browser=browser_digest(browser)
        )
        response = await let_in(request, secret, browser, to)
    take_cookie(response, node.settings, BEGUN)
    return response


async def _arrived(request: Visit, provider: Provider, begun: Begun | None, answer: Answer) -> tuple[UUID, Person]:
    """Who has come back, and whose person that is.

    Raises:
        Unauthenticated: the provider does not say so, or not to this browser.
        Forbidden: they may not sign in here.
    """
    if begun is None:
        raise Unauthenticated("this sign-in was not begun in this browser, or too long ago", todo="sign in anew")
    node, terms = request.node, provider.terms
    who = await provider.finish(begun, answer, _redirect(request, terms.name))
    tenant = await node.database.find_tenant(terms.tenant) if terms.tenant else node.tenant
    if tenant is None:
        raise Forbidden(f"there is no tenant {terms.tenant}", todo="see the provider's settings")
    return tenant, await arrive(node.database, node.writer, tenant, terms, who.subject, who.claims)


def _refused(request: Visit, to: str, cause: Unauthenticated | Forbidden) -> Response[bytes]:
    log.warning("a sign-in by a provider was refused: %s", cause.what)
    return show_door(request, to=to, told=f"{cause.what[:1].upper()}{cause.what[1:]}: {cause.todo}.")


def _provider(request: Visit, name: str) -> Provider:
    # who signs in by a password pays neither for the client of providers nor for signatures: 1 s of importing
    from interlock.identity.provider import Provider  # noqa: PLC0415

    terms = request.node.settings.oidc.get(name)
    if terms is None:
        raise NotFound("there is no such provider", todo="sign in another way")
    state = request.app.state
    if "providers" not in state:
        state["providers"] = {}
    mine: dict[str, Provider] = state["providers"]
    return mine.setdefault(name, Provider(terms))


def _begun(request: Visit) -> Begun | None:
    from interlock.identity.provider import Begun  # noqa: PLC0415 - as above

    kept = request.cookies.get(cookie_name(request.node.settings, BEGUN), "")
    try:
        return msgspec.json.decode(urlsafe_b64decode(kept + "=" * (-len(kept) % 4)), type=Begun)
    except (ValueError, msgspec.MsgspecError):
        return None


def _redirect(request: Visit, name: str) -> str:
    """Where the provider sends people back to. Without a public URL, to where they ask, on this machine only.

    Raises:
        ConfigInvalid: people come from elsewhere, and nothing says by which address.
    """
    public = request.node.settings.public_url.rstrip("/")
    if not public:
        public = str(request.base_url).rstrip("/")
        if urlsplit(public).hostname not in _LOOPBACK:
            raise ConfigInvalid("public_url is not set", where="public_url", todo="say where people reach the console")
    return f"{public}/console/sign-in/back/{name}"


ROUTES = (go_to_provider, come_back)
