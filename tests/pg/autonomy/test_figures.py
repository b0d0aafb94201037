"""The figures of a point: weighted by the chance of being seen, by version and segment, measured by one at a time."""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import DIGEST, Made, known_truth, place, put, terms

from interlock.autonomy.audit.store import drawing_id
from interlock.autonomy.figures import measure as measuring
from interlock.autonomy.figures.measure import measure, measure_and_keep, measure_due
from interlock.autonomy.figures.store import figures_of
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.terms import AuditTerms, OutcomeTerms, Source
from interlock.console.autonomy_page import page_of
from interlock.db.database import Database

Admin = psycopg.Connection[tuple[Any, ...]]
OLD = bytes(32)
LARGE = bytes(31) + b"\1"


def sampled(url: str, admin: Admin, it: Place, now: datetime, number: int) -> None:
    """Automatic decisions: the sure half right as often as it says, the unsure half 0.3 too sure and drawn 16 times as
    often; what is drawn is answered, but for one in fifty.
    """  # noqa: D205 - one sentence
    drawn = random.Random(4)
    made = [
        Made(
            at=now - timedelta(minutes=20) + timedelta(milliseconds=at), right=None, confidence=drawn.choice((0.6, 0.9))
        )
        for at in range(number)
    ]
    ids = put(url, it, made)
    admin.execute(
        "insert into audit_drawing (id, tenant, workflow, point, key, begun, drawn_to, looked_at, drawn)"
        " values (%s, %s, %s, %s, %s, %s, %s, 0, 0)",
        (
            drawing_id(it.tenant, it.workflow, it.point),
            it.tenant,
            it.workflow,
            it.point,
            bytes(32),
            UUID(int=ids[0].int - 1),
            ids[-1],
        ),
    )
    draws, words = list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for identity, one in zip(ids, made, strict=True):
        share = 0.05 if one.confidence > 0.8 else 0.8
        if drawn.random() >= share:
            continue
        right = drawn.random() < (0.9 if one.confidence > 0.8 else 0.3)
        answered = drawn.random() < 0.98
        said = ("ana", now, right) if answered else (None, None, None)
        draws.append((identity, it.tenant, it.workflow, it.point, share, one.at, *said))
        if answered:
            words.append((identity, it.tenant, it.workflow, it.point, "known", identity, right, now, now, now, 1))
    with admin.cursor() as cursor:
        columns = "decision, tenant, workflow, point, propensity, drawn_at, answered_by, answered_at, was_right"
        with cursor.copy(f"copy audit_draw ({columns}) from stdin") as copy:
            for row in draws:
                copy.write_row(row)
        columns = (
            "decision, tenant, workflow, point, standing, outcome, is_right, decided_at, first_at, changed_at, words"
        )
        with cursor.copy(f"copy decision_outcome ({columns}) from stdin") as copy:
            for row in words:
                copy.write_row(row)


async def test_a_sample_tells_of_all_that_went_by_itself(
    database_url: str, database: Database, admin: Admin, tenant: UUID
) -> None:
    stated = terms(
        outcome=OutcomeTerms(after=timedelta(minutes=1), source=Source.AUDIT), audit=AuditTerms(share=Fraction(1, 20))
    )
    it, now = place(tenant, stated), datetime.now(UTC)
    await asyncio.to_thread(sampled, database_url, admin, it, now, 6000)
    found = await measure(database, it)
    whole = found.groups[0]
    assert whole.error is not None
    assert whole.error.low <= 0.15 <= whole.error.high < 0.22, "unweighted nearly all that is seen is 0.3 off"
    assert not whole.too_few
    assert whole.effective < whole.known / 4
    assert whole.missing > 20
    assert whole.recalibrated is not None
    assert whole.recalibrated.after.high < whole.recalibrated.before.low
    assert found.first.component == "onnx:m@1"
    assert (found.sample is not None, found.tally.missing) == (True, whole.missing)
    sample = found.sample
    assert sample is not None
    assert sample.wrong_share is not None
    assert sample.wrong_share.low <= 0.4 <= sample.wrong_share.high < 0.5 < sample.wrong / sample.answered
    assert (sample.missing, sample.waiting, sample.looked_at) == (whole.missing, 0, 6000)


async def test_each_version_and_segment_is_told_apart_and_few_are_flagged(
    database_url: str, database: Database, admin: Admin, tenant: UUID
) -> None:
    it, now = place(tenant, terms(segment="input.grade")), datetime.now(UTC)
    put(database_url, it, known_truth(now, 2000))
    earlier = known_truth(now - timedelta(seconds=1), 600, seed=2)
    other = put(database_url, it, [msgspec.structs.replace(one, digest=OLD) for one in earlier])
    admin.execute('update decision set input = \'{"grade":"b"}\' where id = any(%s)', (other[:80],))
    found = await measure(database, it)
    assert [one.known for one in (found.groups[0], found.first)] == [2600, 2000]
    assert found.first.digest == DIGEST.hex()
    assert [one.in_force for one in found.groups] == sorted((one.in_force for one in found.groups), reverse=True)
    few = next(one for one in found.groups if one.segment == "b")
    assert (few.known, few.too_few, few.recalibrated, few.in_force) == (80, True, None, False)
    assert {one.segment for one in found.groups if one.digest} == {None, "a", "b"}
    assert len({one.key for one in found.groups}) == len(found.groups)
    assert found.group(few.key) == few
    kept = await measure_and_keep(database, it)
    assert await figures_of(database, tenant, it.workflow, it.point) == kept


async def test_what_a_cascade_saves_is_measured_of_the_versions_that_answer_now(
    database_url: str, database: Database, tenant: UUID
) -> None:
    it, now = place(tenant, components={DIGEST.hex(): "onnx:small@1", LARGE.hex(): "llm:large@1"}), datetime.now(UTC)
    alone = {"digest": DIGEST.hex(), "became": "answered", "confidence": 0.99}
    other = {"digest": LARGE.hex(), "became": "compared", "confidence": 0.99, "alike": True, "propensity": "1/4",
             "cost": "0.02"}  # fmt: skip
    took = [msgspec.json.encode([alone, *([other] if at % 4 == 0 else [])]) for at in range(401)]
    put(database_url, it, [
        msgspec.structs.replace(one, attempts=how) for one, how in zip(known_truth(now, 401), took, strict=True)
    ])  # fmt: skip
    kept = await measure_and_keep(database, it)
    assert kept.spared is not None
    assert (kept.spared.decisions, kept.spared.compared, kept.spared.spared) == (400, 100, 1.0)
    assert kept.spared.saved.low < 0.02 < kept.spared.saved.high
    assert await figures_of(database, tenant, it.workflow, it.point) == kept
    page = page_of(it.terms, (), (), None, None, figures=kept)
    assert dict(page.spared)["saved"].startswith("+0.020000 USD a decision")
    one = msgspec.structs.replace(it, components={DIGEST.hex(): "onnx:small@1"})
    assert (await measure(database, one)).spared is None


async def test_one_measures_at_a_time_and_what_is_newer_stays(
    database_url: str, database: Database, admin: Admin, tenant: UUID, monkeypatch: Any
) -> None:
    it, measured = place(tenant), list[str]()
    put(database_url, it, known_truth(datetime.now(UTC), 50))

    async def counted(of: Database, one: Place) -> object:
        measured.append(one.name)
        return await measure_and_keep(of, one)

    monkeypatch.setattr(measuring, "measure_and_keep", counted)

    def places(whose: UUID) -> list[Place]:
        return [it] if whose == tenant else []

    await asyncio.gather(*(measure_due(database, places) for _ in range(3)))
    await measure_due(database, places)
    assert measured == [it.name]
    first = await figures_of(database, tenant, it.workflow, it.point)
    assert first is not None
    assert first.groups[0].too_few
    assert await figures_of(database, await database.ensure_tenant("other"), it.workflow, it.point) is None
    admin.execute("update autonomy_figures set due_at = now() - interval '1 s'")  # whoever took it is gone
    await measure_due(database, places)
    again = await figures_of(database, tenant, it.workflow, it.point)
    assert again is not None
    assert again.measured_at > first.measured_at
    admin.execute("update autonomy_figures set measured_at = measured_at + interval '1 h'")
    await measure_and_keep(database, it)
    kept = await figures_of(database, tenant, it.workflow, it.point)
    assert kept is not None
    assert kept.measured_at == again.measured_at, (
        "a slower process does not put older figures in the place of newer ones"
    )
    admin.execute("update autonomy_figures set content = '{}'")  # of another version of the code
    assert await figures_of(database, tenant, it.workflow, it.point) is None
