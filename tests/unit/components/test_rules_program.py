"""Who answers for a rules file: our own program, or zen where the two differ or ours is not sure."""

from __future__ import annotations

import decimal
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock.components import rules as rules_module
from interlock.components import table_program
from interlock.components.arithmetic import Beyond
from interlock.components.component import Answer, Question
from interlock.components.engine import Fact
from interlock.components.row_index import ColumnTest, row_lookup
from interlock.components.rules import Rules, load_rules
from interlock.components.rules_program import RulesProgram
from interlock.errors import ComponentFailed

sys.path.insert(0, str(Path(__file__).parent))
from rules_files import column, document, dump, expression_node, simple, table_node

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AMOUNT = "12345678901234567.89"


def load(content: Any) -> Rules:
    return load_rules(dump(content), "limit@1.rules.json")


def ask(rules: Rules, **given: Any) -> Answer:
    return rules.answer(Question(input=given, now=NOW))


def by_zen(rules: Rules, **given: Any) -> Answer:
    return rules.answer_by_zen(Question(input=given, now=NOW))


def computed(text: str, **declared: Any) -> Rules:
    """A file that computes ``out`` of ``total``, with ``small`` beside it."""
    inputs = {"total": {"type": "decimal"}, "small": {"type": "decimal", "if_missing": "0.01"}}
    node = expression_node({"out": text})
    return load(document([node], inputs=inputs, outputs={"out": {"type": "decimal", **declared}}))


def test_a_file_is_answered_by_our_own_program_without_asking_zen(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = load(simple((f">= {AMOUNT}", "'above'"), ("", "'below'")))
    assert rules.engine == "native"
    expected = by_zen(rules, total=AMOUNT)
    monkeypatch.setattr(Rules, "answer_by_zen", _not_to_be_asked)
    assert ask(rules, total=AMOUNT) == expected
    assert ask(rules, total="12345678901234567.88").output == {"out": "below"}


def test_that_no_row_fires_is_told_without_zen(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = load(simple(("> 100", "'large'")))
    with pytest.raises(ComponentFailed) as by_the_engine:
        by_zen(rules, total="5")
    monkeypatch.setattr(Rules, "answer_by_zen", _not_to_be_asked)
    with pytest.raises(ComponentFailed) as failed:
        ask(rules, total="5")
    assert str(failed.value) == str(by_the_engine.value)
    assert "add a last row" in str(failed.value)


def test_a_table_without_a_row_before_other_nodes_is_the_engines() -> None:
    node = table_node([column("total")], [column("rate")], [{"total": "> 100", "rate": "2"}])
    last = expression_node({"out": "rate * 2"})
    rules = load(document([node, last], outputs={"out": {"type": "decimal"}}))
    assert ask(rules, total="101").output == {"out": "4"}
    told: list[str] = []
    for run in (ask, by_zen):
        with pytest.raises(ComponentFailed) as failed:
            run(rules, total="5")
        told.append(str(failed.value))
    assert told[0] == told[1]


def _not_to_be_asked(_rules: Rules, question: Question) -> Answer:
    raise AssertionError(f"zen was asked {question.input}")


@pytest.mark.parametrize(
    ("text", "total", "expected"),
    [
        ("total * 1", AMOUNT, AMOUNT),
        ("total + small", AMOUNT, "12345678901234567.90"),
        ("total * 0.06", AMOUNT, "740740734074074.0734"),
        ("round(total * 0.06, 2)", AMOUNT, "740740734074074.07"),
        ("round(total / 3, 2)", AMOUNT, "4115226300411522.63"),
        ("-total", AMOUNT, f"-{AMOUNT}"),
        ("total - total", AMOUNT, "0.00"),
    ],
)
def test_amounts_are_computed_exactly_by_either(text: str, total: str, expected: str) -> None:
    rules = computed(text)
    assert rules.engine == "native"
    assert ask(rules, total=total).output == by_zen(rules, total=total).output == {"out": expected}


def test_a_product_of_more_than_28_digits_is_the_engines() -> None:
    rules = computed("total * total")
    assert rules.engine == "native"
    rounded = ask(rules, total="12345678901.234567891")
    assert rounded == by_zen(rules, total="12345678901.234567891")
    assert rounded.output == {"out": "152415787532388367526.59655768"}
    with pytest.raises(ComponentFailed, match="gave no result"):
        ask(rules, total=AMOUNT)


def test_more_digits_than_can_be_held_with_the_declared_decimals_is_an_error() -> None:
    rules = computed("total * 10000000000", places=9)
    assert ask(rules, total="1").output == {"out": "10000000000.000000000"}
    assert ask(rules, total="9" * 18).output == {"out": "9" * 18 + "0" * 10 + "." + "0" * 9}


def test_the_thread_s_decimal_context_changes_nothing() -> None:
    rules = computed("round(total / 7, 2) + total * 0.06", places=4)
    expected = by_zen(rules, total="12345678901234.56")
    with decimal.localcontext() as context:
        context.prec = 3
        context.traps[decimal.Inexact] = True
        assert ask(rules, total="12345678901234.56") == expected


def test_text_that_two_versions_of_unicode_may_case_otherwise_is_the_engines() -> None:
    node = expression_node({"out": "upper(name) + lower(name)"})
    rules = load(document([node], inputs={"name": {"type": "string"}}))
    assert rules.engine == "native"
    assert ask(rules, name="aB").output == {"out": "ABab"}
    for name in ("straße", "ŉ", "İ", "\u1c89", "ΑΣ"):
        assert ask(rules, name=name) == by_zen(rules, name=name)


def test_half_a_surrogate_pair_is_refused_by_either() -> None:
    rules = load(simple(("'a'", "'a'"), ("", "'b'"), inputs={"given": {"type": "string"}}))
    for run in (ask, by_zen):
        with pytest.raises(ComponentFailed, match="surrogate"):
            run(rules, given="\ud800")


def test_a_program_that_differs_is_given_up_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = RulesProgram.run

    def wrong(program: RulesProgram, facts: dict[str, Fact]) -> Answer:
        answer = honest(program, facts)
        return Answer(output={"out": "large"}, confidence=1.0, fired=answer.fired)

    monkeypatch.setattr(RulesProgram, "run", wrong)
    with caplog.at_level(logging.WARNING, "interlock.rules"):
        rules = load(simple(("> 100", "'large'"), ("", "'small'")))
    assert rules.engine == "zen"
    assert ask(rules, total="5").output == {"out": "small"}
    (record,) = caplog.records
    assert "limit@1.rules.json, table 'limits', row 2" in record.getMessage()


def test_a_file_with_what_is_not_compiled_is_run_by_zen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unknown(_file: Any) -> RulesProgram:
        raise Beyond

    monkeypatch.setattr(rules_module, "RulesProgram", unknown)
    with caplog.at_level(logging.WARNING, "interlock.rules"):
        rules = load(simple(("> 100", "'large'"), ("", "'small'")))
    assert rules.engine == "zen"
    assert ask(rules, total="101").output == {"out": "large"}
    assert "run by zen" in caplog.text


def test_a_number_set_anew_to_its_own_value_keeps_its_decimals() -> None:
    node = expression_node({"total": "floor(total)"}, passThrough=True)
    last = expression_node({"out": "total"})
    rules = load(document([node, last | {"id": "y", "name": "last"}], outputs={"out": {"type": "decimal"}}))
    for total, expected in (("1.00", "1.00"), ("1.50", "1")):
        assert ask(rules, total=total).output == by_zen(rules, total=total).output == {"out": expected}
    assert rules.engine == "native"


def test_an_answer_is_nobody_else_s_to_change() -> None:
    rules = load(simple(("", "'a'")))
    ask(rules, total="1").output["out"] = "changed"
    assert ask(rules, total="1").output == {"out": "a"}


def test_columns_too_long_to_prepare_are_asked_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"[{place}..{place + 1})", f"'step {place}'") for place in range(60)]
    indexed = load(simple(*rows))
    monkeypatch.setattr(table_program, "row_lookup", _never)
    plain = load(simple(*rows))
    for total in ("0", "0.999999999", "1", "30.5", "59", "59.99"):
        assert ask(indexed, total=total) == ask(plain, total=total) == by_zen(plain, total=total)
    assert plain.engine == "native"


def _never(_column: ColumnTest, _rows: int) -> None:
    return None


def test_a_column_of_too_many_tests_has_no_index() -> None:
    literals = frozenset(Decimal(number) for number in range(500))
    test = ColumnTest(by_row={}, tests=[bool] * 500, literals=literals)
    assert row_lookup(test, 500) is None


def test_threads_share_a_file() -> None:
    inputs = {"total": {"type": "decimal"}, "kind": {"type": "string"}}
    sums = expression_node({"tax": "round(total / 3, 2)"}, passThrough=True)
    node = table_node(
        [column("tax"), column("kind")],
        [column("out"), column("paid")],
        [
            {"tax": f"< {place}", "kind": f"startsWith($, 'k{place % 3}')", "out": f"'{place}'", "paid": "tax"}
            for place in range(1, 40)
        ]
        + [{"out": "'more'", "paid": "total"}],
    )
    outputs = {"out": {"type": "string"}, "paid": {"type": "decimal"}}
    shown = [
        {
            "input": {"total": f"{3 * place - 1}", "kind": f"k{place % 3}"},
            "output": {"out": f"{place}", "paid": f"{(Decimal(3 * place - 1) / 3).quantize(Decimal('0.01'))}"},
        }
        for place in range(1, 40)
    ]
    shown.append({"input": {"total": "999", "kind": ""}, "output": {"out": "more", "paid": "999"}})
    rules = load(document([sums, node], inputs=inputs, outputs=outputs, examples=shown))
    assert rules.engine == "native"
    asked = [Question(input=one["input"], now=NOW) for one in shown] * 50
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(rules.answer, asked))
    assert [answer.output for answer in answers] == [one["output"] for one in shown] * 50
