"""One's own account: where one is signed in, one's password, how the console looks."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.console.cookies import COOKIE, give_cookie
from interlock.console.places import HOME, own_path
from interlock.console.render import render
from interlock.console.sign_in import lead
from interlock.console.visit import DUE, SIGNED_IN, Visit
from interlock.errors import NotFound, Refused
from interlock.identity.attempts import browser_digest
from interlock.identity.changing import change_preferences, end_sessions
from interlock.identity.password import LONGEST, SHORTEST
from interlock.identity.person import Theme
from interlock.identity.sessions import close_session, list_sessions, open_session
from interlock.identity.sign_in import NotSigned, choose_password

HERE = "/console/me"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody wants to go afterwards."""

    to: str = HOME


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a new password.

    Attributes:
        present: The one before.
        password: The new one.
        again: The new one again.
        to: Where they want to go afterwards.
    """

    present: str
    password: str
    again: str
    to: str = HOME


class Preferred(msgspec.Struct, frozen=True, kw_only=True):
    """The form of preferences.

    Attributes:
        theme: How the console is to look.
        single_keys: ``on``, or absent.
    """

    theme: Theme
    single_keys: str = ""


@get(HERE, opt=SIGNED_IN)
async def show_me(request: Visit) -> Response[bytes]:
    """One's own account."""
    visitor = request.visitor
    sessions = await list_sessions(request.node.database, visitor.tenant, visitor.person)
    return render(request, "me.html", sessions=sessions, themes=list(Theme))


@post("/console/me/preferences", opt=SIGNED_IN)
async def take_preferences(request: Visit) -> Response[bytes]:
    """How the console looks, and whether single keys do something."""
    given = await request.read_form(Preferred)
    visitor = request.visitor
    await change_preferences(
        request.node.database, visitor.tenant, visitor.person, theme=given.theme, single_keys=given.single_keys == "on"
    )
    return lead(HERE)


@post("/console/me/sessions/{session:uuid}", opt=SIGNED_IN)
async def take_session_end(request: Visit, session: FromPath[UUID]) -> Response[bytes]:
    """End one of one's other sessions.

    Raises:
        NotFound: it is not one of them.
    """
    visitor = request.visitor
    mine = await list_sessions(request.node.database, visitor.tenant, visitor.person)
    if session not in {one.id for one in mine}:
        raise NotFound("you have no such session", todo="look at the list anew")
    await close_session(request.node.writer, visitor.tenant, session, person=visitor.person, who=visitor.name)
    return lead(HERE)


@post("/console/me/others", opt=SIGNED_IN)
async def take_others_end(request: Visit) -> Response[bytes]:
    """End all of one's sessions but this one, which goes on under another secret."""
    visitor, node = request.visitor, request.node
    person = await end_sessions(node.database, visitor.tenant, visitor.person, who=visitor.name)
    asking = request.asking
    browser = browser_digest(asking.browser) if asking.browser else None
    secret = await open_session(
        node.writer, visitor.tenant, person, how=visitor.how, agent=asking.agent, browser=browser
    )
    response = lead(HERE)
    give_cookie(response, node.settings, COOKIE, secret)
    return response


@get("/console/password", opt=DUE)
async def show_password(request: Visit) -> Response[bytes]:
    """The form of a new password."""
    return _show(request, to=request.query(Wanted).to)


@post("/console/password", opt=DUE)
async def take_password(request: Visit) -> Response[bytes]:
    """Choose a password. All other sessions end."""
    given = await request.read_form(Chosen)
    node = request.node
    if given.password != given.again:
        return _show(request, to=given.to, told="The new password was not written the same twice.")
    try:
        done = await choose_password(
            node.database, node.writer, request.visitor, present=given.present, wanted=given.password,
            asking=request.asking,
        )  # fmt: skip
    except Refused as cause:
        return _show(request, to=given.to, told=f"{cause.what[:1].upper()}{cause.what[1:]}: {cause.todo}.")
    if isinstance(done, NotSigned):
        wait = f" Try again in {round(done.pause.total_seconds())} s." if done.pause else ""
        return _show(request, to=given.to, told=f"That is not your password.{wait}")
    response = lead(own_path(given.to))
    give_cookie(response, node.settings, COOKIE, done.secret)
    return response


def _show(request: Visit, *, to: str, told: str = "") -> Response[bytes]:
    return render(
        request, "password.html", status=400 if told else 200, to=own_path(to), told=told, shortest=SHORTEST,
        longest=LONGEST,
    )  # fmt: skip


ROUTES = (
    show_me, take_preferences, take_session_end, take_others_end, show_password, take_password,
)  # fmt: skip
