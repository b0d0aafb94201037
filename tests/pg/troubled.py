"""A workflow in trouble: rows where its exceptions, reviews and actions would be, and processes that measure them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from interlock.cases.declaration import read_declaration
from interlock.clock import Clock
from interlock.db.database import Database
from interlock.db.work import Refusal, Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.guards.stop_gate import NotStopped
from interlock.ledger.ledger import first_entry
from interlock.oversight.escalate import escalate
from interlock.oversight.escalation import EscalationRule

Admin = psycopg.Connection[tuple[Any, ...]]
FLOW = "receipts"
FILE = """\
workflow: receipts
contract: receipt@1
escalation:
  - {{{rule}}}
decisions:
  read: {{components: [rules:r@1, person], output: o@1}}
"""


def rules(*texts: str) -> list[EscalationRule]:
    """Rules as a workflow's file states them."""
    return [read_declaration(FILE.format(rule=text).encode(), "file").escalation[0] for text in texts]


@dataclass
class Process:
    """One process of several."""

    database: Database
    writer: Writer

    async def look(self, found: list[EscalationRule]) -> int:
        """What the upkeep does each time."""
        return await escalate(self.database, self.writer, found)

    async def dispatch(self, tenant: UUID, workflow: str = FLOW) -> Refusal | None:
        """What a dispatch commits, as far as stops are concerned."""

        def build(stamp: Stamp) -> list[Write]:
            return [first_entry(stamp, tenant, "test.spent", subject=stamp.entry)]

        return await self.writer.write(Unit(tenant, build, (NotStopped(("everything", f"workflow:{workflow}")),)))


@dataclass
class World:
    """Puts rows where a workflow's trouble would, and takes them out again."""

    admin: Admin
    tenant: UUID
    clock: Clock

    def begin(self) -> UUID:
        """A case of the workflow: without one nothing is measured in this tenant."""
        identifier, now = self.clock.new_id(), datetime.now(UTC)
        self.admin.execute(
            "insert into cases (id, tenant, workflow, version, code, key, input, state, created_at, changed_at) "
            "values (%s, %s, %s, '1', %s, %s, '', 'ready', %s, %s)",
            (identifier, self.tenant, FLOW, UUID(int=1), str(identifier), now, now),
        )
        return identifier

    def exceptions(self, number: int, *, age: timedelta = timedelta(0), workflow: str = FLOW) -> None:
        """Open exceptions."""
        for _ in range(number):
            self.admin.execute(
                "insert into exception (id, tenant, workflow, kind, fingerprint, state, priority, what, detail, owner, "
                "created_at) values (%s, %s, %s, 'k', %s, 'open', 1, 'w', '{}', '', now() - %s)",
                (self.clock.new_id(), self.tenant, workflow, UUID(int=1), age),
            )

    def reviews(
        self,
        number: int,
        *,
        age: timedelta = timedelta(0),
        resolution: str | None = None,
        proposal: bytes | None = b"{}",
    ) -> None:
        """Reviews, open or resolved."""
        for _ in range(number):
            self.admin.execute(
                "insert into review (id, tenant, workflow, point, queue, state, question, proposal, urgency, "
                "resolution, resolved_by, resolved_at, created_at) values (%s, %s, %s, 'p', 'q', %s, '{}', %s, 0, "
                "%s, 'rosa', case when %s then clock_timestamp() end, now() - %s)",
                (
                    self.clock.new_id(), self.tenant, FLOW, "resolved" if resolution else "open", proposal, resolution,
                    resolution is not None, age,
                ),
            )  # fmt: skip

    def actions(self, number: int, state: str, *, age: timedelta = timedelta(0)) -> None:
        """Actions in a state, ended that long ago."""
        for _ in range(number):
            identifier, case_id = self.clock.new_id(), self.begin()
            self.admin.execute(
                "insert into action (id, tenant, case_id, workflow, name, connector, domain, key, payload, state, "
                "fence, deadline, created_at, ended_at) "
                "values (%s, %s, %s, %s, 'pay', 'c', 'd', %s, '{}', %s, 1, now(), now(), now() - %s)",
                (identifier, self.tenant, case_id, FLOW, str(identifier), state, age),
            )

    def empty(self) -> None:
        """Everything is well again."""
        for table in ("exception", "review", "action"):
            self.admin.execute(f"delete from {table}".encode())

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """What the ledger has of escalation, in order."""
        rows = self.admin.execute(
            "select kind, body from ledger_entry where kind like 'escalation.%' order by id"
        ).fetchall()
        return [(kind, msgspec.json.decode(body)) for kind, body in rows]
