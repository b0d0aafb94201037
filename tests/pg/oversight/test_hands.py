"""Through whose hands something went: who wrote it anew decides it as little as who sent it, by no way round."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.pg.stage import Stage, declared, stage

from interlock.authority.actor import Actor, ActorKind
from interlock.cases.case import Case
from interlock.cases.quarantine import quarantine_question
from interlock.cases.release import Release
from interlock.cases.resolve import Way, resolve_exception
from interlock.cases.store import CaseState
from interlock.cases.submit import submit
from interlock.cases.verdicts import decide_review
from interlock.errors import Forbidden, Refused, Violation
from interlock.money import Money
from interlock.oversight.resolving import Answer
from interlock.oversight.review import Resolution
from interlock.oversight.store import LIST_EXCEPTIONS

POINT = """\
    review: ["exposure >= 10 EUR"]
    four_eyes: 1000 EUR
"""
APPROVED = {"approved": True, "reason": "within_policy"}
GOOD = {"customer": "Ana", "amount": "900.00", "days_since_purchase": 3}
WRONG = (Violation(where="", what="it came to no end", rule="delivery"),)
YES = Answer(resolution=Resolution.APPROVE, reason_code="as_proposed")


def look_up(customer: str) -> str:
    if customer != "Ana":
        raise OSError(customer)
    return customer


async def flow(case: Case) -> str:
    await case.step("look_up", partial(look_up, case.input["customer"]))
    decided = await case.decide("approve", case.input, exposure=Money(case.input["amount"], "EUR"))
    return "approved" if decided.output.get("approved") else "no"


async def alone(case: Case) -> str:
    decided = await case.decide("approve", {"customer": "Ana"}, exposure=Money(case.input["amount"], "EUR"))
    return "approved" if decided.output.get("approved") else "no"


def person(on: Stage, name: str, *roles: str) -> Actor:
    return Actor(kind=ActorKind.PERSON, name=name, tenant=on.node.tenant, roles=roles or ("lead", "engineer"))


async def say(on: Stage, case_id: UUID, by: Actor, way: Way, value: Any) -> None:
    node = on.node
    async with node.database.tenant(node.tenant) as connection:
        found = await LIST_EXCEPTIONS.all(connection, {"most": 9})
    (one,) = [one for one in found if one.case_id == case_id]
    await resolve_exception(
        node.database, node.writer, node.tenant, one.id, way, who=by.name, why="so", value=value,
        registry=node.registry, ask=partial(node.authority.require, by, "exception.resolve"),
    )  # fmt: skip


async def begin(on: Stage, key: str, workflow: str = "flow", **changed: object) -> UUID:
    registered = on.node.registry.named(workflow)
    data = json.dumps({**GOOD, **changed}).encode()
    taken = await submit(
        on.node.writer, on.node.tenant, registered, key=key, data=data, caller="shop", levels=on.node.levels
    )
    return taken.case_id


async def test_nobody_decides_what_they_wrote_and_no_answer_is_a_way_round(database_url: str, tmp_path: Path) -> None:
    flows = [declared(flow, tmp_path, point=POINT), declared(alone, tmp_path, point=POINT)]
    async with stage(database_url, flows) as on:
        node, ana = on.node, person(on, "ana")
        corrected = await begin(on, "corrected", customer="Bo")
        given = await begin(on, "given", customer="Cy")
        mended = await begin(on, "mended", amount="abc")
        for case_id in (corrected, given):
            await on.until(case_id, CaseState.EXCEPTION)
        await say(on, corrected, ana, Way.CORRECT, GOOD)
        await say(on, given, ana, Way.ANSWER, "Cy")
        await on.until(mended, CaseState.QUARANTINED)
        for point in ("approve", ""):  # a question without a case; a message that was to be one
            await quarantine_question(
                node.writer, node.tenant, workflow="flow", point=point, contract="refund-request@1", key=f"q{point}",
                data=b"{}", violations=WRONG, exposure=Money("900.00", "EUR"), caller="shop",
            )  # fmt: skip
        letting = Release(node.tools.decider, node.writer, node.registry, node.tenant, "cli:Ana")
        with psycopg.connect(database_url) as admin:
            held = admin.execute("select id from interlock.quarantine").fetchall()
        for (one,) in held:
            await letting.mended(await letting.find(one), GOOD)
        await on.wait_for_reviews(5)
        for review in await on.reviews():
            with pytest.raises(Forbidden, match="nobody-decides-what-they-wrote"):
                await decide_review(node.desk, node.registry, ana, review.id, YES, shown="x")

        # An answer in the place of a decision is one: of two people, if the file says so, and not of engineers.
        stuck = await begin(on, "stuck", "alone", amount="5000.00")
        await on.until(stuck, CaseState.EXCEPTION)
        with pytest.raises(Forbidden, match="who-answers-a-decision-decides-it"):
            await say(on, stuck, person(on, "eve", "engineer"), Way.ANSWER, APPROVED)
        with pytest.raises(Refused, match="two people decide approve from 1000"):
            await say(on, stuck, person(on, "rosa", "reviewer"), Way.ANSWER, APPROVED)
        assert (await on.until(stuck, CaseState.EXCEPTION)).state is CaseState.EXCEPTION
