"""Each turn of an escalation rule fails once, and succeeds once with its answer lost: it is taken once all the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from writes.cut import Cut, Moment

from interlock.clock import Clock
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.db.writer import Writer
from interlock.guards.stops import list_stops, resume
from interlock.node import gates
from interlock.oversight.escalate import escalate
from interlock.oversight.escalation import EscalationRule, Measure, Response

STOPS = EscalationRule(
    workflow="w", when="open exceptions >= 1", measure=Measure.OPEN_EXCEPTIONS, bound=1, do=Response.STOP
)
NOTIFIES = EscalationRule(
    workflow="w", when="open exceptions >= 1", measure=Measure.OPEN_EXCEPTIONS, bound=1, do=Response.NOTIFY
)
Admin = psycopg.Connection[tuple[Any, ...]]


def trouble(admin: Admin, tenant: UUID) -> None:
    """A case of the workflow, and an exception that is open."""
    admin.execute(
        "insert into interlock.cases (id, tenant, workflow, version, code, key, input, state, created_at, changed_at) "
        "values (%s, %s, 'w', '1', %s, 'k', '', 'ready', now(), now())",
        (Clock().new_id(), tenant, UUID(int=1)),
    )
    admin.execute(
        "insert into interlock.exception (id, tenant, workflow, kind, fingerprint, state, priority, what, detail, "
        "owner, created_at) values (%s, %s, 'w', 'k', %s, 'open', 1, 'w', '{}', '', now())",
        (Clock().new_id(), tenant, UUID(int=1)),
    )


async def play(admin: Admin, database: Database, writer: Writer, tenant: UUID, rule: EscalationRule) -> list[str]:
    """It fires, a person resumes, it clears; the entries that are left of it, in order."""
    trouble(admin, tenant)
    for _ in range(3):  # a turn whose answer was lost for good would be taken by the next round
        await escalate(database, writer, [rule])
    for stop in await list_stops(database, tenant):
        await resume(writer, tenant, stop.id, who="rosa", why="seen")
    for _ in range(3):
        await escalate(database, writer, [rule])
    admin.execute("delete from interlock.exception")
    for _ in range(3):
        await escalate(database, writer, [rule])
    rows = admin.execute(
        "select kind from interlock.ledger_entry where kind ~ '^(escalation|guard)' order by id"
    ).fetchall()
    return [row[0] for row in rows]


CUTS = [
    (STOPS, "escalation.fired"),
    (STOPS, "escalation.watched"),
    (STOPS, "escalation.cleared"),
    (NOTIFIES, "escalation.fired"),
]


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize(("rule", "kind"), CUTS, ids=lambda value: str(getattr(value, "do", value)))
async def test_a_turn_that_fails_or_whose_answer_is_lost_is_taken_once(
    database_url: str,
    database: Database,
    notifier: Notifier,
    tenant: UUID,
    rule: EscalationRule,
    kind: str,
    moment: Moment,
) -> None:
    cut = Cut(kind, moment)
    with psycopg.connect(database_url, autocommit=True) as admin:
        async with Writer(database_url, database.clock, gates(), notifier) as writer:
            with cut:
                entries = await play(admin, database, writer, tenant, rule)
        assert cut.struck
        stops = admin.execute("select count(*) from interlock.stop").fetchone()
    if rule is NOTIFIES:
        assert entries == ["escalation.fired", "escalation.cleared"]
        assert stops == (0,)
    else:
        assert entries == [
            "guard.stopped", "escalation.fired", "guard.resumed", "escalation.watched", "escalation.cleared"
        ]  # fmt: skip
        assert stops == (1,)
