"""Visiting the console in tests: a node with its site on loopback, and people who are signed in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from interlock.api.serve import serving
from interlock.cases.case import Case
from interlock.cases.registry import Registry
from interlock.config import Settings
from interlock.console.app import create_site
from interlock.console.visit import COOKIE, FORM_KEY_HEADER
from interlock.identity.people import make_person
from interlock.identity.person import Person, Visitor
from interlock.identity.sessions import find_visitor, open_session
from interlock.money import Money
from interlock.node import Node, open_node

SignIn = Callable[..., Awaitable["Visiting"]]


@dataclass(frozen=True, slots=True)
class Visiting:
    """Somebody who is signed in.

    Attributes:
        person: Who.
        visitor: Their session.
        secret: The session's secret, as it stands in the cookie.
        http: A client with the cookie, and with the session's key on every request.
        url: Where the console is.
    """

    person: Person
    visitor: Visitor
    secret: str
    http: httpx.AsyncClient
    url: str


async def refund_orders(case: Case) -> str:
    """Decide one refund and pay it; 100 EUR and more waits for a person."""
    amount = Money(case.input["amount"], "EUR")
    refund = await case.decide("approve", case.input, exposure=amount)
    if not refund.output["approved"]:
        return "refused"
    await case.act("pay", {"to": case.input["customer"], "amount": amount}, key=case.key, because=refund)
    return "refunded"


@asynccontextmanager
async def site(database_url: str, registry: Registry, **settings: object) -> AsyncGenerator[tuple[Node, str]]:
    """A node and where its site listens."""
    told = Settings(database_url=database_url, admin_database_url=database_url, **settings)  # type: ignore[arg-type]
    async with open_node(told, registry=registry) as node, serving(create_site(node), "127.0.0.1", 0) as url:
        yield node, url


async def signed_in(
    stack: AsyncExitStack,
    node: Node,
    url: str,
    name: str = "ana",
    roles: Sequence[str] = ("reviewer",),
    teams: Sequence[str] = (),
    tenant: str = "default",
) -> Visiting:
    """Make somebody known and sign them in, past the page of signing in."""
    owner = await node.database.ensure_tenant(tenant)
    person = await make_person(node.writer, owner, name=name, roles=roles, teams=teams, who="the test")
    secret = await open_session(node.writer, owner, person, how="password", agent="a test")
    visitor = await find_visitor(node.database, secret)
    if visitor is None:
        raise AssertionError("a session that was just opened is not found")
    client = httpx.AsyncClient(
        base_url=url, cookies={COOKIE: secret}, headers={FORM_KEY_HEADER: visitor.form_key}, timeout=30
    )
    return Visiting(person, visitor, secret, await stack.enter_async_context(client), url)
