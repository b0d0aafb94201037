"""How a point's autonomy is written in a workflow's file, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest

from interlock.autonomy.terms import AuditTerms, Harm, HarmTerms, LossBudget, LossTerms, Narrowing, Source
from interlock.cases.declaration import read_declaration
from interlock.decisions.point import DecisionPoint, needed_confidence
from interlock.errors import DeclarationInvalid, Violation
from interlock.money import Money

FILE = """\
workflow: claims
contract: claim@1
decisions:
  assess:
    components: {components}
    output: verdict@1
{more}
    autonomy:
{autonomy}
"""
WHOLE = {
    "review_cost": "3.20 MYR",
    "budget": "0.40 MYR",
    "risk": "0.05",
    "cap": "1000 MYR",
    "wrong": "{share: 1, plus: 5 MYR, at_most: 1000 MYR}",
    "needless": "{plus: 0.50 MYR}",
    "outcome": "{after: 30d, from: every, fields: [approved]}",
    "audit": "{share: 0.02, surely_from: 500 MYR}",
    "segment": "input.grade",
    "window": "365d",
    "valid_for": "90d",
    "renew": "7d",
    "narrows": "halve",
    "harm": "{kind: people, outcomes: 2000, ceiling: 100 MYR}",
}
LEAST = {key: WHOLE[key] for key in ("review_cost", "budget", "cap", "wrong", "outcome")}
EXPOSURE = "    exposure: output.total MYR\n"


def read(terms: dict[str, str], more: str = EXPOSURE, components: str = "[onnx:m@1, person]") -> DecisionPoint:
    written = "\n".join(f"      {key}: {value}" for key, value in terms.items())
    text = FILE.format(components=components, more=more, autonomy=written)
    return read_declaration(text.encode(), "f.yaml").decisions["assess"]


def wrong(more: str = EXPOSURE, components: str = "[onnx:m@1, person]", **changed: str) -> list[Violation]:
    with pytest.raises(DeclarationInvalid) as refused:
        read(WHOLE | changed, more, components)
    return list(refused.value.violations)


def test_everything_that_an_owner_states_is_read() -> None:
    terms = read(WHOLE).autonomy
    assert terms is not None
    assert (terms.review_cost, terms.cap, terms.currency) == (Money("3.20", "MYR"), Money("1000.00", "MYR"), "MYR")
    assert terms.budget.each == 40
    assert terms.risk == Fraction(1, 20)
    assert terms.wrong == LossTerms(share=Fraction(1), plus=500, at_most=100_000)
    assert terms.needless == LossTerms(share=Fraction(0), plus=50)
    assert (terms.outcome.after, terms.outcome.source, terms.outcome.fields) == (
        timedelta(days=30), Source.EVERY, ("approved",),
    )  # fmt: skip
    assert terms.audit == AuditTerms(share=Fraction(1, 50), surely_from=50_000)
    assert (terms.segment, terms.window, terms.valid_for) == ("input.grade", timedelta(365), timedelta(90))
    assert (terms.renew, terms.narrows) == (timedelta(7), Narrowing.HALVE)
    assert terms.harm == HarmTerms(kind=Harm.PEOPLE, outcomes=2000, ceiling=10_000)
    assert terms.highest == 10_000


def test_what_must_be_stated_suffices_and_a_month_is_divided() -> None:
    terms = read(LEAST | {"budget": "{month: 2000 MYR, decisions: 5000}"}).autonomy
    assert terms is not None
    assert terms.budget == LossBudget(written=Money("2000.00", "MYR"), decisions=5000)
    assert terms.budget.each == 40
    assert (terms.audit, terms.harm, terms.renew, terms.segment) == (None, None, None, "")
    assert read(LEAST).autonomy != terms


@pytest.mark.parametrize("written", ['"0.5 %"', "0.5%", "0.005", "1/200"])
def test_a_rate_of_wrong_decisions_may_be_stated_instead_of_a_loss(written: str) -> None:
    terms = read(LEAST | {"budget": f"{{rate: {written}}}"}).autonomy
    assert terms is not None
    assert terms.budget == LossBudget(rate=Fraction(1, 200))
    assert (terms.budget.goal, terms.budget.each, terms.budget.each_of(10**6)) == (
        "rate",
        Fraction(1, 200),
        Fraction(1, 200),
    )
    assert terms.digest != read(LEAST).autonomy.digest  # type: ignore[union-attr]


def test_beside_autonomy_the_file_demands_nothing_unless_it_says_so() -> None:
    exposure = Money("12", "MYR")
    point, sure = read(LEAST), read(LEAST, EXPOSURE + "    sure_from: 0.9\n")
    assert [needed_confidence(point, exposure, certified=one) for one in (0.7, 0.95)] == [0.7, 0.95]
    assert [needed_confidence(sure, exposure, certified=one) for one in (0.7, 0.95)] == [0.9, 0.95]
    assert (needed_confidence(point, exposure), needed_confidence(sure, exposure)) == (None, None)


@pytest.mark.parametrize(
    ("changed", "rule", "said"),
    [
        ({"cap": "1000 EUR"}, "autonomy-currency", "autonomy.cap: 1000.00 EUR is not in MYR, as the money at stake is"),
        ({"review_cost": "3 EUR"}, "autonomy-currency", "autonomy.review_cost: 3.00 EUR"),
        ({"budget": "{month: 3 EUR, decisions: 7}"}, "autonomy-currency", "3.00 EUR"),
        ({"wrong": "{share: 1, plus: 5 EUR}"}, "autonomy-currency", "autonomy.wrong.plus: 5.00 EUR"),
        ({"audit": "{surely_from: 5 EUR}"}, "autonomy-currency", "autonomy.audit.surely_from: 5.00 EUR"),
        ({"harm": "{kind: people, outcomes: 1, ceiling: 1 EUR}"}, "autonomy-currency", "autonomy.harm.ceiling"),
        ({"risk": "0"}, "risk", "0 is no risk"),
        ({"risk": "0.51"}, "risk", "0.51 is no risk"),
        ({"risk": "often"}, "risk", "is no plain number"),
        ({"cap": "0 MYR"}, "money", "is not above zero"),
        ({"cap": "-5 MYR"}, "money", "is not above zero"),
        ({"budget": "0 MYR"}, "money", "is not above zero"),
        ({"budget": "{rate: 51 %}"}, "rate", "'51 %' is no rate"),
        ({"budget": "{rate: 0}"}, "rate", "'0' is no rate"),
        ({"budget": "{rate: few}"}, "rate", "'few' is no plain number"),
        ({"budget": "{rate: 1 %, decisions: 7}"}, "autonomy-budget", "a rate is stated"),
        ({"budget": "105 MYR"}, "autonomy-budget", "not below 105.00 MYR, which is all that one can lose"),
        ({"wrong": "{share: 60}"}, "share", "60 times what is at stake is no loss"),
        ({"wrong": "{share: -0.1}"}, "share", "is no plain number of 0 or more"),
        ({"wrong": "{share: 0}"}, "autonomy-loss", "a wrong decision loses nothing"),
        ({"wrong": "{at_most: 5 MYR}"}, "autonomy-loss", "no loss is stated"),
        ({"audit": "{share: 0}"}, "share", "0 is no share"),
        ({"audit": "{share: 1.1}"}, "share", "1.1 is no share"),
        ({"outcome": "{after: 0s}"}, "duration", "no time at all"),
        ({"outcome": "{from: every}"}, "missing-key", '"after" is missing'),
        ({"outcome": "{after: 1d, from: some}"}, "from", "'some' is not known"),
        ({"outcome": "{after: 1d, fields: [a, a]}"}, "autonomy-fields", "a stands twice"),
        ({"outcome": "{after: 365d}"}, "autonomy-window", "no outcome is due within the window"),
        ({"segment": "input"}, "segment", "'input' is no segment"),
        ({"segment": "case.grade"}, "segment", "is no segment"),
        ({"renew": "91d"}, "autonomy-renew", "it is renewed every 91 days, and counts for 90 days"),
        ({"renew": "0d"}, "duration", "no time at all"),
        ({"narrows": "shrug"}, "narrows", "'shrug' is not known"),
        ({"harm": "{kind: people, ceiling: 100 MYR}"}, "missing-key", '"outcomes" is missing'),
        ({"harm": "{kind: pride, outcomes: 1, ceiling: 100 MYR}"}, "kind", "'pride' is not known"),
        ({"harm": "{kind: people, outcomes: 1, ceiling: 1001 MYR}"}, "autonomy-ceiling", "it never takes effect"),
        ({"capp": "1 MYR"}, "unknown-key", "there is no such key"),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_line_and_what_to_do(changed: dict[str, str], rule: str, said: str) -> None:
    found = wrong(**changed)
    assert [one.rule for one in found] == [rule], found
    assert said in found[0].what
    assert found[0].todo
    line = 9 + [*WHOLE, *changed].index(next(iter(changed)))
    assert found[0].where == f"f.yaml:{line + 1}" or rule == "autonomy-window"


def test_what_autonomy_needs_of_its_point_is_demanded() -> None:
    assert [one.rule for one in wrong(more="    input: claim@1\n")] == ["autonomy-exposure"]
    nobody = wrong(more=EXPOSURE + '    no_person: "nobody is awake"\n', components="[onnx:m@1, rules:r@1]")
    assert [one.rule for one in nobody] == ["autonomy-person"]
    with pytest.raises(DeclarationInvalid) as refused:
        read({key: value for key, value in WHOLE.items() if key != "audit"} | {"outcome": "{after: 1d, from: audit}"})
    assert [one.rule for one in refused.value.violations] == ["autonomy-audit"]
    assert [one.rule for one in wrong(more=EXPOSURE + "    queue: {when_full: reject}\n")] == ["autonomy-full"]
    with pytest.raises(DeclarationInvalid) as empty:
        read({"risk": "0.1"})
    assert [one.rule for one in empty.value.violations] == ["missing-key"] * 5
