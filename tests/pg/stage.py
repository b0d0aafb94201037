"""The stage of the engine's tests: the example's contracts and rules, small workflows, a node, and a quiet worker.

The worker is the real one; only its heartbeat process is left out, so that a test starts in milliseconds. Liveness has
tests of its own, with real processes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg
from tests.pg.acting import acts

from interlock.cases.record import CaseRecord, read_record
from interlock.cases.registry import Registered, Registry, register
from interlock.cases.store import BEGIN_WORKER, END_LEASE, HOLD_WORKER_LOCK, CaseRow, CaseState
from interlock.cases.submit import submit
from interlock.cases.worker import Worker
from interlock.cases.workflow import Body, Workflow, workflow
from interlock.config import Settings
from interlock.connector_settings import ConnectorSettings
from interlock.db.database import connect_service
from interlock.node import Node, open_node
from interlock.oversight.queue import Answer, list_queue
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution, Review

REFUNDS = Path(__file__).resolve().parents[2] / "examples" / "refunds"
PATIENCE_S = 20.0
ENDED = (CaseState.DONE, CaseState.EXCEPTION, CaseState.CANCELLED)

_FILE = """\
workflow: {name}
contract: refund-request@1
time_zone: Europe/Lisbon
{dossier}
decisions:
  approve:
    components: [{components}]
    input: refund-request@1
    output: refund-decision@1
{point}
actions:
  pay:
    connector: {connector}
    domain: payments.refund
    limits: {{{limits}}}
    timeout: {timeout}
    attempts: {attempts}
    deadline: {deadline}
    undo: {{none: a refund that has been paid is not taken back}}
"""
DOSSIER = """\
owner: shop@example.com
stand_in: finance@example.com
may_stop: [shop@example.com]
success:
  measure: hours until the customer has the money
  baseline: {value: 30, from: support tickets of 2025, sample: 200, window: 2025}
  target: 1
wrong: {loses: the amount, harm: money only}
"""
POINT = """\
    review: ["exposure >= 100 EUR"]
"""


def declared(
    body: Body | Workflow,
    folder: Path,
    *,
    name: str = "",
    dossier: str = DOSSIER,
    components: str = "rules:approve-refund@1, person",
    point: str = POINT,
    limits: str = "each: 1000 EUR, per_day: 20000 EUR, rate: 1000/s",
    attempts: int = 4,
    deadline: str = "1h",
    timeout: str = "2s",
    connector: str = "payments",
) -> Registered:
    """A workflow with a file of its own, beside the example's contracts and rules."""
    known = body.name if isinstance(body, Workflow) else name or getattr(body, "__name__", "flow")
    file = folder / f"{known}.workflow.yaml"
    file.write_text(
        _FILE.format(
            name=known, dossier=dossier, components=components, point=point.rstrip(), limits=limits, attempts=attempts,
            deadline=deadline, timeout=timeout, connector=connector,
        )
    )  # fmt: skip
    flow = body if isinstance(body, Workflow) else workflow(known, version="1.0.0", file=file)(body)
    return register(flow, (REFUNDS,))


def payments(url: str, **abilities: Any) -> ConnectorSettings:
    """The settings of a connector to the simulated provider."""
    known: dict[str, Any] = {
        "simulated": True,
        "honours_keys": True,
        "key_retention": timedelta(days=1),
        "can_look_up": True,
        "max_request_life": timedelta(seconds=1),
        **abilities,
    }
    pay: dict[str, Any] = {
        "method": "POST",
        "path": "/payments",
        "body": {"to": "{to}", "amount": "{amount.amount}", "currency": "{amount.currency}", "reference": "refund"},
        "pending": {"field": "state", "is": "pending"},
    }
    if known["can_look_up"]:
        match = {"to": "to", "amount": "amount"}
        pay["look_up"] = {"path": "/payments?key={key}", "match": match, "pending": pay["pending"]}
    return ConnectorSettings(name="payments", url=url, operations={"pay": pay}, **known)


def settings_for(url: str, connectors: Mapping[str, ConnectorSettings] | None = None, **changed: Any) -> Settings:
    """Settings of a node on a test's database."""
    return Settings(
        database_url=url,
        probe=timedelta(milliseconds=100),
        poll=timedelta(milliseconds=50),
        connectors=MappingProxyType(dict(connectors or {})),
        **changed,
    )


class QuietWorker(Worker):
    """The worker without its heartbeat process: this process holds its lock and a long lease."""

    lock: psycopg.AsyncConnection[Any] | None = None

    async def _begin_heart(self) -> None:
        self.lock = await connect_service(self._url)
        async with self.lock.transaction():
            carried = {"code": list(self._registry.codes), "workflows": list(self._registry.names)}
            begun = {"name": "quiet", "lease": 600.0, **carried}
            self.number = await BEGIN_WORKER.one(self.lock, begun) or 0
            await HOLD_WORKER_LOCK.all(self.lock, {"number": self.number})

    async def __aexit__(self, *ended: object) -> None:
        lock, self.lock = self.lock, None
        if lock:
            await END_LEASE.run(lock, {"number": self.number})
            await lock.close()
            await super().__aexit__(*ended)


@dataclass
class Stage:
    """A node with its workers, and short words for what tests do with cases.

    Attributes:
        node: The node.
        workers: Those that were started.
    """

    node: Node
    workers: list[QuietWorker] = field(default_factory=list[QuietWorker])
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        await self.stack.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stack.__aexit__(kind, raised, trace)

    async def work(self, **terms: Any) -> QuietWorker:
        """Start a worker."""
        node = self.node
        worker = QuietWorker(
            node.url, node.tools, node.registry, node.notifier, poll_s=0.05, probe_s=0.1, lease_s=600.0, **terms
        )
        await self.stack.enter_async_context(worker)
        self.workers.append(worker)
        return worker

    async def submit(self, name: str = "", *, key: str = "k", amount: str = "20.00", **more: Any) -> UUID:
        """Submit a request for a refund."""
        flow = self.node.registry.named(name) if name else self.node.registry.all[0]
        value = {"customer": "Ana", "amount": amount, "days_since_purchase": 3, **more}
        data, node = json.dumps(value).encode(), self.node
        taken = await submit(node.writer, node.tenant, flow, key=key, data=data, levels=node.levels)
        return taken.case_id

    async def record(self, case_id: UUID) -> CaseRecord:
        """All that is recorded of a case."""
        return await read_record(self.node.database, self.node.tenant, case_id)

    async def until(self, case_id: UUID, *states: CaseState, patience_s: float = PATIENCE_S) -> CaseRow:
        """Wait until a case is in one of these states, by default an ended one."""
        wanted = states or ENDED
        give_up = time.monotonic() + patience_s
        while True:
            case = (await self.record(case_id)).case
            if case.state in wanted:
                return case
            if time.monotonic() > give_up:
                raise AssertionError(f"the case is {case.state}, waiting for {case.waiting_for}, not {wanted}")
            await asyncio.sleep(0.01)

    async def reviews(self) -> list[Review]:
        """The reviews that wait."""
        return await list_queue(self.node.database, self.node.tenant)

    async def approve(self, review: Review, *, who: str = "rosa") -> Review:
        """Approve a review."""
        answer = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")
        return await self.resolve(review, answer, who=who)

    async def resolve(self, review: Review, answer: Answer, *, who: str = "rosa") -> Review:
        """Resolve a review."""
        library = self.node.registry.all[0].library
        node = self.node
        return await resolve(node.desk, acts(node.tenant, who), review.id, answer, Terms(check=library.violations))

    async def wait_for_reviews(self, number: int = 1) -> list[Review]:
        """Wait until so many reviews wait."""
        give_up = time.monotonic() + PATIENCE_S
        while len(found := await self.reviews()) < number:
            if time.monotonic() > give_up:
                raise AssertionError(f"{len(found)} reviews wait, not {number}")
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def stage(
    url: str,
    flows: Sequence[Registered],
    *,
    connectors: Iterable[ConnectorSettings] = (),
    workers: int = 1,
    **terms: Any,
) -> AsyncGenerator[Stage]:
    """A node that carries these workflows, with workers."""
    settings = settings_for(url, {connector.name: connector for connector in connectors})
    async with open_node(settings, registry=Registry(flows)) as node, Stage(node) as on:
        for _ in range(workers):
            await on.work(**terms)
        yield on
