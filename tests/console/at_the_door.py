"""Coming to the door as a browser does: no session, cookies of one's own, forms from the pages."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from interlock.identity.password import hash_password
from interlock.identity.people import make_person
from interlock.identity.person import Person
from interlock.node import Node

PASSWORD = "seven herons at noon"  # noqa: S105 - a test's
_KEY = re.compile(r'name="form_key" value="([^"]+)"')


@asynccontextmanager
async def browser(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser with nothing in it. It says where its forms come from, as browsers do."""
    async with httpx.AsyncClient(base_url=url, timeout=30, headers={"Origin": url}) as client:
        yield client


async def known(node: Node, name: str = "ana", *, changes_it: bool = False, tenant: str = "default") -> Person:
    """Somebody who signs in by a password."""
    owner = await node.database.ensure_tenant(tenant)
    stored = await hash_password(PASSWORD)
    return await make_person(
        node.writer, owner, name=name, roles=("viewer",), who="the test", password=stored, changes_it=changes_it
    )


async def knock(
    client: httpx.AsyncClient, name: str = "ana", password: str = PASSWORD, to: str = "/console/me", tenant: str = ""
) -> httpx.Response:
    """Send the form of the door."""
    fields = {"name": name, "password": password, "to": to} | ({"tenant": tenant} if tenant else {})
    return await client.post("/console/sign-in", data=fields)


async def form_key(client: httpx.AsyncClient, page: str = "/console/me") -> str:
    """What a form on a page brings back."""
    found = _KEY.search((await client.get(page)).text)
    assert found is not None, page
    return found[1]
