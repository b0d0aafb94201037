"""Signing in and out: by name and password, or by a provider."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from math import ceil

import msgspec
from litestar import Response, get, post

from interlock.api.call import LONGEST_KEY
from interlock.console.cookies import BROWSER, BROWSER_S, COOKIE, cookie_name, give_cookie, take_cookie
from interlock.console.places import HOME, own_path
from interlock.console.render import render
from interlock.console.visit import DUE, OPEN, Visit
from interlock.identity.sessions import close_session, find_visitor
from interlock.identity.sign_in import NotSigned, sign_in
from interlock.node import Node

WRONG = "That name and that password do not go together."


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody was, and whose people they belong to.

    Attributes:
        to: Where they want to go.
        tenant: Its name; empty: that of the process.
    """

    to: str = HOME
    tenant: str = ""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The form.

    Attributes:
        name: Whom they say that they are.
        password: What nobody else knows.
        to: Where they want to go.
        tenant: Its name; empty: that of the process.
    """

    name: str
    password: str
    to: str = HOME
    tenant: str = ""


@get("/console/sign-in", opt=OPEN)
async def show_sign_in(request: Visit) -> Response[bytes]:
    """The door."""
    asked = request.query(Asked)
    secret = request.cookies.get(cookie_name(request.node.settings, COOKIE), "")
    if await find_visitor(request.node.database, secret):
        return lead(own_path(asked.to))
    return show_door(request, to=asked.to, tenant=asked.tenant)


@post("/console/sign-in", opt=OPEN)
async def take_sign_in(request: Visit) -> Response[bytes]:
    """Name and password. A session that the browser had ends, and nothing that it sent becomes the new one's secret."""
    given = await request.read_form(Given)
    node = request.node
    tenant = await node.database.find_tenant(given.tenant) if given.tenant else node.tenant
    # of a tenant that is not there nobody has the name: it costs the same and says the same
    name = given.name.strip()[:LONGEST_KEY] if tenant else f"/{given.tenant}/{given.name}"[:LONGEST_KEY]
    browser = secrets.token_urlsafe(32)
    done = await sign_in(
        node.database, node.writer, tenant or node.tenant, name=name, password=given.password, asking=request.asking,
        browser=browser,
    )  # fmt: skip
    if isinstance(done, NotSigned):
        return show_door(request, to=given.to, tenant=given.tenant, name=given.name[:LONGEST_KEY], refused=done)
    return await let_in(request, done.secret, browser, given.to)


@post("/console/sign-out", opt=DUE)
async def take_sign_out(request: Visit) -> Response[bytes]:
    """End this session; the way back in is the door."""
    visitor = request.visitor
    await close_session(request.node.writer, visitor.tenant, visitor.session, person=visitor.person, who=visitor.name)
    response = lead("/console/sign-in")
    take_cookie(response, request.node.settings, COOKIE)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


async def let_in(request: Visit, secret: str, browser: str, to: str) -> Response[bytes]:
    """Give a browser its session, end the one that it had, and lead it to where it wanted to go."""
    settings = request.node.settings
    await _end_former(request.node, request.cookies.get(cookie_name(settings, COOKIE), ""))
    response = lead(own_path(to))
    give_cookie(response, settings, COOKIE, secret)
    give_cookie(response, settings, BROWSER, browser, lasts_s=BROWSER_S)
    return response


def show_door(
    request: Visit,
    *,
    to: str = HOME,
    tenant: str = "",
    name: str = "",
    refused: NotSigned | None = None,
    told: str = "",
) -> Response[bytes]:
    """The page with the form and the providers' buttons; with what was refused, if something was."""
    status = HTTPStatus.OK
    headers: dict[str, str] = {}
    if told:
        status = HTTPStatus.FORBIDDEN
    if refused:
        status = HTTPStatus.UNAUTHORIZED
        told = WRONG
    wait = ceil(refused.pause.total_seconds()) if refused else 0
    if refused and wait:
        status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(wait)}
        told = WRONG if refused.tried else "This was not tried: there have been too many failed sign-ins."
    settings = request.node.settings
    ours = tenant or settings.tenant
    providers = [one for one in settings.oidc.values() if (one.tenant or settings.tenant) == ours]
    return render(
        request, "sign_in.html", status=status, headers=headers, to=own_path(to), tenant=tenant, name=name, told=told,
        wait=wait, providers=providers,
    )  # fmt: skip


def lead(to: str) -> Response[bytes]:
    """Lead a browser elsewhere, by GET."""
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": to})


async def _end_former(node: Node, secret: str) -> None:
    former = await find_visitor(node.database, secret)
    if former:
        await close_session(node.writer, former.tenant, former.session, person=former.person, who=former.name)


ROUTES = (show_sign_in, take_sign_in, take_sign_out)
