"""What a condition turned into a no is judged as that no: in late words, and in what wrong decisions lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.autonomy.test_certificates import certified, counts
from tests.pg.deciding import Made, known_truth, place, put

from interlock.autonomy.issuing.duty import keep_once
from interlock.autonomy.issuing.judged import is_no_right
from interlock.autonomy.issuing.store import WORSE_WORDS
from interlock.autonomy.store import AutonomyState
from interlock.business.store import BEHIND_LOSSES, DRAWN_LOSSES, DRAWN_OF, LOSSES_OF
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.db.writer import Writer

Admin = psycopg.Connection[tuple[Any, ...]]
DEMANDED = b'[{"by":"c","route":"reject","what":"c holds"}]'
CORRECTED = "update decision_outcome set is_right = true, changed_at = clock_timestamp() where decision = any(%s)"


async def test_late_words_that_a_demanded_no_was_wrong_make_the_monitor_count_anew(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it, now = place(tenant), datetime.now(UTC)
    put(database_url, it, known_truth(now - timedelta(minutes=4), 2000, wrong=0.0))
    await certified(database, writer, it)
    admin.execute("update certificate_monitor set counted_to = now() - interval '5 minutes'")
    begun = now - timedelta(minutes=4.9)
    own = [
        Made(at=begun + timedelta(seconds=at / 10), route="reject", right=False, verdicts=DEMANDED) for at in range(300)
    ]
    late = put(database_url, it, own)
    await keep_once(database, writer, lambda _: [it])
    stands = await counts(database, it)
    assert stands is not None
    assert (stands.state, stands.counted, stands.lost_minor) == (AutonomyState.CERTIFIED, 300, 0)
    admin.execute(CORRECTED, (late,))
    await keep_once(database, writer, lambda _: [it])
    stands = await counts(database, it)
    assert stands is not None
    assert stands.state is AutonomyState.WITHDRAWN
    assert "they were counted anew, since outcomes were corrected" in stands.why


async def test_of_a_demanded_no_the_no_is_told_wrong_and_loses(
    database_url: str, database: Database, admin: Admin, tenant: UUID
) -> None:
    it, now = place(tenant), datetime.now(UTC)
    at = [now - timedelta(minutes=10 - number) for number in range(5)]
    right, wrong, asked, _, _ = put(database_url, it, [
        Made(at=at[0], right=False, loss=900, route="reject", verdicts=DEMANDED),
        Made(at=at[1], right=True, exposure=700, route="reject", verdicts=DEMANDED),
        Made(at=at[2], right=True, route="review", verdicts=DEMANDED), Made(at=at[3], right=True),
        Made(at=at[4], right=False, exposure=500),
    ])  # fmt: skip
    admin.execute("update decision_outcome set changed_at = now()")
    admin.execute("insert into audit_draw select id, tenant, workflow, point, null, 1, now() from decision")
    admin.execute("insert into control_draw select id, tenant, workflow, true, '1/2', now(), now() from decision")
    bounds = {
        "workflow": it.workflow, "since": first_id(now - timedelta(hours=1)), "until": first_id(now), "most": 100,
    }  # fmt: skip
    judged = bounds | {"compared": "{}", "take": 9, "points": [it.point], "due": [first_id(now)], "sampled": []}
    declared = {"currencies": ["EUR"], "parts": [1], "wholes": [1], "plus": [0], "at_most": [10**9]}
    late = bounds | {"point": it.point, "changed": at[0], "due": timedelta(0), "compared": "[]"}
    async with database.tenant(tenant) as connection:
        lost = await LOSSES_OF.all(connection, _of(judged, LOSSES_OF.parameters))
        drawn = await DRAWN_OF.all(connection, _of(judged, DRAWN_OF.parameters))
        behind = await BEHIND_LOSSES.all(connection, _of(judged | declared, BEHIND_LOSSES.parameters))
        cases = await DRAWN_LOSSES.all(connection, _of(judged, DRAWN_LOSSES.parameters))
        words = await WORSE_WORDS.all(connection, late)
    assert {(one.exposure_minor, one.number) for one in lost} == {(500, 1), (700, 1)}
    assert sorted((one.standing, one.exposure_minor, one.number) for one in drawn if one.standing == "wrong") == [
        ("wrong", 500, 1), ("wrong", 700, 1),
    ]  # fmt: skip
    assert [(one.decision, one.loss_minor) for one in behind][:1] == [(wrong, 700)]
    assert right not in [one.decision for one in behind]
    assert len(behind) == 2
    assert {(one.case_id, one.loss_minor, one.exposure_minor) for one in cases} >= {(wrong, None, 700)}
    assert {right, asked}.isdisjoint(one.case_id for one in cases)
    assert len(words) == 4  # also of what would have been turned; a no that was right is looked at again in vain


async def test_the_database_judges_a_no_as_the_certificate_does(admin: Admin) -> None:
    answers = [
        b'{"approved":true}', b'{"approved":false}', b'{"amount":"3","approved":true}', b'{"a":"3","approved":false}',
        b'{"a":true,"b":false}', b'{"why":"\\u0000","approved":true}', b'{"approved":null}', b"{}", b"[true]", None,
    ]  # fmt: skip
    ways = [
        (contradictory, right, audited, answer, fields)
        for contradictory in (False, True)
        for right in (True, False)
        for audited in (True, False, None)
        for answer in answers
        for fields in ((), ("approved",), ("amount",), ("amount", "approved"))
    ]
    ask = "select interlock.no_is_right(%s, %s::interlock.outcome_standing, %s, %s, %s::json)"
    for contradictory, right, audited, answer, fields in ways:
        standing = "contradictory" if contradictory else "known"
        row = admin.execute(ask, (right, standing, audited, answer, msgspec.json.encode(fields).decode())).fetchone()
        judged = is_no_right(right, answer, fields, None, audited=audited, contradictory=contradictory)
        assert row == (judged,), (contradictory, right, audited, answer, fields)


def _of(given: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names}
