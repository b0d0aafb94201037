"""A verdict on what was recalled or superseded tells a certificate nothing, as it tells nobody else."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import terms
from tests.pg.decisions.test_cascades import Model, approve, cascade, decided
from tests.pg.stage import declared, stage

from interlock.autonomy.issuing.evidence import gather
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.terms import AuditTerms, OutcomeTerms, Source
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution

AUDITED = terms(
    outcome=OutcomeTerms(after=timedelta(minutes=1), source=Source.AUDIT), audit=AuditTerms(share=Fraction(1, 2))
)


async def test_a_verdict_that_was_taken_back_is_no_evidence(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        point, tenant = cascade(flow, Model("m", 0.5)), on.node.tenant
        recalled, superseded, other = [await decided(on, flow, point, key) for key in ("one", "two", "three")]
        for review in await on.reviews():
            await on.resolve(review, Answer(resolution=Resolution.APPROVE, reason_code="doubtful", output=None))
        digest = recalled.component_digest
        assert digest is not None
        it = Place(
            tenant=tenant, workflow="approve", point="approve", terms=AUDITED,
            components={digest.hex(): "m"},
        )  # fmt: skip
        now = datetime.now(UTC) + timedelta(minutes=5)
        options = "-c search_path=interlock"
        with psycopg.connect(database_url, autocommit=True, options=options) as admin:
            admin.execute(
                "insert into audit_drawing (id, tenant, workflow, point, key, begun, drawn_to)"
                " values (%s, %s, 'approve', 'approve', %s, %s, %s)",
                (uuid4(), tenant, bytes(32), UUID(int=0), UUID(int=2**128 - 1)),
            )
            assert (await gather(on.node.database, it, now)).records.wrong.tolist() == [False] * 3
            admin.execute(
                "insert into recall_member (recall, member, tenant, is_case, pending, state, why)"
                " values (%s, %s, %s, false, false, 'ended', 'x')",
                (uuid4(), recalled.id, tenant),
            )
            admin.execute("update decision set supersedes = %s where id = %s", (superseded.id, other.id))
        found = await gather(on.node.database, it, now)
        known = dict(zip(found.ids, (~found.records.wrong).tolist(), strict=True))
        assert (known.get(recalled.id), known.get(superseded.id), known[other.id]) == (False, None, True)
