"""A refund from its submission to its payment: rules, a person, an action, and the story that is told of it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import REFUNDS, payments, stage

from interlock.cases.explain import as_text, explain
from interlock.cases.registry import Registered, register
from interlock.cases.store import CaseState
from interlock.cases.workflow import Workflow
from interlock.oversight.queue import Answer
from interlock.oversight.review import Resolution
from interlock.sim import FaultPlan, SimulatedProvider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@pytest.fixture(scope="module")
def refunds() -> Registered:
    """The example, imported by path."""
    spec = importlib.util.spec_from_file_location("refunds_example", REFUNDS / "refunds.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    flow: Any = module.refunds
    assert isinstance(flow, Workflow)
    return register(flow)


async def test_a_small_refund_is_paid_by_itself_and_a_late_one_refused(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan())
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        paid = await on.submit(key="small-1")
        late = await on.submit(key="late-1", days_since_purchase=31)
        assert (await on.until(paid)).conclusion == "refunded"
        assert (await on.until(late)).conclusion == "refused"
        record = await on.record(paid)
        late_record = await on.record(late)
    assert [(e.amount, e.currency, e.to) for e in provider.book() if e.key.endswith("/refunds/pay/small-1")] == [
        ("20.00", "EUR", "Ana")
    ]
    assert not [e for e in provider.book() if "late-1" in e.key]
    assert not late_record.actions
    assert str(record.case.exposure) == "20.00 EUR"


async def test_the_story_names_versions_confidence_rule_person_times_and_amounts(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan())
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="large-1", amount="250.00")
        waiting = await on.until(case_id, CaseState.WAITING)
        assert "exposure >= 100 EUR holds" in (waiting.waiting_for or "")
        (review,) = await on.reviews()
        assert review.asked.proposal == {"approved": True, "reason": "within_policy"}
        answer = Answer(resolution=Resolution.APPROVE, reason_code="known_customer", note="called her")
        resolved = await on.resolve(review, answer)
        assert (await on.until(case_id)).conclusion == "refunded"
        record = await on.record(case_id)
        text = as_text(explain(record))
    decision, action = record.decisions[0], record.actions[0]
    for said in (
        "Workflow refunds 1.0.0, key 'large-1'",
        record.case.code.hex,
        "contract refund-request@1.0.0",
        "confidence 1.0000, 1 was needed: sure enough",
        (decision.component_digest or b"").hex()[:16],
        "Rule that fired: table refund, row 3 - All others.",
        "At stake: 250.00 EUR.",
        "Route: review, because exposure >= 100 EUR holds.",
        decision.declaration.hex(),
        "rosa decided approve (known_customer - called her) at",
        f"{resolved.resolved_at:%Y-%m-%d %H:%M:%S}",
        "250.00 EUR through the connector payments, domain payments.refund, key '",
        "/refunds/pay/large-1'",
        f"It rests on the decision {decision.id}.",
        "Attempt 1 at",
        "State: done at",
        "The case is done: refunded.",
    ):
        assert said in text, f"{said!r} is not in\n{text}"
    assert action.decision_id == decision.id
    kinds = [entry.kind for entry in record.entries]
    assert kinds[0] == "case.received"
    assert [kind for kind in kinds if kind.startswith(("decision", "review", "action"))] == [
        "decision.taken", "review.opened", "review.resolved", "action.intended", "action.dispatched", "action.done",
    ]  # fmt: skip


async def test_a_person_may_say_no_or_something_else(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan())
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        rejected = await on.submit(key="large-2", amount="250.00")
        changed = await on.submit(key="large-3", amount="260.00")
        reviews = {review.case_id: review for review in await on.wait_for_reviews(2)}
        await on.resolve(reviews[rejected], Answer(resolution=Resolution.REJECT, reason_code="fraud"))
        other = {"approved": False, "reason": "goodwill_used_up"}
        await on.resolve(reviews[changed], Answer(resolution=Resolution.CHANGE, reason_code="goodwill", output=other))
        assert (await on.until(rejected)).conclusion == "rejected"
        assert (await on.until(changed)).conclusion == "refused"
    assert not [e for e in provider.book() if "large-2" in e.key or "large-3" in e.key]


async def test_decision_entry_and_review_are_one_commit(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [refunds], connectors=[payments(provider.url)]) as on:
        case_id = await on.submit(key="large-4", amount="250.00")
        await on.until(case_id, CaseState.WAITING)
    import psycopg

    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        rows = admin.execute(
            "select 'decision', xmin::text from decision union all select 'review', xmin::text from review "
            "union all select 'journal', xmin::text from journal union all select kind, xmin::text from ledger_entry "
            "where kind in ('decision.taken', 'review.opened')"
        ).fetchall()
    assert sorted(name for name, _ in rows) == ["decision", "decision.taken", "journal", "review", "review.opened"]
    assert len({xid for _, xid in rows}) == 1


async def test_a_hundred_cases_by_two_workers_are_paid_once_each(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    provider.set_faults(FaultPlan())
    async with stage(database_url, [refunds], connectors=[payments(provider.url)], workers=2) as on:
        ids = await asyncio.gather(*(on.submit(key=f"bulk-{n}") for n in range(100)))
        for case_id in ids:
            assert (await on.until(case_id)).conclusion == "refunded"
    keys = [e.key for e in provider.book() if "bulk-" in e.key]
    assert len(keys) == len(set(keys)) == 100


async def test_the_stored_input_is_the_canonical_form_of_what_came(
    database_url: str, refunds: Registered, provider: SimulatedProvider
) -> None:
    async with stage(database_url, [refunds], workers=0) as on:
        case_id = await on.submit(key="form", amount="20.00")
        stored = (await on.record(case_id)).case.input
    assert msgspec.json.decode(stored) == {"customer": "Ana", "amount": "20.00", "days_since_purchase": 3}
    assert stored == json.dumps(msgspec.json.decode(stored), sort_keys=True, separators=(",", ":")).encode()
