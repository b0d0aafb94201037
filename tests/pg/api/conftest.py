"""What tests of the API share: a node with a small workflow, listening on loopback, and callers with keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from interlock.api.app import create_app
from interlock.api.keys import make_key
from interlock.api.serve import serving
from interlock.cases.case import Case
from interlock.cases.registry import Registry, register
from interlock.cases.workflow import workflow
from interlock.config import Settings
from interlock.node import Node, open_node

MakeCaller = Callable[..., Awaitable[httpx.AsyncClient]]


@workflow("claims", version="1", file="claims/claims.workflow.yaml")
async def claims(case: Case) -> str:
    """Decide one claim; ``trouble`` cannot be decided."""
    if case.input["who"] == "trouble":
        raise ValueError("there is trouble")
    claim = await case.decide("approve", case.input)
    return "paid" if claim.output["approved"] else "refused"


@pytest.fixture
async def node(database_url: str) -> AsyncIterator[Node]:
    """A process with its database."""
    settings = Settings(database_url=database_url, admin_database_url=database_url)
    async with open_node(settings, registry=Registry([register(claims)])) as node:
        yield node


@pytest.fixture
async def url(node: Node) -> AsyncIterator[str]:
    """Where the API listens."""
    async with serving(create_app(node), "127.0.0.1", 0) as url:
        yield url


@pytest.fixture
async def make_caller(node: Node, url: str) -> AsyncIterator[MakeCaller]:
    """A function that makes a caller with some scopes; of another tenant, if that is named."""
    async with AsyncExitStack() as stack:

        async def make(*scopes: str, name: str = "caller", tenant: str = "default") -> httpx.AsyncClient:
            owner = await node.database.ensure_tenant(tenant)
            secret = await make_key(node.database, node.writer, owner, name=name, scopes=scopes or ("admin",))
            headers = {"Authorization": f"Bearer {secret}"}
            return await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=30))

        yield make


@pytest.fixture
async def caller(make_caller: MakeCaller) -> httpx.AsyncClient:
    """A caller who may do everything."""
    return await make_caller("admin", name="boss")
