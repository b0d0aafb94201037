"""One request, as the routes see it: who asks, what they sent, how to answer."""

from __future__ import annotations

import asyncio
import re
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as AsgiScope

from interlock.api.endpoint import MOST_BYTES, SECONDS, endpoint_of
from interlock.api.keys import Caller, Callers, Scope
from interlock.api.reading import read_body, read_query
from interlock.api.sending import trace_of
from interlock.authority.judge import Resource, Verdict, everything
from interlock.contracts import read_json
from interlock.errors import Forbidden, ManyRefused, Refused, Unauthenticated, Violation
from interlock.node import Node
from interlock.privacy.token import hide

T = TypeVar("T", bound=msgspec.Struct)
LONGEST_KEY = 200
BEARER = re.compile(r"Bearer +([!-~]{1,200}) *\Z", re.IGNORECASE)
_encoder = msgspec.json.Encoder(decimal_format="string")


class Call(Request[Caller, None, State]):
    """A request of a caller whom the guard has let through."""

    @property
    def node(self) -> Node:
        """The process."""
        return node_of(self)

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.scope["user"]

    @property
    def tenant(self) -> UUID:
        """Whose things there are."""
        return self.caller.tenant

    def require(self, act: str, resource: Resource | None = None) -> Verdict:
        """See that policies permit it; without a resource: on anything of the tenant.

        Raises:
            Forbidden: they do not.
        """
        return self.node.authority.require(self.caller.actor, act, resource or everything(self.tenant))

    @property
    def trace(self) -> str:
        """The id under which the log has this request."""
        return trace_of(self.scope).id

    async def body(self) -> bytes:
        """The body's bytes, whose sender is judged again once they are here.

        INVARIANT: nobody acts with a key that was revoked while the body was on its way, but for a quarter of a second.

        Raises:
            Unauthenticated: the key was revoked in the meantime.
        """
        content = await super().body()
        if content:
            secret = secret_of(self.headers.get("authorization", ""))
            _admit(self, self.route_handler, await callers_of(self).find_lately(secret))
        return content

    async def read(self, kind: type[T]) -> T:
        """The body.

        Raises:
            MalformedJson: it is not the JSON that we accept.
            ManyRefused: it is not of this form; everything that is wrong is named.
        """
        return read_body(read_json(await self.content(), max_bytes=MOST_BYTES), kind)

    async def content(self) -> bytes:
        """The body's bytes, which are said to be JSON."""
        sent = self.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if sent != "application/json":
            raise HTTPException(status_code=415, detail=f"the body is said to be {sent[:60]}, not application/json")
        return await self.body()

    async def read_nothing(self) -> None:
        """See that nothing was sent that would be passed over in silence.

        Raises:
            ManyRefused: there is a body, and it is no empty object.
        """
        data = await self.body()
        if data.strip() and read_json(data, max_bytes=MOST_BYTES) != {}:
            wrong = Violation(where="", what="a body was sent", rule="unknown", todo="send none")
            raise ManyRefused("this takes no body", (wrong,))

    def query(self, kind: type[T]) -> T:
        """The parameters of the query.

        Raises:
            ManyRefused: one is unknown, repeated or not of its form.
        """
        return read_query([(name, str(value)) for name, value in self.query_params.multi_items()], kind)

    def key(self, given: str | None) -> str:
        """The idempotency key: from the body, or from the Idempotency-Key header.

        Raises:
            Refused: neither, or both and they differ.
        """
        return key_of(given, self.headers.get("idempotency-key", ""))


def key_of(given: str | None, header: str) -> str:
    """The idempotency key: from the body, or from the Idempotency-Key header.

    Raises:
        Refused: neither, or both and they differ, or it is no usable key.
    """
    header = header.strip()
    if len(header) > 1 and header[0] == header[-1] == '"':
        header = header[1:-1]
    if header and given is not None and header != given:
        raise Refused("the body's key and the Idempotency-Key header differ", where="/key", todo="send one of them")
    key = given if given is not None else header
    if not key:
        raise Refused("there is no key", where="/key", todo="send key, or the Idempotency-Key header")
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Refused("the key is no usable key", where="/key", todo="use 1 to 200 printable characters")
    return key


def answer(document: msgspec.Struct, status: int = 200, *, location: str = "") -> Response[bytes]:
    """A document as an answer."""
    headers = {"Location": location} if location else {}
    return Response(encode(document), status_code=status, media_type="application/json", headers=headers)


def encode(document: msgspec.Struct) -> bytes:
    """A document as bytes: decimals as strings, times in RFC 3339. Personal data stand as ``(personal)``."""
    return hide(_encoder.encode(document))


def encode_stored(document: msgspec.Struct) -> bytes:
    """The same, with the tokens of personal data as they are stored: for ``answer_for`` alone."""
    return _encoder.encode(document)


def node_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Node:
    """The process that answers."""
    return connection.app.state["node"]


def callers_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Callers:
    """Who finds whose key it is."""
    return connection.app.state["callers"]


async def check_caller(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route: a key in force, with a scope that the route needs, and a policy that permits its act.

    INVARIANT: a route that says nothing about itself is closed.

    Raises:
        Unauthenticated: no key, or one that is unknown or revoked.
        Forbidden: the key lacks the scope, which is named, or no policy permits it.
    """
    endpoint = endpoint_of(handler.opt)
    if endpoint and not endpoint.needs:
        return
    presented = connection.headers.get("authorization", "")
    _admit(connection, handler, await callers_of(connection).find(secret_of(presented)))


def _admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, found: Caller | None) -> None:
    endpoint = endpoint_of(handler.opt)
    caller = allowed(found, endpoint.needs if endpoint else ())
    if "user" in connection.scope and connection.scope["user"] == caller:  # judged already
        return
    if endpoint:
        node_of(connection).authority.require(caller.actor, endpoint.act, everything(caller.tenant))
    connection.scope["user"] = caller


def secret_of(authorization: str) -> str:
    """The secret in an Authorization header.

    Raises:
        Unauthenticated: there is none.
    """
    presented = BEARER.match(authorization)
    if not presented:
        raise Unauthenticated("there is no key", todo="send Authorization: Bearer ilk_...")
    return presented[1]


def allowed(caller: Caller | None, needs: tuple[Scope, ...]) -> Caller:
    """The caller, if there is one who may.

    Raises:
        Unauthenticated: the key is nobody's.
        Forbidden: it lacks the scope, which is named; without any scope that would do, nobody may.
    """
    if caller is None:
        raise Unauthenticated("the key is unknown or revoked", todo="ask the tenant's administrator for a key")
    if not needs or not caller.may(needs):
        needed = " or ".join(needs) or "nobody has"
        raise Forbidden(f"the key {caller.name} lacks the scope {needed}", todo="ask for a key with that scope")
    return caller


def limit_time(app: ASGIApp) -> ASGIApp:
    """Bound the time of each request, with the reading of its body: a slow sender holds nothing for ever.

    A route whose ``opt`` has ``seconds`` says its own bound; None, as a stream has it that bounds itself, is none.
    """

    async def limited(scope: AsgiScope, receive: Receive, send: Send) -> None:
        opt = scope["route_handler"].opt
        endpoint = endpoint_of(opt)
        async with asyncio.timeout(endpoint.seconds if endpoint else opt.get("seconds", SECONDS)):
            await app(scope, receive, send)

    return limited
