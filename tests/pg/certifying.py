"""Certificates for tests: built by hand, put on record and into force as their verbs do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Self
from uuid import UUID

import psycopg
from msgspec import structs

from interlock.autonomy.certificate import Certificate, Certified, Data, Step
from interlock.autonomy.store import (
    ADD_CERTIFICATES,
    CHANNEL,
    SET_AUTONOMY,
    AutonomyState,
    NewAutonomy,
    autonomy_id,
    certificate_row,
)
from interlock.autonomy.terms import AutonomyTerms
from interlock.db.work import Stamp, Unit, Write
from interlock.decisions.point import DecisionPoint
from interlock.ledger.ledger import first_entry
from interlock.node import Node

AUTONOMY = """\
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 1000 EUR
      wrong: {share: 1, plus: 5 EUR}
      outcome: {after: 30d, from: every}
"""
STEPS = (Step(confidence=0.5, wrong=0.25), Step(confidence=0.9, wrong=0.01), Step(confidence=0.99, wrong=0.001))


def certified(
    digest: str, *, segment: str = "", steps: Sequence[Step] = STEPS, component: str = "onnx:m@1"
) -> Certified:
    """What is certified of a component version in a segment."""
    return Certified(
        component=component, digest=digest, segment=segment, method="isotonic", steps=tuple(steps),
        decisions=4000, wrong=40,
    )  # fmt: skip


def certificate(
    tenant: UUID,
    of: AutonomyTerms | DecisionPoint,
    components: Iterable[Certified],
    *,
    workflow: str = "approve",
    point: str = "approve",
    threshold: str = "275",
    cap: int | None = None,
    **changed: Any,
) -> Certificate:
    """A certificate for a point, for the next 30 days; by terms alone, for the point as its file declares it."""
    terms = of if isinstance(of, AutonomyTerms) else of.autonomy
    assert terms is not None
    now = datetime.now(UTC)
    data = Data(
        since=now - timedelta(days=365), until=now - timedelta(days=30), decisions=8000, fitted=4000, outcomes=8000,
        missing=0, drawn=0, digest="00" * 32,
    )  # fmt: skip
    made = Certificate(
        tenant=tenant,
        workflow=workflow,
        point=point,
        goal="loss",
        terms={"as": "stated"},
        terms_digest=terms.digest.hex(),
        currency=terms.currency,
        threshold=threshold,
        cap=terms.highest if cap is None else cap,
        budget=str(terms.budget.each),
        risk=str(terms.risk),
        components=tuple(components),
        data=data,
        grid=(),
        automation=0.8,
        loss=20.0,
        method="by hand",
        assumptions=(),
        issued_at=now,
        issued_by="test",
        valid_until=now + timedelta(days=30),
        point_digest="" if isinstance(of, AutonomyTerms) else of.digest,
    )
    return structs.replace(made, **changed)


class Office:
    """Issues and withdraws, as the verbs do: with a ledger entry, in one commit, telling every process."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.turn = 0
        self.last: UUID | None = None

    async def issue(self, made: Certificate, *, state: AutonomyState = AutonomyState.CERTIFIED, **row: Any) -> UUID:
        """Put a certificate into force; its id."""
        self.turn += 1
        registered = self.node.registry.find(made.workflow)
        declared = registered.declaration.decisions.get(made.point) if registered else None
        if declared is not None and not made.point_digest:
            made = structs.replace(made, point_digest=declared.digest)

        def build(stamp: Stamp) -> list[Write]:
            entry = first_entry(stamp, made.tenant, "certificate.issued", subject=stamp.entry)
            stored = certificate_row(stamp.entry, made)
            return [entry, Write(ADD_CERTIFICATES, stored), self._counts(made, stamp, state, stamp.entry, row)]

        return await self._write(made, build)

    async def change(self, made: Certificate, state: AutonomyState, **row: Any) -> None:
        """Change what counts of the last one."""
        self.turn += 1

        def build(stamp: Stamp) -> list[Write]:
            entry = first_entry(stamp, made.tenant, "certificate.changed", subject=stamp.entry)
            return [entry, self._counts(made, stamp, state, self.last, row)]

        last = self.last
        await self._write(made, build)
        self.last = last

    def _counts(
        self, made: Certificate, stamp: Stamp, state: AutonomyState, id_: UUID | None, changed: dict[str, Any]
    ) -> Write:
        row = NewAutonomy(
            id=autonomy_id(made.tenant, made.workflow, made.point),
            tenant=made.tenant,
            workflow=made.workflow,
            point=made.point,
            turn=self.turn,
            state=state,
            certificate=id_,
            threshold=made.threshold,
            valid_until=made.valid_until,
            why="for a test",
            who="test",
            changed_at=stamp.now,
        )
        return Write(SET_AUTONOMY, structs.replace(row, **changed))

    async def _write(self, made: Certificate, build: Any) -> UUID:
        unit = Unit(made.tenant, build, wakes=(CHANNEL,))
        assert await self.node.writer.write(unit) is None
        assert unit.stamp is not None
        self.last = unit.stamp.entry
        await self.see()
        return unit.stamp.entry

    async def see(self) -> None:
        """Let the process read what counts."""
        known = self.node.tools.decider.certificates
        assert known is not None
        await known.look()


class Withdrawing:
    """Another writer that withdraws what counts, while whoever commits waits for it.

    Entered, it holds the table; ``withdraw`` is the commit that they find.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, options="-c search_path=interlock")

    def __enter__(self) -> Self:
        self._connection.execute("lock table autonomy in access exclusive mode")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def withdraw(self) -> None:
        """Withdraw everything, and commit."""
        self._connection.execute(
            "update autonomy set state = 'withdrawn', turn = turn + 1, why = 'it was wrong too often'"
        )
        self._connection.commit()

    def waiting(self) -> int:
        """How many commits wait for it."""
        found = self._connection.execute(
            "select count(*) from pg_locks where relation = 'interlock.autonomy'::regclass and not granted"
        ).fetchone()
        return int(found[0]) if found else 0


def half(threshold: str) -> str:
    """The next stricter half of a threshold."""
    return str(Fraction(threshold) / 2)
