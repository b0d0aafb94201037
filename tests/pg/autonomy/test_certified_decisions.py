"""What a point that declares its autonomy lets go by itself: what its certificate allows at the very commit."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.certifying import AUTONOMY, STEPS, Office, Withdrawing, certificate, certified, half
from tests.pg.decisions.test_cascades import RULES, Model, approve, cascade, decided, question
from tests.pg.replay.scene import replayed
from tests.pg.stage import Stage, declared, stage

from interlock.autonomy.certificate import Step
from interlock.autonomy.standing import Certifying, most_said, share_said
from interlock.autonomy.store import AutonomyState
from interlock.autonomy.words import certifying_said
from interlock.cases.case import Case
from interlock.cases.explanation.auditor import for_auditor
from interlock.cases.explanation.material import Reader
from interlock.cases.explanation.reading import read_material
from interlock.cases.registry import Registered
from interlock.cases.store import CaseState
from interlock.cli.doctor.certified import look_at
from interlock.cli.doctor.check import Level
from interlock.decisions.certified import money_at_stake
from interlock.decisions.condition import compile_condition
from interlock.decisions.data_terms import DataTerms
from interlock.decisions.decision import Decision, Route
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.many import ManyDecider
from interlock.decisions.point import ComponentChoice, DecisionPoint, ExposureSource, QueueTerms, Share
from interlock.decisions.readable import recorded_evidence
from interlock.decisions.store import canonical
from interlock.decisions.sureness import Sureness
from interlock.money import Money
from interlock.replay.result import Status

FREE: dict[str, Any] = {"sure_from": 0.0, "says_sure": False}
"""As a file without sure_from is read."""


def declaring(tmp_path: Path, body: Any = approve, more: str = "") -> Registered:
    return declared(body, tmp_path, point=AUTONOMY + more)


def digest_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def told(decision: Decision) -> tuple[Route, str, str]:
    reason = decision.why[0]
    return decision.route, reason.code, reason.what


def recorded(decision: Decision) -> dict[str, Any]:
    return msgspec.json.decode(decision.evidence)["autonomy"]


async def test_only_what_is_certified_goes_by_itself_and_every_other_is_told_why(
    database_url: str, tmp_path: Path
) -> None:
    flow = declaring(tmp_path)
    model = Model("m", 0.95)
    point = cascade(flow, model, **FREE)
    terms = point.autonomy
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        office = Office(on.node)
        made = certificate(on.node.tenant, point, [certified(digest_of("m"))])

        async def ask(key: str, exposure: str = "20.00 EUR", **of: Any) -> tuple[Route, str, str]:
            return told(await decided(on, flow, of.get("point", point), key, exposure=exposure))

        assert await ask("none") == (
            Route.REVIEW, "no_certificate",
            "onnx:m@1 is 0.950 sure: no certificate: none was issued for this point",
        )  # fmt: skip
        issued = await office.issue(made)
        decision = await decided(on, flow, point, "certified")
        until = f"{made.valid_until:%Y-%m-%d}"
        assert told(decision) == (
            Route.AUTOMATIC, "sure_enough",
            ("every condition for going by itself holds: expected loss 0.26 EUR of being wrong (1.00 %) on 20.00 EUR; "
            f"2.75 EUR is certified until {until} (certificate {issued})"),
        )  # fmt: skip
        assert recorded(decision) == {
            "certificate": str(issued), "turn": 1, "threshold": "275", "segment": "", "wrong": 0.01,
            "loss": "25.00 EUR", "expected_loss": "0.26 EUR",
        }  # fmt: skip
        assert decision.confidence_needed == 0.9
        assert named_by_entry(database_url, decision) == str(issued)
        assert await ask("much", "300.00 EUR") == (
            Route.REVIEW, "expected_loss",
            ("onnx:m@1 is 0.950 sure: expected loss 3.06 EUR of being wrong (1.00 %) on 300.00 EUR; "
            f"2.75 EUR is certified until {until} (certificate {issued})"),
        )  # fmt: skip
        assert await ask("cap", "1000.01 EUR") == (
            Route.REVIEW, "above_cap",
            ("onnx:m@1 is 0.950 sure: 1000.01 EUR is at stake, above the certified cap of 1000.00 EUR "
            f"(certificate {issued})"),
        )  # fmt: skip
        model.digest = hashlib.sha256(b"another version").digest()
        route, code, what = await ask("version")
        model.digest = hashlib.sha256(b"m").digest()
        assert (route, code, "this version of onnx:m@1 is not" in what) == (Route.REVIEW, "not_certified", True)
        assert (await ask("currency", "20.00 USD"))[:2] == (Route.REVIEW, "exposure_unknown")
        assert (await ask("below", "-20.00 EUR"))[:2] == (Route.REVIEW, "below_zero")
        assert str((await decided(on, flow, point, "less", exposure="1.00 EUR")).exposure) == "20.00 EUR"
        unknown = msgspec.structs.replace(question(on, flow, point, "unknown"), exposure=None, value={
            **question(on, flow, point, "x").value, "amount": "20.00"})  # fmt: skip
        nowhere = msgspec.structs.replace(point, exposure=None)
        found = await on.node.tools.decider.decide(msgspec.structs.replace(unknown, point=nowhere))
        assert isinstance(found, Decision)
        assert told(found)[:2] == (Route.REVIEW, "no_certificate"), "the file said where it stands"
        stricter = msgspec.structs.replace(point, sure_from=0.96, says_sure=True)
        assert await ask("declared", point=stricter) == (
            Route.REVIEW, "unsure", "onnx:m@1 is 0.950 sure; with 20.00 EUR at stake 0.96 is needed",
        )  # fmt: skip
        restated = msgspec.structs.replace(point, autonomy=msgspec.structs.replace(terms, risk=terms.risk / 2))
        assert "the terms of the point are not those" in (await ask("terms", point=restated))[2]
        unsure = Model("m", 0.4)
        assert "nothing is certified of answers of onnx:m@1 that are only 0.400 sure" in (
            await ask("unsure", point=cascade(flow, unsure, **FREE))
        )[2]  # fmt: skip
        cascade(flow, model, **FREE)

        assert (await ask("before", "200.00 EUR"))[0] is Route.AUTOMATIC
        await office.change(made, AutonomyState.NARROWED, threshold=half(made.threshold))
        assert (await ask("narrowed", "200.00 EUR"))[:2] == (Route.REVIEW, "expected_loss")
        assert (await ask("narrow", "20.00 EUR"))[0] is Route.AUTOMATIC
        await office.change(made, AutonomyState.CERTIFIED, threshold="100000")
        assert (await ask("loosened", "300.00 EUR"))[:2] == (Route.REVIEW, "expected_loss")
        await office.change(made, AutonomyState.CERTIFIED, valid_until=datetime.now(UTC) - timedelta(seconds=1))
        assert "no certificate: the last one counted until" in (await ask("expired"))[2]
        await office.change(made, AutonomyState.WITHDRAWN)
        assert "no certificate: the last one was withdrawn" in (await ask("withdrawn"))[2]
        await office.issue(certificate(on.node.tenant, point, [certified(digest_of("m"))], point="another"))
        assert "withdrawn" in (await ask("of another point"))[2]


def test_what_a_caller_states_never_lowers_what_is_at_stake_where_autonomy_is_declared(tmp_path: Path) -> None:
    point = declaring(tmp_path).declaration.decisions["approve"]
    found = Money.parse("20.00 EUR")
    more, other, below = (Money.parse(one) for one in ("20.01 EUR", "1.00 USD", "-1.00 EUR"))
    assert money_at_stake(point, None, found) == found == money_at_stake(point, Money.parse("19.99 EUR"), found)
    assert [money_at_stake(point, one, found) for one in (more, other, below)] == [more, other, below]
    assert money_at_stake(point, more, None) is None, "where the file says that it stands, it does not"
    assert money_at_stake(point, more, below) == below
    assert money_at_stake(msgspec.structs.replace(point, autonomy=None), below, found) == below


def test_the_digest_of_a_point_is_of_all_that_loosens_and_of_nothing_else(tmp_path: Path) -> None:
    point = declaring(tmp_path).declaration.decisions["approve"]

    def changed(**of: Any) -> bool:
        return msgspec.structs.replace(point, **of).digest != point.digest

    component = point.steps[0].shares[0].component
    newer = ComponentChoice((Share(msgspec.structs.replace(component, version="9"), Fraction(1)),))
    other = ComponentChoice((Share(msgspec.structs.replace(component, name="other"), Fraction(1)),))
    condition = (compile_condition("exposure > 900 EUR"),)
    features = (Feature(ref=FeatureRef("f", 1), output="date"),)
    for of in ({"review": condition}, {"reject": condition}, {"exposure": None}, {"checks": ("a:b",)},
               {"input": "a@1"}, {"output": "b@1"}, {"policy": component}, {"features": features},
               {"data": DataTerms(refuse=True)}, {"steps": (other, *point.steps[1:])},
               {"steps": (other, *point.steps)}):  # fmt: skip
        assert changed(**of), of
    shared = tuple(ComponentChoice((Share(component, one), Share(newer.shares[0].component, 1 - one)))
                   for one in (Fraction(9, 10), Fraction(1, 10)))  # fmt: skip
    assert len({msgspec.structs.replace(point, steps=(one, *point.steps[1:])).digest for one in shared}) == len(shared)
    for of in ({"steps": (newer, *point.steps[1:])}, {"sure_from": 0.5}, {"valid_for": timedelta(1)},
               {"queue": QueueTerms(name="q")}, {"four_eyes": Money.parse("1.00 EUR")}):  # fmt: skip
        assert not changed(**of), of


def test_what_is_almost_nothing_is_not_said_to_be_nothing() -> None:
    assert [share_said(one) for one in (0.01, 0.0001, 0.00003)] == ["1.00 %", "0.01 %", "0.003 %"]
    assert [most_said(Fraction(one), "EUR") for one in ("0", "1/3", "5/2")] == [
        "0.00 EUR",
        "less than 0.01 EUR",
        "0.02 EUR",
    ]


def named_by_entry(url: str, decision: Decision) -> str | None:
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        found = admin.execute("select body from ledger_entry where id = %s", (decision.id,)).fetchone()
    assert found
    return msgspec.json.decode(found[0])["certificate"]


async def test_a_certificate_that_is_not_what_was_issued_is_not_used(database_url: str, tmp_path: Path) -> None:
    flow = declaring(tmp_path)
    point = cascade(flow, Model("m", 0.95), **FREE)
    terms = point.autonomy
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        office, digest = Office(on.node), digest_of("m")
        rising = [Step(confidence=0.5, wrong=0.001), Step(confidence=0.9, wrong=0.9)]
        free = [Step(confidence=0.5, wrong=0.0)]
        wrong = {
            "falls with confidence": certificate(on.node.tenant, point, [certified(digest, steps=rising)]),
            "no probability": certificate(on.node.tenant, point, [certified(digest, steps=free)]),
            "says two things": certificate(on.node.tenant, point, [certified(digest), certified(digest)]),
            "of the form": certificate(on.node.tenant, point, [certified(digest)], format="interlock-certificate/3"),
            "is in USD": certificate(on.node.tenant, point, [certified(digest)], currency="USD"),
            "threshold": certificate(on.node.tenant, point, [certified(digest)], threshold="-1"),
        }
        for number, (why, made) in enumerate(wrong.items()):
            await office.issue(made, threshold="100000")
            route, code, what = told(await decided(on, flow, point, f"k{number}"))
            assert (route, code) == (Route.REVIEW, "no_certificate"), why
            assert why in what
        sound = certificate(on.node.tenant, point, [certified(digest)])
        elsewhere = await office.issue(msgspec.structs.replace(sound, point="another"))
        await office.change(sound, AutonomyState.CERTIFIED, certificate=elsewhere)
        assert "it was issued for another point" in told(await decided(on, flow, point, "other"))[2]
        await office.issue(sound)
        assert told(await decided(on, flow, point, "sound"))[0] is Route.AUTOMATIC


async def test_segments_and_a_cascade_are_each_held_to_their_own(database_url: str, tmp_path: Path) -> None:
    flow = declaring(tmp_path, more="      segment: input.days_since_purchase\n")
    small, large = Model("small", 0.95), Model("large", 0.995)
    point = cascade(flow, small, large, **FREE)
    terms = point.autonomy
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        made = certificate(on.node.tenant, point, [
            certified(digest_of("small"), segment="3"), certified(digest_of("large"), segment="3")],
            passed_on="0", answering={digest_of(one): f"onnx:{one}@1" for one in ("small", "large")})  # fmt: skip
        await Office(on.node).issue(made)
        first = await decided(on, flow, point, "small")
        assert (first.component, first.route, recorded(first)["segment"]) == ("onnx:small@1", Route.AUTOMATIC, "3")
        then = await decided(on, flow, point, "large", exposure="900.00 EUR")
        assert (then.component, then.route, then.confidence_needed) == ("onnx:large@1", Route.AUTOMATIC, 0.99)
        assert [one.needed for one in then.asked] == [0.99, 0.99]
        asked = question(on, flow, point, "other")
        other = await on.node.tools.decider.decide(
            msgspec.structs.replace(asked, value={**asked.value, "days_since_purchase": 4})
        )
        assert isinstance(other, Decision)
        assert [one.code for one in other.why] == ["not_certified", "not_certified"]
        assert "segment '4' is not certified for onnx:small@1" in other.why[0].what
        steps = (msgspec.structs.replace(one, sureness=Sureness(0.999)) for one in point.steps[:-1])
        stern = msgspec.structs.replace(point, steps=(*steps, point.steps[-1]))
        assert told(await decided(on, flow, stern, "stern"))[:2] == (Route.REVIEW, "unsure")


async def settle(case: Case) -> str:
    """Take one decision, as a case."""
    answer = await case.decide("approve", case.input)
    return f"{answer.output['approved']} by {answer.by}"


@pytest.mark.parametrize("rejects", [False, True])
async def test_what_is_withdrawn_between_draft_and_commit_goes_to_a_person_on_every_path(
    database_url: str, tmp_path: Path, *, rejects: bool
) -> None:
    """Two writers: the commits wait for the one that withdraws, and find that it has."""
    flow = declaring(tmp_path, settle, "    reject: [\"input.amount == '20.00'\"]\n" if rejects else "")
    point = flow.declaration.decisions["approve"]
    terms = point.autonomy
    assert terms is not None
    went = Route.REJECT if rejects else Route.AUTOMATIC
    async with stage(database_url, [flow]) as on:
        office = Office(on.node)
        digest = flow.library.component(RULES).digest.hex()
        always = [Step(confidence=1.0, wrong=0.001)]
        made = certificate(on.node.tenant, point, [certified(digest, steps=always)], workflow="settle")
        await office.issue(made)
        many = ManyDecider(on.node.tools.decider)
        case = await on.submit(key="before")
        await on.until(case, CaseState.DONE)
        before = [*await batch(many, on, flow, point, "before"), *(await on.record(case)).decisions]
        assert [found.route for found in before] == [went] * 4
        assert all(rejects or "expected loss 0.03 EUR of being wrong (0.10 %) on 20.00 EUR; 2.75 EUR is certified"
                   in found.why[0].what for found in before)  # fmt: skip
        paths: dict[str, Callable[[], Awaitable[list[Any]]]] = {
            "in line": lambda: one(on, flow, point),
            "batch": lambda: batch(many, on, flow, point, "batch"),
            "case": lambda: of_case(on),
        }
        for number, (path, decide) in enumerate(paths.items(), 1):
            with Withdrawing(database_url) as other:
                deciding = asyncio.ensure_future(decide())
                await until(other.waiting, 2)  # the commit, and this process's own look at what counts
                other.withdraw()
                taken = await deciding
            for found in taken:
                assert isinstance(found, Decision)
                assert (found.route, found.why[0].code) == (Route.REVIEW, "certificate_gone"), path
                assert "its certificate was withdrawn meanwhile: it was wrong too often" in found.why[0].what
                assert recorded(found)["certificate"] == str(office.last)
            office.turn = 2 * number
            await office.issue(made)
        assert len(await on.reviews()) == 5


async def test_what_is_under_way_while_another_certificate_comes_is_held_against_that_one(
    database_url: str, tmp_path: Path
) -> None:
    flow = declaring(tmp_path)
    demanding = (compile_condition("exposure > 900 EUR"),)
    point = cascade(flow, Model("m", 0.95, slow_s=0.05), **FREE, review=demanding)
    async with stage(database_url, [flow], workers=0) as on:
        office, decider = Office(on.node), on.node.tools.decider
        made = certificate(on.node.tenant, point, [certified(digest_of("m"))])
        await office.issue(made)

        async def around(key: str, **changed: Any) -> Decision:
            asked = question(on, flow, point, key)
            draft = await decider.draft(asked, canonical.encode(asked.value))
            await office.issue(msgspec.structs.replace(made, **changed), **changed)
            found = await decider.commit(draft)
            assert isinstance(found, Decision)
            return found

        renewed = await around("renewed")
        assert (renewed.route, recorded(renewed)["certificate"]) == (Route.AUTOMATIC, str(office.last))
        stricter = await around("stricter", threshold="1")
        assert told(stricter)[:2] == (Route.REVIEW, "expected_loss"), "it says what is certified now"
        assert recorded(stricter)["threshold"] == "1"
        await office.issue(made)
        many = ManyDecider(decider)
        asking = asyncio.create_task(batch(many, on, flow, point, "batch"))
        await asyncio.sleep(0.08)
        await office.issue(made)
        assert {found.route for found in await asking} == {Route.AUTOMATIC}
        for other in (
            msgspec.structs.replace(point, review=()),
            msgspec.structs.replace(point, exposure=ExposureSource("input", ("price",), "EUR")),
        ):
            route, code, what = told(await decided(on, flow, other, other.digest))
            assert (route, code) == (Route.REVIEW, "no_certificate"), "an older certificate of a stricter file"
            assert "the file says something else of the point" in what


async def one(on: Stage, flow: Registered, point: DecisionPoint) -> list[Decision]:
    return [await decided(on, flow, point, "in line")]


async def of_case(on: Stage) -> list[Decision]:
    case = await on.submit(key="case")
    await on.wait_for_reviews(5)
    return list((await on.record(case)).decisions)


async def batch(many: ManyDecider, on: Stage, flow: Registered, point: DecisionPoint, key: str) -> list[Any]:
    asked = [question(on, flow, point, f"{key} {number}") for number in range(3)]
    return [outcome.became for outcome in await many.decide_many(asked)]


async def until(count: Callable[[], int], number: int) -> None:
    async with asyncio.timeout(10):
        while await asyncio.to_thread(count) < number:  # noqa: ASYNC110 - the database is asked
            await asyncio.sleep(0.02)


async def test_what_cannot_be_read_lets_nothing_go(database_url: str, tmp_path: Path) -> None:
    flow = declaring(tmp_path)
    point = cascade(flow, Model("m", 0.95), **FREE)
    terms = point.autonomy
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        await Office(on.node).issue(certificate(on.node.tenant, point, [certified(digest_of("m"), steps=STEPS)]))
        decider = on.node.tools.decider
        known = decider.certificates
        assert known is not None
        now = datetime.now(UTC)
        assert not isinstance(known.in_force(on.node.tenant, "approve", "approve", terms, point.digest, now), str)
        later = now + timedelta(days=31)
        assert "counted until" in str(known.in_force(on.node.tenant, "approve", "approve", terms, point.digest, later))
        known._read_at -= 60  # pyright: ignore[reportPrivateUsage] - as after a minute without an answer
        unread = known.in_force(on.node.tenant, "approve", "approve", terms, point.digest, now)
        assert unread == "what is certified cannot be read now"
        await known.look()
        assert (await decided(on, flow, point, "again")).route is Route.AUTOMATIC
        decider.certificates = None
        assert "does not know what is certified" in told(await decided(on, flow, point, "unknown"))[2]


async def test_a_replay_goes_by_the_certificate_of_then_and_misses_one_that_is_gone(
    database_url: str, tmp_path: Path, admin: psycopg.Connection[Any]
) -> None:
    flow = declaring(tmp_path)
    point = flow.declaration.decisions["approve"]
    terms = point.autonomy
    assert terms is not None
    async with stage(database_url, [flow], workers=0) as on:
        office = Office(on.node)
        digest = flow.library.component(RULES).digest.hex()
        steps = [Step(confidence=1.0, wrong=0.01)]
        made = certificate(on.node.tenant, point, [certified(digest, steps=steps)])

        async def taken(key: str, amount: str = "20.00") -> Decision:
            asked = msgspec.structs.replace(question(on, flow, point, key), exposure=None)
            value = {**asked.value, "amount": amount}
            found = await on.node.tools.decider.decide(msgspec.structs.replace(asked, value=value))
            assert isinstance(found, Decision)
            return found

        decisions = [await taken("never")]
        first = await office.issue(made)
        decisions += [await taken("goes"), await taken("much", "400.00"), await taken("cap", "1000.01")]
        await office.change(made, AutonomyState.NARROWED, threshold=half(made.threshold))
        decisions.append(await taken("narrowed", "150.00"))
        with Withdrawing(database_url) as other:
            late = asyncio.create_task(taken("late"))
            await until(other.waiting, 2)
            other.withdraw()
            decisions.append(await late)
        (warned,) = [check async for check in look_at(on.node.registry, on.node.settings.tenant, database_url)]
        assert (warned.level, warned.name) == (Level.WARN, "autonomy")
        assert "approve.approve lets nothing go by itself, since no certificate is in force" in warned.what
        office.turn = 3
        await office.issue(certificate(on.node.tenant, point, [certified(digest, steps=steps)], threshold="300"))
        assert [one.why[0].code for one in decisions] == [
            "no_certificate", "sure_enough", "expected_loss", "above_cap", "expected_loss", "certificate_gone",
        ]  # fmt: skip
        (fine,) = [check async for check in look_at(on.node.registry, on.node.settings.tenant, database_url)]
        assert fine.level is Level.OK
        for one in decisions:
            material = await read_material(on.node.database, on.node.tenant, one.id, Reader.AUDITOR)
            told = "\n".join(line for passage in for_auditor(material) for line in passage.lines)
            assert "The file lets it answer alone by a certificate: a loss of at most 0.40 EUR for each" in told
            assert certifying_said(recorded_evidence(one).autonomy or Certifying()) in told
            found = await replayed(on.node, one)
            assert found.status is Status.EQUAL, found
            assert "autonomy" in [stage.name for stage in found.stages]
        late_one = await replayed(on.node, decisions[-1])
        assert [one.status for one in late_one.stages if one.name == "route"] == [Status.RECORDED]
        admin.execute("alter table certificate disable trigger user")
        content = b'{"format":"another"}'
        admin.execute(
            "update certificate set content = %s, digest = sha256(%s) where id = %s", (content, content, first)
        )
        missed = await replayed(on.node, decisions[1])
        assert missed.status is Status.NOT_RUN
        assert any(f"the certificate {first} cannot be used" in stage.what for stage in missed.stages)
