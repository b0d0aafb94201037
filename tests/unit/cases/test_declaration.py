from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from interlock.cases.declaration import Declaration, load_declaration, read_declaration
from interlock.cases.dossier import Harm
from interlock.decisions.point import REASONS, ExposureSource
from interlock.errors import DeclarationInvalid, Violation
from interlock.guards.limits import CaseBudget, OverLimit, Rate
from interlock.money import Money

RECEIPTS = Path(__file__).parents[3] / "src/interlock/packs/receipts/receipts.workflow.yaml"

WHOLE = """\
workflow: claims
contract: claim@1.2.0
time_zone: Asia/Kuala_Lumpur
owner: a@example.com
stand_in: b@example.com
may_stop: [a@example.com]
success: {measure: days, baseline: {value: 5.25, from: ledger, sample: 40, window: 2025}, target: 1}
wrong: {loses: the amount, harm: regulation}
decisions:
  assess:
    components: [{onnx:m@1: 0.9, onnx:m@2: 0.1}, rules:r@1, person]
    input: claim@1
    output: verdict@1
    exposure: input.claim.total MYR
    checks: [package.module:function]
    sure_from: [{below: 50 MYR, confidence: 0.85}, {below: 100 MYR, confidence: 0.95}]
    budget: {time: 200ms, cost: 0.0025 USD}
    review: [exposure >= 100 MYR]
    reject: [output.fraud == true]
    valid_for: 2h
    queue: {name: desk, capacity: 7, due: 30m}
actions:
  pay:
    connector: bank
    domain: payments.claims
    limits: {each: 5 MYR, per_case: 5 MYR, per_day: 10 MYR, rate: 20/s}
    timeout: 5s
    attempts: 3
    deadline: 1h
    undo: refund
  refund:
    connector: bank
    domain: payments.refund
    limits: {rate: 100/5m}
"""


def changed(old: str, new: str) -> str:
    """The whole file with one thing changed."""
    assert WHOLE.count(old) == 1, old
    return WHOLE.replace(old, new)


def violations(text: str) -> tuple[Violation, ...]:
    with pytest.raises(DeclarationInvalid) as refused:
        read_declaration(text.encode(), "f.yaml")
    return refused.value.violations


def read(text: str) -> Declaration:
    return read_declaration(text.encode(), "f.yaml")


def test_every_part_is_read() -> None:
    declaration = read(WHOLE)
    assert (declaration.workflow, declaration.contract) == ("claims", "claim@1.2.0")
    assert declaration.time_zone == "Asia/Kuala_Lumpur"
    assert declaration.digest == hashlib.sha256(WHOLE.encode()).digest()
    assert declaration.content == WHOLE.encode()

    point = declaration.decisions["assess"]
    split, rules, person = point.steps
    assert [(str(share.component), share.share) for share in split.shares] == [
        ("onnx:m@1", Fraction(9, 10)),
        ("onnx:m@2", Fraction(1, 10)),
    ]
    assert str(rules.shares[0].component) == "rules:r@1"
    assert person.is_person
    assert not rules.is_person
    assert (point.input, point.output) == ("claim@1", "verdict@1")
    assert point.exposure == ExposureSource("input", ("claim", "total"), "MYR")
    assert point.checks == ("package.module:function",)
    assert [(band.below, band.confidence) for band in point.bands] == [
        (Money("50", "MYR"), 0.85),
        (Money("100", "MYR"), 0.95),
    ]
    assert (point.budget.time, point.budget.cost) == (timedelta(milliseconds=200), Decimal("0.0025"))
    assert [condition.text for condition in point.review] == ["exposure >= 100 MYR"]
    assert [condition.text for condition in point.reject] == ["output.fraud == true"]
    assert point.valid_for == timedelta(hours=2)
    assert (point.queue.name, point.queue.capacity, point.queue.due) == ("desk", 7, timedelta(minutes=30))
    assert declaration.queues == {"desk": point.queue}

    pay, refund = declaration.actions["pay"], declaration.actions["refund"]
    assert (pay.name, pay.connector, pay.domain, pay.undo) == ("pay", "bank", "payments.claims", "refund")
    assert (pay.timeout, pay.attempts, pay.deadline) == (timedelta(seconds=5), 3, timedelta(hours=1))
    assert (pay.limits.each, pay.limits.per_case, pay.limits.per_day) == (
        Money("5", "MYR"),
        Money("5", "MYR"),
        Money("10", "MYR"),
    )
    assert pay.limits.time_zone == "Asia/Kuala_Lumpur"
    assert pay.limits.rate == Rate(20, timedelta(seconds=1))
    assert refund.limits.rate == Rate(100, timedelta(minutes=5))


def test_the_receipts_packs_file_is_a_declaration_with_a_complete_dossier() -> None:
    declaration = load_declaration(RECEIPTS)
    assert declaration.workflow == "receipts"
    assert set(declaration.decisions) == {"read", "approve"}
    assert declaration.actions["pay"].undo == "refund"
    read = declaration.decisions["read"]
    said = (Money("999.99", "MYR"), Money("1000.00", "MYR"), Money("1.00", "EUR"), None)
    assert [read.people_for(one) for one in said] == [1, 2, 2, 2]
    assert {str(one.queue.bulk.exposure) for one in declaration.decisions.values() if one.queue.bulk} == {"2000.00 MYR"}
    assert declaration.dossier.missing() == ()


def test_what_is_not_said_has_a_default() -> None:
    declaration = read(
        "workflow: w\ncontract: c@1\ndecisions:\n  one: {components: [rules:r@1, person], output: o@1}\n"
        "actions:\n  do: {connector: x, domain: d, limits: {rate: 1/s}, undo: {none: it is a message}}\n"
    )
    point, terms = declaration.decisions["one"], declaration.actions["do"]
    assert declaration.time_zone == "UTC"
    assert (point.bands, point.sure_from, point.exposure) == ((), 1.0, None)
    assert (point.queue.name, point.queue.capacity, point.queue.due) == ("w", 500, timedelta(hours=24))
    assert (point.budget.time, point.budget.cost) == (timedelta(seconds=1), Decimal(0))
    assert point.valid_for == timedelta(hours=24)
    assert (terms.timeout, terms.attempts, terms.deadline) == (timedelta(seconds=10), 8, timedelta(hours=24))
    assert (terms.undo, terms.no_undo) == ("", "it is a message")


def test_one_confidence_may_hold_for_everything() -> None:
    bands = "sure_from: [{below: 50 MYR, confidence: 0.85}, {below: 100 MYR, confidence: 0.95}]"
    point = read(changed(bands, "sure_from: 0.9")).decisions["assess"]
    assert (point.bands, point.sure_from) == ((), 0.9)


def test_a_third_is_a_share() -> None:
    thirds = "{onnx:a@1: 1/3, onnx:b@1: 1/3, onnx:c@1: 1/3}"
    shares = read(changed("{onnx:m@1: 0.9, onnx:m@2: 0.1}", thirds)).decisions["assess"].steps[0].shares
    assert [share.share for share in shares] == [Fraction(1, 3)] * 3


def test_a_person_alone_may_answer() -> None:
    components = "[{onnx:m@1: 0.9, onnx:m@2: 0.1}, rules:r@1, person]"
    assert read(changed(components, "[person]")).decisions["assess"].steps[0].is_person


def test_no_person_stands_at_the_end_where_a_reason_is_given() -> None:
    text = changed("rules:r@1, person]", "rules:r@1]\n    no_person: nothing is at stake")
    assert read(text).decisions["assess"].no_person == "nothing is at stake"


FULL = "[{onnx:m@1: 0.9, onnx:m@2: 0.1}, rules:r@1, person]"
SPLIT = "{onnx:m@1: 0.9, onnx:m@2: 0.1}"
LIMITS = "{each: 5 MYR, per_case: 5 MYR, per_day: 10 MYR, rate: 20/s}"
ONE_WRONG = [
    # old, new, line, key, what, todo
    ("workflow: claims", "workflow: Claims", 1, "workflow", "'Claims' is no name", "small letter"),
    ("workflow: claims\n", "", 1, "", '"workflow" is missing', "workflow: receipts"),
    ("contract: claim@1.2.0", "contract: claim", 2, "contract", "no contract reference", "receipt@1"),
    ("Asia/Kuala_Lumpur", "Asia/Kuala_Lumpor", 3, "time_zone", "no time zone", 'did you mean "Asia/Kuala_Lumpur"?'),
    ("Asia/Kuala_Lumpur", "../etc/passwd", 3, "time_zone", "no time zone", ""),
    ("owner: a@example.com", "ownr: a@example.com", 4, "ownr", "no such key", 'did you mean "owner"?'),
    ("owner: a@example.com", "owner: [a]", 4, "owner", "a list stands where one value", "one value"),
    ("stand_in: b@", "stand_in: a@", 5, "stand_in", "is the owner", "somebody else"),
    ("may_stop: [a@example.com]", "may_stop: a", 6, "may_stop", "'a' stands where a list should", "[one, two]"),
    ("value: 5.25", "value: five", 7, "success.baseline.value", "'five' is text, not a number", "without quotes"),
    ("sample: 40", "sample: 0", 7, "success.baseline.sample", "0 is no count", "whole number"),
    ("target: 1", "target: .nan", 7, "success.target", ".nan is no plain number", "digits"),
    ("harm: regulation", "harm: regulations", 8, "wrong.harm", "no kind of harm", 'did you mean "regulation"?'),
    ("  assess:", "  Assess:", 11, "decisions.Assess", "'Assess' is no name", "small letter"),
    (FULL, "[onnx:m@1]", 11, "decisions.assess.components", "onnx:m@1 has no fallback", "[..., person]"),
    (FULL, "[rules:r@1, rules:s@1]", 11, "decisions.assess.components", "does not end in person", "no_person"),
    (FULL, "[person, rules:r@1, person]", 11, "decisions.assess.components[0]", "nothing comes after", "to the end"),
    (FULL, "[rules:r@1, rules:r@1, person]", 11, "decisions.assess.components", "stands twice", "once"),
    (FULL, "[]", 11, "decisions.assess.components", "nobody answers", "name who answers"),
    (FULL, "rules:r@1", 11, "decisions.assess.components", "where a list should", "[one, two]"),
    (FULL, "[rules:r, person]", 11, "decisions.assess.components[0]", "'rules:r' names no component", "NAME@VERSION"),
    (FULL, "[magic:r@1, person]", 11, "decisions.assess.components[0]", "names no component", "onnx:"),
    (FULL, "['rules:../r@1', person]", 11, "decisions.assess.components[0]", "names no component", "letters"),
    (SPLIT, "{onnx:m@1: 0.9, onnx:m@2: 0.2}", 11, "decisions.assess.components[0]", "add to 11/10", "exactly 1"),
    (SPLIT, "{onnx:m@1: 1.1}", 11, "decisions.assess.components[0].onnx:m@1", "1.1 is no share", "above 0"),
    (SPLIT, "{onnx:m: 1}", 11, "decisions.assess.components[0].onnx:m", "names no component", "NAME@VERSION"),
    ("    output: verdict@1\n", "", 11, "decisions.assess", '"output" is missing', "name the contract"),
    ("input: claim@1\n", "input:\n", 12, "decisions.assess.input", "nothing stands where one value", "one value"),
    ("output: verdict@1", "output: verdict@one", 13, "decisions.assess.output", "contract reference", "receipt@1"),
    ("output: verdict@1", "output: verdict@1.2", 13, "decisions.assess.output", "contract reference", "receipt@1.2.0"),
    ("output: verdict@1", "output: verdict@1.2.3.4", 13, "decisions.assess.output", "contract reference", ""),
    ("input.claim.total MYR", "claim.total MYR", 14, "decisions.assess.exposure", "names no amount", "output.total"),
    ("input.claim.total MYR", "input.total XYZ", 14, "decisions.assess.exposure", "'XYZ' is no currency", "ISO 4217"),
    ("input.claim.total MYR", "input.total USD", 16, "decisions.assess.sure_from[0]", "is not in USD", "one currency"),
    (
        "package.module:function",
        "package.module",
        15,
        "decisions.assess.checks[0]",
        "is no function",
        "module:function",
    ),
    ("below: 100 MYR", "below: 100 USD", 16, "decisions.assess.sure_from[1]", "is not in MYR", "one currency"),
    ("below: 100 MYR", "below: 50 MYR", 16, "decisions.assess.sure_from[1]", "does not come after", "lowest first"),
    ("below: 100 MYR", "below: 100", 16, "decisions.assess.sure_from[1].below", "no amount of money", "12.30 MYR"),
    ("below: 100 MYR", "below: 1e2 MYR", 16, "decisions.assess.sure_from[1].below", "'1e2' is no amount", "plain"),
    ("below: 50 MYR", "below: 0 MYR", 16, "decisions.assess.sure_from[0].below", "not above zero", "50 MYR"),
    ("confidence: 0.95", "confidence: 1.5", 16, "decisions.assess.sure_from[1].confidence", "1.5 is no", "0 to 1"),
    ("confidence: 0.95", "confidence: '0.95'", 16, "decisions.assess.sure_from[1].confidence", "is text", "quotes"),
    ("confidence: 0.95", "confidence: 0.5", 16, "decisions.assess.sure_from[1]", "asks 0.5", "at least as much"),
    ("confidence: 0.95", "sure: 0.95", 16, "decisions.assess.sure_from[1]", '"confidence" is missing', "least"),
    ("time: 200ms", "time: 200", 17, "decisions.assess.budget.time", "no length of time", "200ms"),
    ("time: 200ms", "time: 0s", 17, "decisions.assess.budget.time", "no time at all", "above zero"),
    ("0.0025 USD", "0.0025 MYR", 17, "decisions.assess.budget.cost", "is no cost", "in USD"),
    ("exposure >= 100 MYR", "exposre >= 100 MYR", 18, "decisions.assess.review[0]", "exposre", ""),
    ("output.fraud == true", "output.fraud ==", 19, "decisions.assess.reject[0]", "character", ""),
    ("valid_for: 2h", "valid_for: 2 hours", 20, "decisions.assess.valid_for", "no length of time", "24h"),
    ("capacity: 7", "capacity: 1.5", 21, "decisions.assess.queue.capacity", "1.5 is no count", "whole number"),
    ("capacity: 7", "capacty: 7", 21, "decisions.assess.queue.capacty", "no such key", '"capacity"?'),
    ("name: desk", "name: [desk]", 21, "decisions.assess.queue.name", "a list stands", "one value"),
    ("payments.claims", "Payments", 25, "actions.pay.domain", "is no domain", "payments.reimburse"),
    (LIMITS, "{}", 26, "actions.pay.limits", "nothing is limited", "at least one"),
    (LIMITS, "{per_case: 5 MYR, each: 9 MYR}", 26, "actions.pay.limits", "each (9.00 MYR) is above per_case", "lower"),
    (LIMITS, "{each: 5 MYR, per_case: 5 USD}", 26, "actions.pay.limits", "another limit in MYR", "one currency"),
    (
        LIMITS,
        "{per_month: 5 MYR, per_day: 9 MYR}",
        26,
        "actions.pay.limits",
        "per_day (9.00 MYR) is above per_month",
        "lower",
    ),
    (
        LIMITS,
        "{per_hour: 9 MYR, windows: {7d: 5 MYR}}",
        26,
        "actions.pay.limits",
        "per_hour (9.00 MYR) is above 7d",
        "lower",
    ),
    (LIMITS, "{each: 9 MYR, windows: {5m: 5 MYR}}", 26, "actions.pay.limits", "each (9.00 MYR) is above 5m", "lower"),
    (LIMITS, "{windows: {30s: 5 MYR}}", 26, "actions.pay.limits.windows.30s", "shorter than a minute", "rate"),
    (LIMITS, "{windows: {1h: 5 MYR}}", 26, "actions.pay.limits.windows.1h", "key of its own", "per_hour"),
    (
        LIMITS,
        "{windows: {7d: 5 MYR, 168h: 6 MYR}}",
        26,
        "actions.pay.limits.windows.168h",
        "stands here twice",
        "remove",
    ),
    (LIMITS, "{windows: {week: 5 MYR}}", 26, "actions.pay.limits.windows.week", "no length of time", "7d"),
    (LIMITS, "{stop_at: {per_day: 80%}}", 26, "actions.pay.limits", "nothing is limited", "at least one"),
    (
        LIMITS,
        "{each: 5 MYR, per_day: 9 MYR, stop_at: {each: 80%}}",
        26,
        "actions.pay.limits.stop_at.each",
        "no such limit over all cases",
        "per_day",
    ),
    (
        LIMITS,
        "{per_day: 9 MYR, stop_at: {per_day: 101%}}",
        26,
        "actions.pay.limits.stop_at.per_day",
        "no share of a limit",
        "80%",
    ),
    (
        LIMITS,
        "{per_day: 9 MYR, stop_at: {per_day: {for: 1h}}}",
        26,
        "actions.pay.limits.stop_at.per_day",
        '"share" is missing',
        "share: 80%",
    ),
    (
        LIMITS,
        "{per_day: 9 MYR, stop_at: {per_day: {share: 80%, for: 1ms}}}",
        26,
        "actions.pay.limits.stop_at.per_day.for",
        "shorter than a second",
        "1h",
    ),
    (LIMITS, "{count: {}}", 26, "actions.pay.limits.count", "nothing is counted", "at least one"),
    (LIMITS, "{count: {per_day: 0}}", 26, "actions.pay.limits.count.per_day", "0 is no count", "from 1"),
    (
        LIMITS,
        "{count: {per_case: 5, per_day: 4}}",
        26,
        "actions.pay.limits.count",
        "per_case (5) is above per_day",
        "raise",
    ),
    (
        LIMITS,
        "{rate: 1/s}\n    over_limit: ask",
        27,
        "actions.pay.over_limit",
        "nothing that can be done",
        "fail or wait",
    ),
    ("rate: 20/s", "rate: 20", 26, "actions.pay.limits.rate", "'20' is no rate", "20/s"),
    ("rate: 20/s", "rate: 0/s", 26, "actions.pay.limits.rate", "'0/s' is no rate", "20/s"),
    ("rate: 20/s", "rate: 20/0s", 26, "actions.pay.limits.rate", "'20/0s' is no rate", "above zero"),
    ("timeout: 5s", "timeout: 2h", 24, "actions.pay", "longer than the deadline", "lower timeout"),
    ("attempts: 3", "attempts: 101", 24, "actions.pay", "101 attempts", "lower attempts"),
    ("undo: refund", "undo: refnd", 24, "actions.pay", "there is no action 'refnd'", "refund"),
    ("undo: refund", "undo: pay", 24, "actions.pay", "undoes itself", "another action"),
    ("    undo: refund\n", "", 24, "actions.pay", '"undo" is missing', "why there is none"),
    ("undo: refund", "undo: {none: ''}", 30, "actions.pay.undo.none", "an empty text", "fill it in"),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "what", "todo"), ONE_WRONG)
def test_each_mistake_is_named_with_its_line_key_and_remedy(
    old: str, new: str, line: int, key: str, what: str, todo: str
) -> None:
    found = violations(changed(old, new))
    matching = [one for one in found if what in one.what and todo in one.todo]
    assert matching, found
    assert matching[0].where == f"f.yaml:{line}"
    assert matching[0].what.startswith(f"{key}: " if key else '"')
    assert all(one.todo and one.rule for one in found), found


def test_everything_is_named_at_once_in_the_order_of_the_file() -> None:
    text = WHOLE.replace("200ms", "fast").replace("0.95", "9").replace("undo: refund", "undo: x").replace("2h", "2x")
    found = violations(text)
    assert [one.where for one in found] == ["f.yaml:16", "f.yaml:17", "f.yaml:20", "f.yaml:24", "f.yaml:32"]


def test_what_is_not_plain_yaml_is_refused_with_its_line() -> None:
    assert violations(changed("workflow: claims", "workflow: &n claims"))[0].where == "f.yaml:1"
    assert violations(WHOLE + "owner: c@example.com\n")[0].rule == "duplicate-key"


def test_limits_of_every_kind_and_a_budget_are_read() -> None:
    limits = (
        "{per_caller: 6 MYR, per_hour: 7 MYR, per_month: 90 MYR, windows: {7d: 50 MYR, 5m: 6 MYR}, "
        "count: {per_case: 3, per_caller: 9, per_hour: 20, per_day: 30, per_month: 40, windows: {2h: 25}}, "
        "rate_per_caller: 1/s, stop_at: {per_hour: 80%, count.2h: {share: 1%, for: 30m}}}\n    over_limit: wait"
    )
    text = WHOLE.replace(LIMITS, limits).replace(
        "decisions:", "budget: {money: 10 MYR, attempts: 50, time: 72h}\ndecisions:"
    )
    read = read_declaration(text.encode(), "f.yaml")
    pay = read.actions["pay"]
    assert pay.over_limit is OverLimit.WAIT
    assert pay.budget == read.budget == CaseBudget(money=Money("10", "MYR"), attempts=50, time=timedelta(hours=72))
    assert [(one.name, one.most, one.currency) for one in pay.limits.allowances] == [
        ("per_caller", 600, "MYR"), ("per_hour", 700, "MYR"), ("per_month", 9000, "MYR"), ("5m", 600, "MYR"),
        ("7d", 5000, "MYR"), ("count.per_case", 3, ""), ("count.per_caller", 9, ""), ("count.per_hour", 20, ""),
        ("count.per_day", 30, ""), ("count.per_month", 40, ""), ("count.2h", 25, ""),
    ]  # fmt: skip
    assert pay.limits.rate_per_caller == Rate(1, timedelta(seconds=1))
    stops = {one.name: (one.stops_at, one.pause) for one in pay.limits.allowances if one.stops_at}
    assert stops == {"per_hour": (560, None), "count.2h": (1, timedelta(minutes=30))}


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("{}", "nothing is budgeted"),
        ("{money: 10 USD}", "the limits are in MYR, the budget of a case in USD"),
        ("{attempts: none}", "is text, not a number"),
        ("{tokens: 5}", "there is no such key"),
    ],
)
def test_a_budget_that_cannot_hold_is_refused(budget: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        read_declaration(WHOLE.replace("decisions:", f"budget: {budget}\ndecisions:").encode(), "f.yaml")
    assert said in str(refused.value)


def test_calendar_limits_need_a_time_zone() -> None:
    (found,) = violations(changed("time_zone: Asia/Kuala_Lumpur\n", ""))
    assert "per_day needs a time zone" in found.what


def test_decisions_must_be_there() -> None:
    for text in ("workflow: w\ncontract: c@1\n", "workflow: w\ncontract: c@1\ndecisions: {}\n"):
        (found,) = violations(text)
        assert "decisions" in found.what


def test_a_queue_says_which_reasons_its_reviewers_choose_from() -> None:
    queue = "queue: {name: desk, capacity: 7, due: 30m, reasons: {reject: [not_ours, forged]}}"
    point = read(changed("queue: {name: desk, capacity: 7, due: 30m}", queue)).decisions["assess"]
    assert point.queue.reasons["reject"] == ("not_ours", "forged")
    assert point.queue.reasons["approve"] == REASONS["approve"]


def test_points_that_share_a_queue_agree_on_it() -> None:
    other = "  other: {components: [person], output: o@1, queue: {name: desk, capacity: 8}}\nactions:"
    (found,) = violations(changed("actions:", other))
    assert "desk has other terms than at assess" in found.what


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid, match=r"none\.workflow\.yaml") as refused:
        load_declaration(tmp_path / "none.workflow.yaml")
    assert refused.value.violations[0].rule == "file"


GAPS: list[tuple[str, Callable[[str], str]]] = [
    ("owner", lambda text: text.replace("owner: a@example.com\n", "")),
    ("owner", lambda text: text.replace("owner: a@example.com\n", "owner:\n")),
    ("stand_in", lambda text: text.replace("stand_in: b@example.com", "stand_in: ''")),
    ("may_stop", lambda text: text.replace("[a@example.com]", "[]")),
    ("success.measure", lambda text: text.replace("measure: days, ", "")),
    ("success.baseline.value", lambda text: text.replace("value: 5.25, ", "")),
    ("success.baseline.from", lambda text: text.replace("from: ledger", "from: ''")),
    ("success.baseline.sample", lambda text: text.replace("sample: 40, ", "")),
    ("success.baseline.window", lambda text: text.replace(", window: 2025", "")),
    ("success.target", lambda text: text.replace(", target: 1", "")),
    ("wrong.loses", lambda text: text.replace("loses: the amount, ", "")),
    ("wrong.harm", lambda text: text.replace(", harm: regulation", "")),
]


@pytest.mark.parametrize(("part", "remove"), GAPS)
def test_a_gap_in_the_dossier_is_no_error_but_is_named(part: str, remove: Callable[[str], str]) -> None:
    assert remove(WHOLE) != WHOLE
    assert read(remove(WHOLE)).dossier.missing() == (part,)


def test_the_dossier_is_read() -> None:
    dossier = read(WHOLE).dossier
    assert (dossier.owner, dossier.stand_in, dossier.may_stop) == ("a@example.com", "b@example.com", ("a@example.com",))
    assert (dossier.success.measure, dossier.success.target) == ("days", Decimal(1))
    baseline = dossier.success.baseline
    assert (baseline.value, baseline.source, baseline.sample, baseline.window) == (
        Decimal("5.25"),
        "ledger",
        40,
        "2025",
    )
    assert (dossier.wrong.loses, dossier.wrong.harm) == ("the amount", Harm.REGULATION)
    assert dossier.missing() == ()


def test_an_empty_dossier_lacks_everything() -> None:
    short = "workflow: w\ncontract: c@1\ndecisions: {one: {components: [person], output: o@1}}\n"
    assert len(read(short).dossier.missing()) == 11
