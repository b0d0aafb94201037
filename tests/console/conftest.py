"""What tests of the console share: the site of a node with the example's workflow, and people who are signed in."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.console.visiting import SignIn, refund_orders, signed_in, site
from tests.pg.stage import declared

from interlock.cases.registry import Registry
from interlock.node import Node


@pytest.fixture
async def visited(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, str]]:
    """A node with the refunds workflow, and where its site listens."""
    async with site(database_url, Registry([declared(refund_orders, tmp_path)])) as found:
        yield found


@pytest.fixture
def node(visited: tuple[Node, str]) -> Node:
    """The node."""
    return visited[0]


@pytest.fixture
def url(visited: tuple[Node, str]) -> str:
    """Where its site listens."""
    return visited[1]


@pytest.fixture
async def sign_in(visited: tuple[Node, str]) -> AsyncIterator[SignIn]:
    """A function that makes somebody known and signs them in: name, roles, teams, tenant."""
    async with AsyncExitStack() as stack:
        yield functools.partial(signed_in, stack, *visited)
