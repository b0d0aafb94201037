"""How long a reviewer looked is in the ledger: since the claim, since the first reading, or said to be unknown."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.acting import acts
from tests.pg.stage import Stage, declared, stage
from tests.pg.undoing import cancel

from interlock.cases.case import Case
from interlock.cases.store import CaseState
from interlock.oversight.claims import claim, release
from interlock.oversight.dwell import Readings
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution, Review

APPROVE = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed", note="looks right")


async def ask(case: Case) -> str:
    """Ask a person."""
    await case.review("sure", {}, why="is it?", proposal={"yes": True})
    return "asked"


@pytest.fixture
async def on(database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(database_url, [declared(ask, tmp_path)]) as on:
        yield on


async def a_review(on: Stage, key: str) -> tuple[UUID, Review]:
    case_id = await on.submit(key=key)
    await on.until(case_id, CaseState.WAITING)
    return case_id, next(review for review in await on.reviews() if review.case_id == case_id)


async def told(on: Stage, case_id: UUID, kind: str) -> dict[str, Any]:
    (entry,) = [one for one in (await on.record(case_id)).entries if one.kind == kind]
    return json.loads(entry.body)


async def answer(on: Stage, review: Review, **known: Any) -> None:
    node = on.node
    await resolve(
        node.desk, acts(node.tenant, "rosa"), review.id, APPROVE, Terms(check=lambda _name, _value: (), **known)
    )


async def test_a_resolution_says_how_long_it_was_looked_at(on: Stage) -> None:
    node = on.node
    claimed, review = await a_review(on, "claimed")
    first = await claim(node.desk, acts(node.tenant, "rosa"), review.id)
    again = await claim(node.desk, acts(node.tenant, "rosa"), review.id)
    assert first.claimed_at == again.claimed_at  # renewing is no new look
    await answer(on, review)
    said = await told(on, claimed, "review.resolved")
    assert first.claimed_at is not None
    assert datetime.fromisoformat(said["looked_since"]) == first.claimed_at
    assert (said["dwell_of"], 0 <= said["dwell_ms"] < 60_000) == ("claim", True)
    # a note is free text, which may name a person: neither it nor a hash of it is sealed
    assert not {"note", "note_hash"} & said.keys()

    read, review = await a_review(on, "read")
    await answer(on, review, read_at=node.database.clock.now() - timedelta(seconds=7))
    said = await told(on, read, "review.resolved")
    assert (said["dwell_of"], said["dwell_ms"] >= 7_000) == ("reading", True)

    unread, review = await a_review(on, "unread")
    await claim(node.desk, acts(node.tenant, "rosa"), review.id)
    await release(node.desk, acts(node.tenant, "rosa"), review.id)
    await answer(on, review)
    said = await told(on, unread, "review.resolved")
    assert (said["dwell_of"], said["dwell_ms"], said["looked_since"]) == ("unknown", None, None)


async def test_a_question_that_nobody_needs_any_more_is_told_of(on: Stage) -> None:
    case_id, review = await a_review(on, "k")
    await cancel(on, case_id)
    await on.until(case_id, CaseState.CANCELLED)
    (entry,) = [one for one in (await on.record(case_id)).entries if one.kind == "review.withdrawn"]
    assert entry.subject == review.id
    assert json.loads(entry.body)["why"].startswith("the case was cancelled: ")


def test_a_process_remembers_the_first_readings_and_not_more_than_it_should() -> None:
    readings, now = Readings(most=2), datetime(2026, 1, 1, tzinfo=UTC)
    one, two, three = (UUID(int=number) for number in (1, 2, 3))
    readings.note(one, "rosa", now)
    readings.note(one, "rosa", now + timedelta(hours=1))
    assert readings.first(one, "rosa") == now
    assert readings.first(one, "sam") is None
    readings.note(two, "rosa", now)
    readings.note(three, "rosa", now)
    assert [readings.first(each, "rosa") for each in (one, two, three)] == [None, now, now]
