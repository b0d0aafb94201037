"""One request of a person: who asks, what they sent, what they may do."""

from __future__ import annotations

import hmac
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from interlock.api.reading import read_query
from interlock.api.sending import trace_of
from interlock.authority.actor import Actor
from interlock.authority.judge import Resource, Verdict, everything
from interlock.console.cookies import BROWSER, COOKIE, cookie_name
from interlock.errors import Forbidden, FormStale, PasswordDue, Unauthenticated
from interlock.identity.person import BY_PASSWORD, Visitor
from interlock.identity.sessions import find_visitor, keep_session
from interlock.identity.sign_in import Asking
from interlock.node import Node

T = TypeVar("T", bound=msgspec.Struct)
FORM_KEY = "form_key"
FORM_KEY_HEADER = "x-form-key"
MOST_FIELDS = 500
_SAFE = ("GET", "HEAD")
_KNOWN = "interlock.may"
"""Where a request keeps what its person may do."""
_FORM = "application/x-www-form-urlencoded"


class Visit(Request[Visitor, None, State]):
    """A request of a person whom the guard has let through."""

    @property
    def node(self) -> Node:
        """The process."""
        return self.app.state["node"]

    @property
    def visitor(self) -> Visitor:
        """Who asks, in which session."""
        return self.scope["user"]

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self.visitor.actor

    @property
    def tenant(self) -> UUID:
        """Whose things there are."""
        return self.visitor.tenant

    @property
    def trace(self) -> str:
        """The id under which the log has this request."""
        return trace_of(self.scope).id

    @property
    def asking(self) -> Asking:
        """Who asks, as far as it can be told of somebody who is not signed in."""
        return Asking(
            address=self.client.host if self.client else "",
            agent=self.headers.get("user-agent", ""),
            browser=self.cookies.get(cookie_name(self.node.settings, BROWSER), ""),
        )

    @property
    def wants_part(self) -> bool:
        """Whether the page asks for a part of itself, and not a browser for a page."""
        return self.headers.get("hx-request") == "true"

    def may(self, act: str, resource: Resource | None = None) -> bool:
        """Whether they may do something; without a resource: to anything of their tenant, asked once for a page."""
        if resource is not None:
            return self.node.authority.judge(self.actor, act, resource).allowed
        known = cast("dict[tuple[Actor, str], bool]", cast("dict[str, Any]", self.scope).setdefault(_KNOWN, {}))
        asked = (self.actor, act)
        if asked not in known:
            known[asked] = self.node.authority.judge(self.actor, act, everything(self.tenant)).allowed
        return known[asked]

    def require(self, act: str, resource: Resource | None = None) -> Verdict:
        """See that they may; what the policies say of it.

        Raises:
            Forbidden: they may not.
        """
        return self.node.authority.require(self.actor, act, resource or everything(self.tenant))

    def query(self, kind: type[T]) -> T:
        """The parameters of the query.

        Raises:
            ManyRefused: one is unknown, repeated or not of its form.
        """
        return read_query([(name, str(value)) for name, value in self.query_params.multi_items()], kind)

    async def fields(self) -> list[tuple[str, str]]:
        """The fields of the form that was sent, in its order, without the key of the session."""
        sent = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent != _FORM:
            raise HTTPException(status_code=415, detail=f"the body is said to be {sent[:60]}, not a form")
        try:
            pairs = parse_qsl((await self.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError as cause:
            raise HTTPException(status_code=400, detail=f"the form cannot be read: {cause}") from cause
        return [(name, value) for name, value in pairs if name != FORM_KEY]

    async def read_form(self, kind: type[T]) -> T:
        """The form that was sent.

        Raises:
            ManyRefused: a field is unknown, missing, repeated or not of its form.
        """
        return read_query(await self.fields(), kind)


def needs(act: str) -> dict[str, Any]:
    """The route's ``opt`` that says which act it is: what a policy must permit before the route is entered."""
    return {"act": act}


OPEN: dict[str, Any] = {"open": True}
"""The ``opt`` of a route that needs nobody to be signed in."""
SIGNED_IN: dict[str, Any] = {"signed_in": True}
"""The ``opt`` of a route for everybody who is signed in: their own account."""
DUE: dict[str, Any] = {"signed_in": True, "due": True}
"""The same, for those, too, who must choose a password of their own first."""
WATCHING: dict[str, Any] = {"watching": True}
"""Added to the ``opt`` of a route that pages ask by themselves: a page that is left open keeps no session alive."""
LIVE_HEADER = "x-live"
"""Sent with what a page asks by itself of a route that people ask, too; it keeps no session alive either."""


async def check_visitor(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every page: a session in force, of a person whom a policy permits the route's act.

    INVARIANT: a route that says nothing about itself is closed.

    Raises:
        Unauthenticated: nobody is signed in, or the session has ended.
        PasswordDue: they must choose a password of their own first.
        Forbidden: no policy permits it.
    """
    if handler.opt.get("open"):
        return
    node: Node = connection.app.state["node"]
    visitor = await find_visitor(node.database, connection.cookies.get(cookie_name(node.settings, COOKIE), ""))
    if visitor is None:
        raise Unauthenticated("nobody is signed in, or the session has ended", todo="sign in")
    if visitor.changes_it and visitor.how == BY_PASSWORD and not handler.opt.get("due"):
        raise PasswordDue("a password for once lets nobody further", todo="choose a password of your own")
    connection.scope["user"] = visitor  # also the page that refuses them names them and leads on
    act = handler.opt.get("act")
    if isinstance(act, str):
        node.authority.require(visitor.actor, act, everything(visitor.tenant))
    elif not handler.opt.get("signed_in"):
        raise Forbidden("this page says nothing of who may see it", todo="this is a fault of ours: report it")
    if not handler.opt.get("watching") and LIVE_HEADER not in connection.headers:
        await keep_session(node.database, visitor)


async def check_form(request: Request[Any, Any, Any]) -> None:
    """See, before a route that changes something, that the form is one of ours.

    The browser says where a request comes from, and the form or the page's script brings back the session's key.

    INVARIANT: nobody acts in a session that ended, or with parts that were taken away, while their form was on its way.

    Raises:
        Unauthenticated: the session has ended since the request began.
        Forbidden: it comes from elsewhere.
        FormStale: it comes without the session's key, as after signing in anew in another window.
    """
    if request.method in _SAFE:
        return
    origin = request.headers.get("origin")
    where_from = request.headers.get("sec-fetch-site", "same-origin")
    public: str = request.app.state["node"].settings.public_url.rstrip("/")
    ours = origin is None or origin == public or origin.partition("://")[2] == request.headers.get("host")
    if where_from not in ("same-origin", "none") or not ours:
        raise Forbidden("the form was sent from another site", todo="open the page here and send it again")
    visitor = cast("object", request.scope.get("user"))  # type: ignore[reportUnknownMemberType]
    if not isinstance(visitor, Visitor):
        return  # a page that needs nobody to be signed in
    body = await request.body()
    given = request.headers.get(FORM_KEY_HEADER)
    if given is None:
        try:
            given = dict(parse_qsl(body.decode("latin-1"), max_num_fields=MOST_FIELDS)).get(FORM_KEY, "")
        except ValueError as cause:
            raise HTTPException(status_code=400, detail=f"the form cannot be read: {cause}") from cause
    await check_visitor(request, request.route_handler)  # a body may be long on its way: what counts is now
    if not hmac.compare_digest(given.encode(), visitor.form_key.encode()):
        raise FormStale("the form does not belong to this session", todo="load the page anew and send it again")
