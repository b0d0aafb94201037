"""What a candidate would have done with recorded decisions whose outcomes are known: figures computed by hand."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from msgspec import structs

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from tests.pg.certifying import Office, certificate, certified
from tests.pg.privacy.world import ADA, found_in, master_key, settings_of
from tests.pg.privacy.world import flow as raises
from tests.pg.publications.versions import refund_rules
from tests.pg.replay.scene import decide, encoded, project, running
from tests.pg.stage import DOSSIER

import interlock
from interlock.autonomy.audit.store import drawing_id
from interlock.autonomy.certificate import Step
from interlock.backtest.candidate import Candidate
from interlock.backtest.certified import standing_to_try
from interlock.backtest.costs import costs_of
from interlock.backtest.gather import Wanted
from interlock.backtest.result import Backtest, How
from interlock.backtest.run import Backtester
from interlock.cases.in_line import ask_in_line, find_point
from interlock.cases.registry import Registered, Registry
from interlock.components.component import ComponentRef
from interlock.components.rules import load_rules
from interlock.decisions.decision import Decision, Route
from interlock.decisions.features.load import Line, load_values
from interlock.decisions.sureness import Sureness
from interlock.errors import Refused
from interlock.money import Money
from interlock.node import Node, open_node
from interlock.privacy.subject import Subjects
from interlock.rate_settings import RateSettings
from interlock.replay.restore import Restoring

Admin = psycopg.Connection[Any]
SHIPPED = Path(interlock.__file__).parent / "packs" / "receipts" / "components" / "receipt-fields@1" / "total.onnx"
YES = {"approved": True, "reason": "within_policy"}
NO = {"approved": False, "reason": "too_late"}
POINT = '    exposure: input.amount EUR\n    review: ["exposure >= 100 EUR"]\n'
MODELS = POINT + "    sure_from: 0.9\n"
AUTONOMY = (
    MODELS
    + """\
    budget: {cost: 0.50 USD}
    autonomy:
      review_cost: 2.00 EUR
      budget: 0.40 EUR
      cap: 90 EUR
      wrong: {share: 1, plus: 5 EUR}
      needless: {plus: 1 EUR}
      outcome: {after: 1s, from: every, fields: [approved]}
"""
)
STEPS = (Step(confidence=0.5, wrong=0.5), Step(confidence=0.7, wrong=0.1), Step(confidence=0.9, wrong=0.01))


@dataclass
class Desk:
    """A process with one workflow, and what becomes known of its decisions."""

    node: Node
    flow: Registered
    admin: Admin

    async def decide(self, key: str, amount: str, days: int = 3, sure: int = 95) -> Decision:
        """Decide in line."""
        return await decide(self.node, key, amount, days=days, customer=f"sure-{sure}")

    def said(self, decision: Decision, *, right: bool, truth: Any = None, loss: str | None = None) -> None:
        """An outcome, as its verb records it."""
        lost, word = Money.parse(loss) if loss else None, uuid4()
        of = (self.node.tenant, decision.id, decision.workflow, decision.point)
        money = (lost.minor, lost.currency) if lost else (None, None)
        self.admin.execute(
            "insert into outcome (id, tenant, decision, workflow, point, source, key, is_right, truth, label, "
            "loss_minor, currency, became_at, said_by, said_at, turn) "
            "values (%s, %s, %s, %s, %s, 'feed', 'k', %s, %s, '', %s, %s, now(), 'test', now(), 1)",
            (word, *of, right, encoded(truth) if truth else None, *money),
        )
        self.admin.execute(
            "insert into decision_outcome (tenant, decision, workflow, point, standing, outcome, is_right, loss_minor, "
            "currency, decided_at, first_at, changed_at, words) "
            "values (%s, %s, %s, %s, 'known', %s, %s, %s, %s, now(), now(), now(), 1)",
            (*of, word, right, *money),
        )

    async def try_(self, **terms: Any) -> Backtest:
        """Run a candidate over all that was decided."""
        workflow = self.flow.workflow.name
        review, tenant = terms.pop("review_cost", None), terms.pop("tenant", self.node.tenant)
        changed, vault, rates = terms.pop("point", {}), terms.pop("vault", None), terms.pop("rates", None)
        now = self.node.database.clock.now()
        wanted = Wanted(
            workflow=workflow, point="approve", since=now - timedelta(hours=1), until=now + timedelta(seconds=1),
            take=terms.pop("take", None),
        )  # fmt: skip
        async with Restoring(
            self.node.database, lambda: Registry((self.flow,)), now=self.node.database.clock.now
        ) as back:
            declaration, library = await back.today(tenant, workflow)
            today = structs.replace(declaration.decisions["approve"], **changed)
            if "component" in terms:
                terms["component"] = library.component(ComponentRef.parse(terms["component"]))
            if "at" in terms:
                at = terms.pop("at")
                terms["standing"] = await standing_to_try(
                    self.node.database, tenant, workflow, today, certificate=None, threshold=at
                )
            candidate = Candidate(today=today, **terms)
            costs = costs_of(today, review, rates)
            return await Backtester(self.node.database, back, candidate, costs, vault=vault).run(tenant, wanted)


def values(found: Backtest, name: str) -> tuple[Any, Any, Any]:
    figure = found.figure(name)
    return figure.recorded.value, figure.candidate.value, figure.difference.value


def hows(found: Backtest, name: str) -> tuple[How, How, How]:
    figure = found.figure(name)
    return figure.recorded.how, figure.candidate.how, figure.difference.how


def modelled(folder: Path, point: str = MODELS, components: str = "onnx:first@1, person", **terms: Any) -> Registered:
    """A workflow whose point asks a model."""
    for name in ("first", "second"):
        place = folder / "components" / f"{name}@1"
        place.mkdir(parents=True)
        shutil.copy(SHIPPED, place / "total.onnx")
        (place / "component.yaml").write_text(
            f'kind: onnx\nname: {name}\nversion: "1"\nmodels: {{total: total.onnx}}\nread: its_scores:{name}\n'
        )
    return project(folder, components=components, point=point, **terms)


async def test_other_rules_have_the_figures_that_are_reckoned_by_hand_and_what_nobody_knows_is_bounded(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    async with running(database_url, flow := project(tmp_path / "p", point=POINT)) as node:
        desk = Desk(node, flow, admin)
        made = [
            await desk.decide(key, amount, days)
            for key, amount, days in (("a", "20.00", 3), ("b", "40.00", 20), ("c", "150.00", 3), ("d", "30.00", 50))
        ]
        assert [one.route for one in made] == [Route.AUTOMATIC, Route.AUTOMATIC, Route.REVIEW, Route.AUTOMATIC]
        for one in (made[0], made[2], made[3]):
            desk.said(one, right=True)
        rules = load_rules(refund_rules("1.1", days=10), "approve-refund@1.1.rules.json")
        two = Money("2.00", "EUR")

        # b has no outcome: it is never good, and nothing but bounds can be said of the loss
        found = await desk.try_(rules=rules, review_cost=two)
        assert (found.decisions, found.otherwise, found.not_run, found.currency) == (4, 1, (), "EUR")
        assert (found.outcomes.known, found.outcomes.half_known, found.outcomes.unknown) == (3, 0, 1)
        loss = found.figure("loss")
        assert set(hows(found, "loss")) == {How.BOUNDS}
        assert (loss.recorded.value, loss.recorded.least, loss.recorded.greatest) == (None, "0.0000 EUR", "10.0000 EUR")
        assert (loss.difference.least, loss.difference.greatest) == ("-10.0000 EUR", "10.0000 EUR")
        assert values(found, "automation") == (0.75, 0.75, 0.0)
        assert any("bounds stand where there is no estimate" in one for one in found.notes)

        # only that b was wrong: what is recorded is known, whether the other answer is right is not
        desk.said(made[1], right=False)
        found = await desk.try_(rules=rules, review_cost=two)
        assert hows(found, "total") == (How.COMPLETE, How.BOUNDS, How.BOUNDS)
        total = found.figure("total")
        assert total.recorded.value == "10.5000 EUR"  # 40 lost and one review of 2, over 4
        assert (total.candidate.least, total.candidate.greatest) == ("0.5000 EUR", "10.5000 EUR")
        assert found.outcomes.half_known == 1

        # what would have been right
        admin.execute("update outcome set truth = %s where decision = %s", (encoded(NO), made[1].id))
        found = await desk.try_(rules=rules, review_cost=two)
        assert set(hows(found, "total")) == {How.COMPLETE}
        assert values(found, "total") == ("10.5000 EUR", "0.5000 EUR", "-10.0000 EUR")
        assert values(found, "loss") == ("10.0000 EUR", "0.0000 EUR", "-10.0000 EUR")
        assert values(found, "wrong_alone") == (0.25, 0.0, -0.25)
        assert values(found, "reviews") == (0.25, 0.25, 0.0)
        assert values(found, "review_cost") == ("0.5000 EUR", "0.5000 EUR", "0.0000 EUR")
        loss = found.figure("loss")
        # nothing that is stated bounds it, and four decisions without a loss prove little
        assert (loss.candidate.low, loss.candidate.high, loss.candidate.large) == ("0.0000 EUR", "no bound", True)
        assert any(one.startswith("some intervals are those of large numbers") for one in found.notes)
        assert any("what processors cost" in one for one in found.notes)

        # without a cost of reviews there is no total, and it says so; a sample is what was asked for
        found = await desk.try_(rules=rules, take=2)
        assert found.decisions == 2
        assert [one.name for one in found.figures] == ["automation", "wrong_alone", "reviews", "loss"]
        assert any("--review-cost" in one for one in found.notes)
        with pytest.raises(Refused, match="cannot be what a review costs"):
            await desk.try_(rules=rules, review_cost=Money("2.00", "MYR"))
        other = load_rules(refund_rules("1").replace(b'"approve-refund"', b'"other"'), "other@1.rules.json")
        assert "asks no rules called other" in (await desk.try_(rules=other)).not_run[0].what
        # a tenant sees its own
        stranger = await node.database.ensure_tenant("other")
        found = await desk.try_(rules=rules, tenant=stranger)
        assert (found.decisions, found.figures) == (0, ())
        assert found.notes == ("no decision of the time could be tried: there are no figures",)


async def test_a_threshold_a_certificate_and_another_model_are_tried_on_what_was_said_then(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    async with running(database_url, flow := modelled(tmp_path / "p", AUTONOMY)) as node:
        desk = Desk(node, flow, admin)
        # without a certificate a person decides all of it; 85 sure and 95 sure, and one above the cap
        a = await desk.decide("a", "20.00", 3, sure=95)
        b = await desk.decide("b", "40.00", 20, sure=75)
        c = await desk.decide("c", "95.00", 3, sure=99)
        d = await desk.decide("d", "10.00", 20, sure=60)
        assert {one.route for one in (a, b, c, d)} == {Route.REVIEW}
        for one, truth in ((a, YES), (b, NO), (c, YES), (d, NO)):
            desk.said(one, right=truth is YES, truth=truth, loss="7.00 EUR" if truth is NO else None)

        found = await desk.try_(sureness=Sureness(0.7))
        assert set(hows(found, "total")) == {How.COMPLETE}
        assert values(found, "automation") == (0.0, 0.75, 0.75)
        # b loses 40 and 5: the 7 that were lost in spite of a person are not what nobody looking at it loses
        assert values(found, "loss") == ("0.0000 EUR", "11.2500 EUR", "11.2500 EUR")
        assert values(found, "needless") == ("0.5000 EUR", "0.0000 EUR", "-0.5000 EUR")
        # 4 reviews of 2, two of them needless: 10; then one review and 45
        assert values(found, "total") == ("2.5000 EUR", "11.7500 EUR", "9.2500 EUR")
        assert values(found, "asking") == ("0.000000 USD",) * 3
        assert "asking cost nothing beside compute, on neither side" in found.notes
        await _with_costs(desk, admin, b)

        with pytest.raises(Refused, match="no certificate was issued"):
            await desk.try_(at=None)
        point = flow.declaration.decisions["approve"]
        assert point.autonomy is not None
        digest = a.component_digest
        assert digest is not None
        made = certificate(
            node.tenant,
            point.autonomy,
            [certified(digest.hex(), component="onnx:first@1", steps=STEPS)],
            threshold="30",
        )
        await Office(node).issue(made)
        # expected loss of a: 0.01 x 25 = 0.25, of b: 0.1 x 45 = 4.50; c is above the cap of 90; d needs 0.5 x 15
        found = await desk.try_(at=None)
        assert values(found, "automation")[1] == 0.25
        assert values(found, "loss")[1] == "0.0000 EUR"
        assert values(found, "total")[1] == "1.7500 EUR"  # three reviews, one of them needless
        found = await desk.try_(at=Money("4.60", "EUR"))
        # the point's own sure_from stands beside it and makes it stricter: b is 0.75 sure
        assert values(found, "automation")[1] == 0.25
        found = await desk.try_(at=Money("4.60", "EUR"), point={"says_sure": False, "sure_from": 0.0})
        assert values(found, "automation")[1] == 0.5
        assert values(found, "loss")[1] == "11.2500 EUR"
        with pytest.raises(Refused, match="is no threshold here"):
            await desk.try_(at=Money("4.50", "USD"))

        # another model, of which nothing is certified: a person decides; with a confidence it goes by itself
        found = await desk.try_(component="onnx:second@1")
        assert values(found, "automation")[1] == 0.0
        found = await desk.try_(component="onnx:second@1", sureness=Sureness(0.7))
        assert (found.otherwise, values(found, "automation")[1]) == (4, 0.75)
        assert values(found, "loss") == ("0.0000 EUR", "0.0000 EUR", "0.0000 EUR")


async def _with_costs(desk: Desk, admin: Admin, dear: Decision) -> None:
    """What asking cost is on record, and in the total where a rate is; where nobody was asked otherwise it is alike."""
    said = admin.execute("select convert_from(attempts, 'UTF8') from decision where id = %s", (dear.id,)).fetchone()
    assert said
    paid = said[0].replace('"cost":"0"', '"cost":"0.20"', 1)
    assert paid != said[0]
    admin.execute("update decision set attempts = convert_to(%s, 'UTF8') where id = %s", (paid, dear.id))
    found = await desk.try_(sureness=Sureness(0.7))
    assert values(found, "asking") == ("0.050000 USD", "0.050000 USD", "0.000000 USD")
    assert values(found, "total") == ("2.5000 EUR", "11.7500 EUR", "9.2500 EUR")
    assert any("no rate from USD to EUR is declared with its date" in note for note in found.notes)
    dated = RateSettings("EUR", MappingProxyType({"USD": Decimal("0.80")}), date(2026, 11, 1))
    found = await desk.try_(sureness=Sureness(0.7), rates=dated)
    assert values(found, "total") == ("2.5400 EUR", "11.7900 EUR", "9.2500 EUR")
    assert set(hows(found, "total")) == {How.COMPLETE}
    assert "what asking costs is in the total, converted by the rates of 2026-11-01" in found.notes
    # a component that was not asked then costs what it costs now: this one nothing
    found = await desk.try_(component="onnx:second@1", sureness=Sureness(0.7), rates=dated)
    assert values(found, "asking") == ("0.050000 USD", "0.000000 USD", "-0.050000 USD")


async def test_a_feature_that_came_later_is_not_seen(database_url: str, tmp_path: Path, admin: Admin) -> None:
    features = "features:\n  spend@1: {table: features, entity: input.customer, output: decimal}\n"
    point = f"    features: [spend@1]\n{MODELS.replace('exposure >= 100 EUR', 'input.spend >= 50')}"
    flow = modelled(tmp_path / "p", point, dossier=DOSSIER + features)
    (spend,) = flow.declaration.decisions["approve"].features

    async with running(database_url, flow) as node:
        desk = Desk(node, flow, admin)

        async def load(value: str) -> None:
            line = {"entity": "sure-95", "value": value, "event_at": "2026-01-01T00:00:00Z"}
            report = await load_values(
                node.database, node.writer, node.tenant, node.database.clock.new_id(), spend, [Line(1, line)],
                source="a load", violations=flow.library.violations,
            )  # fmt: skip
            assert report.rejected == 0, report.told

        missing = await desk.decide("missing", "20.00")
        await load("10.00")
        known = await desk.decide("known", "20.00")
        await load("99.00")  # would send both to a person
        assert [one.route for one in (missing, known)] == [Route.REVIEW, Route.AUTOMATIC]
        for one in (missing, known):
            desk.said(one, right=True, truth=YES)
        found = await desk.try_(component="onnx:second@1", sureness=Sureness(0.9))
        assert (found.not_run, found.otherwise) == ((), 0)
        assert values(found, "automation") == (0.5, 0.5, 0.0)


async def test_the_audit_sample_gives_an_estimate_where_outcomes_are_known_of_it_alone(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    async with running(database_url, flow := modelled(tmp_path / "p")) as node:
        desk = Desk(node, flow, admin)
        made = [await desk.decide(str(number), "20.00", 20 if number % 4 == 0 else 3, 95) for number in range(24)]
        drawn = [one for number, one in enumerate(made) if number % 2 == 0]
        assert {one.route for one in made} == {Route.AUTOMATIC}
        found = await desk.try_(sureness=Sureness(0.5), review_cost=Money("2.00", "EUR"))
        assert set(hows(found, "loss")) == {How.BOUNDS, How.COMPLETE}  # the difference of the same is known: none
        assert found.figure("loss").difference.value == "0.0000 EUR"
        ends = [one.id for one in made]
        admin.execute(
            "insert into audit_drawing (id, tenant, workflow, point, key, begun, drawn_to) "
            "values (%s, %s, %s, %s, %s, %s, %s)",
            (drawing_id(node.tenant, made[0].workflow, "approve"), node.tenant, made[0].workflow, "approve", bytes(32),
             UUID(int=0), max(ends)),
        )  # fmt: skip
        for one in drawn:
            admin.execute(
                "insert into audit_draw (decision, tenant, workflow, point, propensity, drawn_at) "
                "values (%s, %s, %s, %s, %s, now())",
                (one.id, node.tenant, one.workflow, one.point, Decimal("0.5")),
            )
            old = msgspec.json.decode(one.input)["days_since_purchase"] > 10
            desk.said(one, right=not old, truth=NO if old else YES)
        found = await desk.try_(component="onnx:second@1", sureness=Sureness(0.5), review_cost=Money("2.00", "EUR"))
        assert hows(found, "loss")[0] is How.DOUBLY_ROBUST
        recorded, candidate = found.figure("loss").recorded, found.figure("loss").candidate
        assert 3 < _number(recorded.value) < 15  # a quarter of 20 is lost on the average, in one draw of a half
        assert _number(candidate.value) < _number(recorded.value)
        assert _number(recorded.low) < _number(recorded.value) < _number(recorded.high)
        assert found.outcomes.drawn == 12
        # one that was drawn and nobody answered counts as wrong, on both sides
        admin.execute("delete from decision_outcome where decision = %s", (drawn[1].id,))
        found = await desk.try_(component="onnx:second@1", sureness=Sureness(0.5), review_cost=Money("2.00", "EUR"))
        assert found.outcomes.unanswered == 1
        assert _number(found.figure("loss").recorded.value) > _number(recorded.value)


async def test_the_shares_of_a_release_stand_in_for_what_nobody_said_would_have_been_right(
    database_url: str, tmp_path: Path, admin: Admin
) -> None:
    split = "{onnx:first@1: 0.5, onnx:second@1: 0.5}, person"
    async with running(database_url, flow := modelled(tmp_path / "p", components=split)) as node:
        desk = Desk(node, flow, admin)
        made = [await desk.decide(str(number), "20.00", 20) for number in range(16)]
        assert {one.component for one in made} == {"onnx:first@1", "onnx:second@1"}
        for one in made:  # the first is wrong about what is old; nobody says what would have been right
            desk.said(one, right=one.component == "onnx:second@1")
        found = await desk.try_(component="onnx:second@1", sureness=Sureness(0.5))
        assert hows(found, "loss") == (How.COMPLETE, How.DOUBLY_ROBUST, How.DOUBLY_ROBUST)
        loss = found.figure("loss")
        assert _number(loss.candidate.value) < _number(loss.recorded.value)
        # of a component that had no share nobody can know it
        rules = await desk.try_(component="rules:approve-refund@1", sureness=Sureness(0.5))
        assert hows(rules, "loss")[1] is How.COMPLETE  # it says yes, as the first one, which was wrong each time
        assert rules.figure("loss").candidate.value == "20.0000 EUR"


async def test_personal_data_are_opened_to_be_tried_and_an_erased_person_is_not(
    database_url: str, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = raises()
    monkeypatch.setattr("interlock.privacy.vault.LATELY_S", 0.0)
    with master_key(monkeypatch):
        async with open_node(settings_of(database_url), registry=Registry([flow])) as node:
            desk = Desk(node, flow, admin)
            named = find_point(node.registry, "raises.approve")
            taken = await ask_in_line(
                node.tools.decider, node.writer, node.tenant, named, key="a", value=ADA, caller="c"
            )
            assert isinstance(taken, Decision)
            desk.said(taken, right=True)
            rules = next(one.component for step in named.point.steps for one in step.shares)
            for terms in ({"sureness": Sureness(0.0)}, {"component": str(rules)}):
                found = await desk.try_(**terms, vault=node.vault)
                assert (found.decisions, found.otherwise, found.not_run) == (1, 0, ())
                assert found.figure("automation").difference.how is How.COMPLETE
                assert found_in(str(found)) == []
            found = await desk.try_(sureness=Sureness(0.0))
            assert (found.decisions, found.not_run[0].what) == (
                0, "its input holds personal data, and nothing here opens them"
            )  # fmt: skip
            subjects = Subjects(node.database, node.writer, node.vault, node.tenant)
            await subjects.erase(ADA["email"], who="dpo", why="asked", force=True)
            found = await desk.try_(sureness=Sureness(0.0), vault=node.vault)
            assert (found.decisions, found.not_run[0].decisions) == (0, 1)
            assert "erased" in found.not_run[0].what


def _number(text: object) -> float:
    return float(str(text).split()[0])


def test_nothing_or_two_things_at_once_are_not_tried() -> None:
    with pytest.raises(Refused, match="nothing to try"):
        Candidate(today=None)  # pyright: ignore[reportArgumentType] - it is not looked at
