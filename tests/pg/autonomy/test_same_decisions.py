"""Evidence and monitor count the same decisions, by one view that is a part of their statements."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, Made, known_truth, place, put

from interlock.autonomy.issuing.store import MATURED_DECISIONS, RECORDED_DECISIONS
from interlock.clock import first_id
from interlock.db.database import SERVICE_OPTIONS

Admin = psycopg.Connection[tuple[Any, ...]]


def test_evidence_and_monitor_count_the_same(database_url: str, admin: Admin, tenant: UUID) -> None:
    now, it = datetime.now(UTC), place(tenant)
    went = put(database_url, it, known_truth(now, 2000))
    early = [now - timedelta(minutes=30 + at) for at in range(5)]
    *asked, told = put(
        database_url, it, (Made(at=at, confidence=0.6, route="review", right=at is early[4] or None) for at in early)
    )
    mute, known, again, later = asked
    admin.execute("update decision set confidence = null where id = %s", (mute,))
    admin.execute(
        "insert into known_case (id, tenant, workflow, point, resolution, explanation, added_by, added_at) "
        "values (%s, %s, 'approve', 'approve', 'approve', 'made up', 'lea', now())",
        (known, tenant),
    )
    for id_, before in ((later, again), (told, went[0]), (went[1], went[2])):
        admin.execute("update decision set supersedes = %s where id = %s", (before, id_))
    counted = {*went, told, later}
    since, until = now - timedelta(hours=1), now + timedelta(hours=1)
    named: dict[str, Any] = {
        "workflow": it.workflow, "point": it.point, "digests": [DIGEST], "files": None, "attempts": False,
        "input": False, "output": False, "since": first_id(since), "until": first_id(until),
        "from_id": first_id(since), "to_id": first_id(until), "counted_to": since, "counted_id": UUID(int=0),
        "before": until, "most": 5000,
    }  # fmt: skip
    admin.execute("analyze")
    with psycopg.connect(database_url, autocommit=True, options=SERVICE_OPTIONS) as service:
        service.execute("select set_config('app.tenant', %s, false)", (str(tenant),))
        for statement in (RECORDED_DECISIONS, MATURED_DECISIONS):
            assert {row[0] for row in service.execute(statement.text, named).fetchall()} == counted
            plan = "\n".join(row[0] for row in service.execute(b"explain " + _bytes(statement.text), named).fetchall())
            assert "Subquery Scan" not in plan, "the conditions are on the table itself"
        service.execute("select set_config('app.tenant', %s, false)", (str(UUID(int=1)),))
        assert service.execute(RECORDED_DECISIONS.text, named).fetchall() == [], "the view shows nobody another's"


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
