"""One monitor goes on over renewals, and counts the decisions that a certificate is about."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, Made, known_truth, place, put

from interlock.autonomy.certificate import Begins
from interlock.autonomy.issuing import corrected, watching
from interlock.autonomy.issuing.duty import derive_now, keep_once
from interlock.autonomy.issuing.issue import issue, stands_at
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.store import AutonomyState
from interlock.db.database import Database
from interlock.db.writer import Writer

Admin = psycopg.Connection[tuple[Any, ...]]
OTHER = bytes(31) + b"\1"
SECOND = timedelta(seconds=1)


async def certified(database: Database, writer: Writer, it: Place) -> UUID:
    stands = await stands_at(database, it.tenant, it.workflow, it.point)
    return await issue(writer, it, await derive_now(database, it, stands, who="olga"), stands)


async def test_a_renewal_forgets_nothing_and_counts_what_was_yet_to_be_counted(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID
) -> None:
    it = place(tenant, components={DIGEST.hex(): "onnx:m@1", OTHER.hex(): "onnx:n@1"})
    now = datetime.now(UTC)
    put(database_url, it, known_truth(now - timedelta(minutes=5), 6000))
    first = await certified(database, writer, it)
    admin.execute("update certificate_monitor set counted_to = now() - interval '5 minutes'")

    def lot(minutes: float, wrong: int, digest: bytes = DIGEST, route: str = "automatic") -> list[UUID]:
        begun = now - timedelta(minutes=minutes)
        made = [Made(at=begun + at * SECOND / 10, right=at >= wrong, digest=digest, route=route) for at in range(100)]
        return put(database_url, it, made)

    def monitors() -> list[tuple[Any, ...]]:
        return admin.execute(
            "select certificate, counted, evidence, closed_at is null, wealth from certificate_monitor order by 1"
        ).fetchall()

    lot(4.5, 1)
    lot(4.3, 50, OTHER, "review")  # nothing is certified of it, yet it came to the point
    asked = lot(4.1, 0, OTHER, "review")
    admin.execute("delete from decision_outcome where decision = any(%s)", (asked[:30],))
    again = asked[50:80]
    admin.execute("update decision set supersedes = x.old from (select unnest(%s::uuid[]) as new, unnest(%s::uuid[])"
                  " as old) x where id = x.new", (again, asked[:30]))  # fmt: skip
    await keep_once(database, writer, lambda _: [it])
    (before,) = monitors()
    assert before[:2] == (first, 270)
    assert before[2] != 1
    lot(3.9, 20)  # decided under the first one, and not counted when it is renewed
    second = await certified(database, writer, it)
    old, new = monitors()
    assert (old[3], new[3]) == (False, True)
    assert (new[0], *new[1:3], new[4]) == (second, *before[1:3], before[4])
    await keep_once(database, writer, lambda _: [it])
    stands = await stands_at(database, tenant, it.workflow, it.point)
    assert stands is not None
    assert (stands.state, stands.certificate, stands.counted) == (AutonomyState.WITHDRAWN, second, 370)
    assert monitors()[0] == old
    # an owner's, after a crossing, who knows what was decided before it to be like what comes: its monitor begins anew
    begins = Begins(at=now - it.terms.window / 2, why="one shop sent odd claims; it is gone", who="olga")
    third = await issue(writer, it, await derive_now(database, it, stands, who="olga", begins=begins), stands)
    assert monitors()[2][:3] == (third, 0, 1)


async def test_however_much_is_counted_a_late_bad_word_makes_the_newest_of_it_count_anew(
    database_url: str, database: Database, writer: Writer, admin: Admin, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MARKED_EACH", 100)
    monkeypatch.setattr(corrected, "MOST_RECOUNTED", 200)
    it, now = place(tenant), datetime.now(UTC)
    put(database_url, it, known_truth(now - timedelta(minutes=4), 2000, wrong=0.0))
    await certified(database, writer, it)
    admin.execute("update certificate_monitor set counted_to = now() - interval '5 minutes'")
    begun, own = now - timedelta(minutes=4.9), list[list[UUID]]()
    for lot in range(4):
        made = [Made(at=begun + (lot * 100 + at) * SECOND / 10) for at in range(100)]
        own.append(put(database_url, it, made))
        await keep_once(database, writer, lambda _: [it])
    bad = "update decision_outcome set is_right = false, changed_at = clock_timestamp() where decision = any(%s)"
    admin.execute(bad, (own[0][:1],))  # before the last mark but one: no more
    assert not await keep_once(database, writer, lambda _: [it])
    admin.execute(bad, (own[3][:1],))
    await keep_once(database, writer, lambda _: [it])
    stands = await stands_at(database, tenant, it.workflow, it.point)
    assert stands is not None
    assert (stands.state, stands.counted, stands.lost_minor) == (AutonomyState.CERTIFIED, 400, 2000)
    admin.execute(bad, (own[3],))
    await keep_once(database, writer, lambda _: [it])
    stands = await stands_at(database, tenant, it.workflow, it.point)
    assert stands is not None
    assert (stands.state, stands.counted, stands.lost_minor) == (AutonomyState.WITHDRAWN, 400, 200_000)
    assert "they were counted anew" in stands.why
