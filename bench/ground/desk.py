"""A desk to sit down at: the receipts workflow on an embedded PostgreSQL, its site on loopback, people signed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from interlock.api.serve import serving
from interlock.cases.submit import submit
from interlock.cli.demo.receipts import Handed, generated
from interlock.cli.demo.world import demo_world
from interlock.console.app import create_site
from interlock.console.visit import COOKIE
from interlock.errors import ContractViolated, MalformedJson
from interlock.identity.people import make_person
from interlock.identity.person import Visitor
from interlock.identity.sessions import find_visitor, open_session
from interlock.node import Node, open_node
from interlock.sim import FaultKind, FaultPlan, FaultRule, SimulatedProvider

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
"""Chromium without a screen, and without a look for news of itself."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody can work.

    Attributes:
        node: The process.
        url: Where its site listens.
        provider: What pays.
        database_url: The database, as its administrator.
    """

    node: Node
    url: str
    provider: SimulatedProvider
    database_url: str

    async def hand_in(self, handed: Sequence[Handed]) -> int:
        """Hand receipts in; how many became cases."""
        registered = self.node.registry.named("receipts")
        made = 0
        for one in handed:
            try:
                await submit(
                    self.node.writer, self.node.tenant, registered, key=one.key, data=one.body, caller="till",
                    levels=self.node.levels,
                )  # fmt: skip
            except (ContractViolated, MalformedJson):
                continue
            made += 1
        return made

    async def fail_some(self, handed: Sequence[Handed]) -> None:
        """Hand receipts in while the provider refuses every payment for good: cases that cannot go on."""
        refused = FaultRule(kind=FaultKind.REJECT, detail="the payee's account is closed")
        self.provider.set_faults(FaultPlan(seed=1, rules=(refused,)))
        await self.hand_in([msgspec.structs.replace(one, key=f"late-{one.key}") for one in handed])
        await settle(self.node)
        self.provider.set_faults(FaultPlan(seed=1))

    async def sign_in(self, name: str, roles: Sequence[str]) -> tuple[Visitor, dict[str, str]]:
        """Make somebody known; their session, and its cookie as a browser takes it."""
        person = await make_person(self.node.writer, self.node.tenant, name=name, roles=roles, who="the benchmark")
        secret = await open_session(self.node.writer, self.node.tenant, person, how="password", agent="a benchmark")
        visitor = await find_visitor(self.node.database, secret)
        if visitor is None:
            raise AssertionError("a session that was just opened is not found")
        return visitor, {"name": COOKIE, "value": secret, "url": self.url}


@asynccontextmanager
async def open_desk(folder: Path, receipts: int, *, seed: int = 7) -> AsyncGenerator[Desk]:
    """A desk at which so many generated receipts were handed in and went as far as they go without a person."""
    with demo_world(folder, seed=seed, now=datetime.now(UTC), flags={}) as (settings, provider, _):
        async with (
            open_node(settings) as node,
            node.sealing(),
            serving(create_site(node), "127.0.0.1", 0) as url,
            node.worker(serves=node.tenant),
        ):
            desk = Desk(node, url, provider, node.url)
            await desk.hand_in(generated(receipts, seed, datetime.now(UTC).date()))
            await settle(node)
            yield desk


async def settle(node: Node, *, longest_s: float = 60.0) -> None:
    """Wait until no case is ready or runs, and none waits for a time."""
    quiet, loop = 0, asyncio.get_running_loop()
    until = loop.time() + longest_s
    while quiet < 3 and loop.time() < until:
        async with node.database.tenant(node.tenant) as connection:
            row = await (
                await connection.execute(
                    "select count(*) from cases "
                    "where state in ('ready', 'running') or wake_at < now() + interval '30 s'"
                )
            ).fetchone()
        quiet = quiet + 1 if row and not row[0] else 0
        await asyncio.sleep(0.25)
