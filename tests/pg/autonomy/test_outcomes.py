"""Outcomes on record: joined to decisions, once, corrected, contradictory, settled, late, missing; by two at once."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.deciding import terms as stated_terms
from tests.pg.decisions.test_cascades import Model, approve, cascade, decided
from tests.pg.stage import Stage, declared, stage

from interlock.autonomy.outcome import By, Standing, known_of
from interlock.autonomy.outcomes.line import OutcomeLine, OutcomePoint, read_line
from interlock.autonomy.outcomes.plan import Became, Result
from interlock.autonomy.outcomes.read import (
    due_without_outcome,
    outcomes_of,
    settle_outcome,
    to_settle,
    voices_settled,
)
from interlock.autonomy.outcomes.record import plan_outcomes, record_outcomes, write_plan
from interlock.autonomy.outcomes.store import SAID_OF
from interlock.autonomy.terms import OutcomeTerms, Source
from interlock.cases.case import Case
from interlock.cases.outcome_points import outcome_points
from interlock.decisions.decision import Decision, Route
from interlock.errors import Refused, StateConflict
from interlock.money import Money
from interlock.oversight.quality.store import CHECKED_OUTCOMES
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution

AUTONOMY = """\
    exposure: input.amount EUR
    autonomy:
      review_cost: 3.20 EUR
      budget: 0.40 EUR
      cap: 1000 EUR
      wrong: {share: 1, plus: 5 EUR}
      outcome: {after: 1ms, from: every, fields: [approved]}
"""


async def said(on: Stage, *lines: dict[str, Any], tenant: UUID | None = None) -> list[Result]:
    """Say outcomes, as the feed ``ledger`` where it says nothing else."""
    node = on.node
    read: list[OutcomeLine | Refused] = []
    for one in lines:
        try:
            read.append(read_line({"source": "ledger", **one}))
        except Refused as cause:
            read.append(cause)
    whose = tenant or node.tenant
    points = outcome_points(node.registry, whose)
    return await record_outcomes(node.database, node.writer, whose, read, points, who="feed")


def became(results: list[Result]) -> list[Became]:
    return [one.became for one in results]


def why(result: Result) -> str:
    assert result.refused is not None
    return str(result.refused)


def rows(url: str, what: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        return admin.execute(what.encode()).fetchall()  # bytes: the driver takes what is no literal only so


async def refund(case: Case) -> str:
    """Decide, and end."""
    return (await case.decide("approve", case.input, exposure=Money("20.00", "EUR"))).by


async def test_outcomes_are_joined_once_corrected_settled_and_missed(  # noqa: PLR0915 - one site, in the order of a life
    database_url: str, tmp_path: Path
) -> None:
    flow = declared(refund, tmp_path)
    asking = declared(approve, tmp_path, point=AUTONOMY)
    async with stage(database_url, [flow, asking]) as on:
        node, now = on.node, datetime.now(UTC)
        point = cascade(asking, Model("m"), autonomy=None, exposure=None)
        terms = asking.declaration.decisions["approve"].autonomy
        assert terms is not None
        one, two, three = [await decided(on, asking, point, key) for key in ("one", "two", "three")]
        # three ways to name a decision; the same word again is known, whoever says it and however it names it
        case = await on.submit("refund", key="c1")
        await on.until(case)
        yes, no = {"right": True}, {"right": False}
        by_id, by_key = {"decision": str(one.id)}, {"point": "approve.approve", "asked": "two"}
        by_case = {"point": "refund.approve", "case": "c1"}
        await said(on, {**by_id, **yes, "key": "a"})
        results = await said(
            on, {**by_id, **yes, "key": "a"}, {**by_key, **no, "loss": "12.5 EUR", "label": "charged off"},
            {**by_case, "truth": {"approved": False}}, {"point": "approve.approve", "asked": "none", **yes},
            {"point": "refund.approve", "case": "two", **yes}, {**by_id, "right": 1},
        )  # fmt: skip
        assert became(results) == ["known", "recorded", "recorded", "unknown", "unknown", "refused"]
        assert results[1].decision == two.id
        assert results[2].is_right is False
        assert "no such decision: approve.approve under the key none" in why(results[3])
        (counts, _, _) = await outcomes_of(node.database, node.tenant, two.id)
        assert counts is not None
        assert (counts.is_right, str(counts.loss), counts.words) == (False, "12.50 EUR", 1)
        # what cannot be
        told = await said(
            on,
            {**by_id, **no, "key": "a"},
            {**by_id, **no, "loss": "5.00 USD", "key": "b"},
            {**by_id, **yes, "loss": "5.00 EUR", "key": "c"},
            {**by_id, **yes, "became_at": (now + timedelta(days=1)).isoformat(), "key": "d"},
            {**by_id, **yes, "became_at": "2020-01-01T00:00:00Z", "key": "e"},
            {**by_id, **yes, "truth": {"approved": False}, "key": "f"},
            {**by_id, **yes, "replaces": "nothing", "key": "g"},
        )
        assert [why(one).partition("\n")[0].partition(": ")[2] for one in told] == [
            'ledger said something else under the key "a"',
            "5.00 USD is in another currency than approve.approve, which is in EUR",
            "the proposal was right, and 5.00 EUR were lost by it",
            f"{(now + timedelta(days=1)).isoformat()} is to come",
            f"2020-01-01T00:00:00+00:00 is before its decision of {one.decided_at.isoformat()}",
            "it says right: true, and its truth says false",
            'ledger said nothing of this decision under the key "nothing"',
        ]
        # a later word corrects, the older stays; another source contradicts: the worse counts until a person settles it
        assert became(await said(on, {**by_id, **no, "key": "late"})) == ["corrected"]
        results = await said(on, {**by_id, **yes, "source": "bank"}, {**by_id, **yes, "source": "bank", "key": "x"})
        assert [one.contradictory for one in results] == [True, True]
        (waiting,) = await to_settle(node.database, node.tenant)
        assert (waiting.decision, waiting.is_right, waiting.standing) == (one.id, False, Standing.CONTRADICTORY)
        points = outcome_points(node.registry, node.tenant)

        async def settle(shown: str, *, because: str = "the bank is right") -> UUID:
            return await settle_outcome(
                node.database, node.writer, node.tenant, one.id, points, right=True, loss=None, who="olga",
                why=because, shown=shown,
            )  # fmt: skip

        seen = (await outcomes_of(node.database, node.tenant, one.id)).shown
        with pytest.raises(Refused, match="a reason is needed"):
            await settle(seen, because=" ")
        # what nobody saw is settled by nobody
        await said(on, {**by_id, **no, "source": "fraud", "loss": "900.00 EUR"})
        with pytest.raises(StateConflict, match="since it was shown: nothing was settled"):
            await settle(seen)
        seen = (await outcomes_of(node.database, node.tenant, one.id)).shown
        settled = await settle(seen)
        with pytest.raises(StateConflict, match="nothing contradicts"):
            await settle(seen)
        against = await voices_settled(node.database, node.tenant)
        assert [(it.source, it.said_by, it.settled, it.against, it.is_doubtful) for it in against] == [
            ("fraud", "feed", 1, 1, True), ("ledger", "feed", 1, 1, True),
        ]  # fmt: skip
        assert not msgspec.structs.replace(against[0], settled=5).is_doubtful
        counts, words, voices = await outcomes_of(node.database, node.tenant, one.id)
        assert counts is not None
        assert (counts.outcome, counts.is_right, voices) == (settled, True, {settled})
        assert [(word.source, word.turn, word.replaces) for word in words] == [
            ("ledger", 1, None), ("ledger", 2, words[0].id), ("bank", 3, None), ("bank", 4, words[2].id),
            ("fraud", 5, None), ("settled", 6, None),
        ]  # fmt: skip
        # a person alone; another tenant; what is missing
        alone = await decided(on, asking, msgspec.structs.replace(point, steps=point.steps[1:]), "alone")
        (result,) = await said(on, {"decision": str(alone.id), **yes})
        assert "nothing was proposed" in why(result)
        other = await node.database.ensure_tenant("other")
        assert became(await said(on, {**by_id, **yes}, {**by_key, **yes}, tenant=other)) == ["unknown", "unknown"]
        due = await due_without_outcome(
            node.database, node.tenant, "approve", "approve", terms, now=datetime.now(UTC) + timedelta(seconds=1)
        )
        assert [missing.decision for missing in due.missing] == [three.id]
        assert (due.tally.due, due.tally.recorded, due.tally.missing, due.tally.wrong) == (3, 2, 1, 1)
    entries = dict(rows(database_url, "select kind, count(*) from ledger_entry where kind like 'outcome.%' group by 1"))
    assert entries == {"outcome.recorded": 5, "outcome.corrected": 2, "outcome.settled": 1}
    assert rows(database_url, "select count(*) from outcome o join ledger_entry e on e.id = o.id") == [(8,)]


async def test_what_reviews_say_counts_where_no_outcome_is_recorded(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        node = on.node
        point = cascade(flow, Model("m", 0.5))
        asked: dict[str, Decision] = {}
        for key in ("approved", "changed", "refused", "outcome", "open"):
            decision = await decided(on, flow, point, key)
            assert decision.route is Route.REVIEW
            asked[key] = decision
            answers = {
                "changed": (Resolution.CHANGE, {"approved": False, "reason": "too_late"}),
                "refused": (Resolution.REJECT, None),
            }
            resolution, output = answers.get(key, (Resolution.APPROVE, None))
            (review,) = [one for one in await on.reviews() if one.id == decision.review]
            if key != "open":
                await on.resolve(review, Answer(resolution=resolution, reason_code="doubtful", output=output))
        await said(on, {"decision": str(asked["outcome"].id), "right": False})
        ids = {decision.id: key for key, decision in asked.items()}
        output = flow.library.contract("refund-decision@1")
        async with node.database.tenant(node.tenant) as connection:
            rows = await SAID_OF.all(connection, {"ids": sorted(ids), "least": min(ids), "greatest": max(ids)})
        found = {one.decision: known_of(one, one.proposal, (), output.record) for one in rows}
        known = {decision: it for decision, it in found.items() if it is not None}
        assert {ids[one]: (it.is_right, it.by) for one, it in known.items()} == {
            "approved": (True, By.REVIEW), "changed": (False, By.REVIEW), "refused": (False, By.REVIEW),
            "outcome": (False, By.OUTCOME),
        }  # fmt: skip
        assert known[asked["changed"].id].truth == b'{"approved":false,"reason":"too_late"}'
        # where the outcome of each is to become known an approval is none, as for a certificate: it is missing
        for source, reviewed, missing in ((Source.EVERY, 2, {"approved", "open"}), (Source.AUDIT, 3, {"open"})):
            stated = stated_terms(outcome=OutcomeTerms(after=timedelta(milliseconds=1), source=source))
            due = await due_without_outcome(
                node.database, node.tenant, "approve", "approve", stated, now=datetime.now(UTC) + timedelta(seconds=1)
            )
            assert (due.tally.due, due.tally.recorded, due.tally.reviewed) == (5, 1, reviewed)
            assert due.tally.missing == len(missing)
            assert {ids[one.decision] for one in due.missing} == missing
        # reviewers are held against it: an approval of what was wrong, and a refusal of what was right, were wrong
        for key, right in (("approved", True), ("changed", False), ("refused", True)):
            await said(on, {"decision": str(asked[key].id), "right": right})
        since = {"since": datetime.now(UTC) - timedelta(days=1), "who": None, "most": 100}
        async with node.database.tenant(node.tenant) as connection:
            checked = await CHECKED_OUTCOMES.all(connection, since)
        assert sorted((one.who, one.right) for one in checked) == [("rosa", False), ("rosa", False), ("rosa", True)]


async def test_two_that_say_at_once_are_one_after_the_other(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on, stage(database_url, [flow], workers=0) as beside:
        decision = await decided(on, flow, cascade(flow, Model("m")))
        named = {"decision": str(decision.id)}
        same = [said(where, {**named, "right": True, "key": "same"}) for where in (on, beside, on, beside)]
        assert sorted(one[0].became for one in await asyncio.gather(*same)) == ["known"] * 3 + ["recorded"]
        sources = [
            said(where, {**named, "right": n % 3 > 0, "source": f"s{n}"}) for n, where in enumerate([on, beside] * 4)
        ]
        assert {one[0].became for one in await asyncio.gather(*sources)} == {Became.RECORDED}
        counts, words, _ = await outcomes_of(on.node.database, on.node.tenant, decision.id)
        assert counts is not None
        assert (counts.words, counts.is_right, counts.standing) == (9, False, Standing.CONTRADICTORY)
        assert [word.turn for word in words] == list(range(1, 10))
        # in a commit of somebody else's own, planned before a third writes
        node = on.node
        points = outcome_points(node.registry, node.tenant)
        line = read_line({**named, "right": True, "source": "audit", "key": "1"}, ours=True)
        plan = await plan_outcomes(node.database, node.tenant, [line], points, who="audit")
        await said(beside, {**named, "right": True, "source": "third"})
        refusal = await write_plan(node.writer, node.tenant, plan)
        assert refusal is not None
        assert refusal.code == "key-held"


async def test_points_that_read_personal_data_keep_no_plain_values(database_url: str, tmp_path: Path) -> None:
    flow = declared(approve, tmp_path)
    async with stage(database_url, [flow], workers=0) as on:
        decision = await decided(on, flow, cascade(flow, Model("m"), review=()))
        node = on.node
        guarded = OutcomePoint(output=flow.library.contract("refund-decision@1"), purpose="refunds")
        lines = [
            read_line({"source": "s", "decision": str(decision.id), "right": True, **more})
            for more in (
                {"label": "Ana Silva did not pay"},
                {"truth": {"reason": "{personal:v1:" + "A" * 22 + ":" + "B" * 80 + "}"}},
                {"label": "charged_off"},
            )
        ]  # fmt: skip
        results = await record_outcomes(
            node.database, node.writer, node.tenant, lines, lambda _workflow, _point: guarded, who="feed"
        )
        assert "its labels are codes" in why(results[0])
        assert "tokens of personal data" in why(results[1])
        assert results[2].became is Became.RECORDED
    ((body,),) = rows(
        database_url, "select convert_from(body, 'UTF8') from ledger_entry where kind = 'outcome.recorded'"
    )
    assert "charged_off" not in body
    assert "label_hash" in body
