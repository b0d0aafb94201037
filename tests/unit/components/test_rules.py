from __future__ import annotations

import copy
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from interlock.components.component import Answer, Question
from interlock.components.rules import Rules, load_rules
from interlock.errors import ComponentFailed, RulesInvalid, Violation

sys.path.insert(0, str(Path(__file__).parent))
from rules_files import column, document, dump, expression_node, simple, table_node

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def load(content: Any) -> Rules:
    return load_rules(dump(content), "limit@1.rules.json")


def ask(rules: Rules, **given: Any) -> Answer:
    return rules.answer(Question(input=given, now=NOW))


def refused(content: Any) -> tuple[Violation, ...]:
    with pytest.raises(RulesInvalid) as cause:
        load(content)
    return cause.value.violations


def test_the_first_row_that_fits_answers_and_is_named() -> None:
    node = table_node(
        [column("total"), column("vip")],
        [column("out")],
        [
            {"total": "> 1000", "out": "'large'", "_description": "Above a thousand."},
            {"total": "[100..1000]", "vip": "false", "out": "'medium'"},
            {"out": "'small'"},
        ],
    )
    rules = load(document([node], inputs={"total": {"type": "decimal"}, "vip": {"type": "boolean"}}))
    assert str(rules.ref) == "rules:limit@1"
    answer = ask(rules, total="1000.01", vip=True, more="is left out")
    assert answer.output == {"out": "large"}
    assert answer.confidence == 1
    (fired,) = answer.fired
    assert (fired.table, fired.row, fired.note) == ("limits", 1, "Above a thousand.")
    assert fired.cells == {"Total": "> 1000", "Vip": "", "Out": "'large'"}
    assert ask(rules, total="1000", vip=False).output == {"out": "medium"}
    assert ask(rules, total="100.00", vip=True).fired[0].row == 3


@pytest.mark.parametrize("amount", ["12345678901234567.89", "0.10", "31.00", "-0.05", "999999999999999999.999999999"])
def test_amounts_are_exact_through_the_whole_path(amount: str) -> None:
    rules = load(simple(("", "total"), outputs={"out": {"type": "decimal"}}))
    assert ask(rules, total=amount).output == {"out": amount}


def test_neighbouring_amounts_are_told_apart() -> None:
    rules = load(simple((">= 12345678901234567.89", "'above'"), ("", "'below'")))
    assert ask(rules, total="12345678901234567.89").output == {"out": "above"}
    assert ask(rules, total="12345678901234567.88").output == {"out": "below"}


def test_an_expression_node_computes_exactly_and_a_later_table_uses_it() -> None:
    sums = expression_node({"tax": "round(total * 0.06, 2)"}, passThrough=True)
    node = table_node(
        [column("tax")], [column("out")], [{"tax": "> 100", "out": "'much'"}, {"out": "'little'"}], passThrough=True
    )
    outputs = {"out": {"type": "string", "values": ["much", "little"]}, "tax": {"type": "decimal", "places": 2}}
    shown = [
        {"input": {"total": "10.00"}, "output": {"out": "little", "tax": "0.60"}},
        {"input": {"total": "205761315020576131.53"}, "output": {"out": "much", "tax": "12345678901234567.89"}},
    ]
    rules = load(document([sums, node], outputs=outputs, examples=shown))
    assert ask(rules, total="33.25").output == {"out": "little", "tax": "2.00"}


def test_a_table_that_collects_gives_all_rows_that_fit() -> None:
    node = table_node(
        [column("total")],
        [column("reason"), column("points")],
        [
            {"total": "> 10", "reason": "'ten'", "points": "1.50"},
            {"total": "> 100", "reason": "'hundred'", "points": "2"},
        ],
        hitPolicy="collect",
        outputPath="hits",
    )
    score = expression_node({"score": "sum(map(hits, #.points))", "seen": "len(hits)"}, passThrough=True)
    columns = {"reason": {"type": "string"}, "points": {"type": "decimal", "places": 2}}
    outputs = {"hits": {"type": "rows", "columns": columns}, "score": {"type": "decimal"}, "seen": {"type": "integer"}}
    rules = load(document([node, score], outputs=outputs))
    answer = ask(rules, total="200")
    assert answer.output == {
        "hits": [{"reason": "ten", "points": "1.50"}, {"reason": "hundred", "points": "2.00"}],
        "score": "3.50",
        "seen": 2,
    }
    assert [rule.row for rule in answer.fired] == [1, 2]
    nothing = ask(rules, total="5")
    assert nothing.output == {"hits": [], "score": "0", "seen": 0}
    assert nothing.fired == ()


def test_days_are_counted_from_the_time_of_the_decision() -> None:
    inputs = {"bought": {"type": "date"}, "age": {"type": "integer", "days_since": "bought"}}
    node = table_node(
        [column("age")],
        [column("out")],
        [{"age": "< 0", "out": "'ahead'"}, {"age": "> 90", "out": "'old'"}, {"out": "'fine'"}],
    )
    shown = [{"now": "2026-03-01T00:00:00Z", "input": {"bought": "2026-02-28"}, "output": {"out": "fine"}}]
    rules = load(document([node], inputs=inputs, examples=shown))
    assert ask(rules, bought="2025-12-01").output == {"out": "fine"}
    assert ask(rules, bought="2025-11-30").output == {"out": "old"}
    assert ask(rules, bought="2026-03-02").output == {"out": "ahead"}


def test_a_missing_input_takes_its_declared_value_or_is_an_error() -> None:
    content = simple(("< 0", "'refer'"), ("", "'fine'"), inputs={"total": {"type": "decimal", "if_missing": "-1"}})
    assert ask(load(content)).output == {"out": "refer"}
    assert ask(load(content), total=None).output == {"out": "refer"}
    with pytest.raises(ComponentFailed, match="'total' is missing"):
        ask(load(simple(("", "'fine'"))))


@pytest.mark.parametrize("value", [31.0, True, "31,00", "1e3", "NaN", "", "9" * 19, "0." + "1" * 10, [], float("nan")])
def test_an_input_that_is_no_exact_amount_is_an_error_and_takes_no_row(value: Any) -> None:
    with pytest.raises(ComponentFailed, match="'total' is") as failed:
        ask(load(simple((">= 100", "'large'"), ("", "'default'"))), total=value)
    assert failed.value.where == "/total"


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ({"type": "integer"}, "3"),
        ({"type": "integer"}, 3.0),
        ({"type": "integer"}, True),
        ({"type": "boolean"}, "true"),
        ({"type": "boolean"}, 1),
        ({"type": "date"}, "2026-02-30"),
        ({"type": "date"}, "20260228"),
        ({"type": "string"}, 3),
        ({"type": "string", "values": ["none", "exact"]}, "near"),
    ],
)
def test_mistyped_input_is_an_error(declared: dict[str, Any], value: Any) -> None:
    rules = load(simple(("", "'default'"), inputs={"given": declared}))
    with pytest.raises(ComponentFailed, match="'given' is"):
        ask(rules, given=value)


def test_no_row_is_an_error() -> None:
    rules = load(simple(("> 100", "'large'")))
    with pytest.raises(ComponentFailed, match="no row of the table 'limits' fires"):
        ask(rules, total="5")


def test_overflow_is_an_error() -> None:
    content = document([expression_node({"out": "total * total * total"})], outputs={"out": {"type": "decimal"}})
    with pytest.raises(ComponentFailed, match="gave no result"):
        ask(load(content), total="999999999999999999")


def test_more_decimals_than_declared_are_not_rounded_in_silence() -> None:
    content = document([expression_node({"out": "total / 3"})], outputs={"out": {"type": "decimal", "places": 2}})
    assert ask(load(content), total="3").output == {"out": "1.00"}
    with pytest.raises(ComponentFailed, match="more than 2 decimals"):
        ask(load(content), total="1")
    content = document([expression_node({"out": "total / 3"})], outputs={"out": {"type": "integer"}})
    assert ask(load(content), total="3").output == {"out": 1}
    with pytest.raises(ComponentFailed, match="no whole number"):
        ask(load(content), total="1")


CELLS = [
    ("> > 100", "cannot stand here"),
    ("-", "a dash is never fulfilled"),
    ("=> 100", "means nothing"),
    ("> ", "ends too early"),
    ("> 1,000", "needless 0"),
    ("> 1, 234", "adds nothing"),
    ("> 100 or < 5", "cannot stand here"),
    ("> 'a'", "compares numbers"),
    ("'a'", "never equals"),
    ("true", "never equals"),
    ("[200..100]", "no number is in this range"),
    ("> 5 and < 3", "no decimal fulfils this"),
    ("[100..200", "close the range"),
    ("100..200", "cannot stand here"),
    ("> totl", "'totl' is unknown"),
    ("nope", "'nope' is unknown"),
    ("total > 100", "does not ask about the column's value"),
    ("> total + 1", "a cell computes"),
    ("$ * 2 > 100", "a cell computes"),
    ("$ / 0 > 1", "a cell computes"),
    ("round($, 0) == 1", "a cell computes"),
    ("5, 5", "adds nothing"),
    ("> 100; drop", "means nothing"),
    ("x = 1", "means nothing"),
    ("null", "cannot stand here"),
    ("> 1e3", "is no number"),
    ("> 1_000", "is no number"),
    ("> " + "1" * 28, "too many digits"),
    ("`a`", "means nothing"),
    ("'a", "does not end"),
    ("not 100", "not applies to true or false"),
    ("0.5 < $ < 2", "cannot stand here"),
    ("> 4, 1 and != 2", "and stands after a comma"),
    ("> 4, < 3 and > 1", "and stands after a comma"),
    ("($ > 4 and $ != 5) and != 6, not ($ > 3 and $ < 9)", "or in parentheses beside one"),
    ("> 4, ($ < 1 or $ == 2)", "or stands after a comma"),
    ("exec('x') == $", "is no function"),
]


@pytest.mark.parametrize(("cell", "what"), CELLS)
def test_a_cell_that_would_never_fire_or_fail_is_refused(cell: str, what: str) -> None:
    (wrong,) = refused(simple((cell, "'fired'"), ("", "'default'")))
    assert wrong.where == "limit@1.rules.json: table 'limits', row 1, column 'Total'"
    assert what in f"{wrong.what} ({wrong.todo})"
    assert repr(cell) in wrong.what
    assert wrong.todo


@pytest.mark.parametrize(
    ("declared", "cell", "what"),
    [
        ({"type": "integer"}, "1.5", "no integer fulfils this"),
        ({"type": "integer"}, "> 5 and < 6", "no integer fulfils this"),
        ({"type": "string"}, "> 'a'", "compares numbers"),
        ({"type": "string"}, "100", "never equals"),
        ({"type": "string"}, "len($) > 3", "len counts"),
        ({"type": "string"}, "startsWith($)", "takes 2 arguments"),
        ({"type": "string", "values": ["none", "near"]}, "'neer'", "none of its values"),
        ({"type": "string", "values": ["none", "near"]}, "$ not in ['none', 'near']", "no string fulfils this"),
        ({"type": "boolean"}, "'true'", "never equals"),
        ({"type": "boolean"}, "1", "never equals"),
        ({"type": "boolean"}, "$ == true and $ == false", "no boolean fulfils this"),
        ({"type": "boolean"}, "$", "compared with the column's value"),
        ({"type": "boolean"}, "not $", "compared with the column's value"),
        ({"type": "boolean"}, "$ == true and not (given or $ == false)", "compared with the column's value"),
        ({"type": "boolean"}, "(given ? $ == true : $)", "compared with the column's value"),
        ({"type": "date"}, "'2026-02-30'", "is no date"),
        ({"type": "date"}, "> '2026-01-01'", "compares numbers"),
    ],
)
def test_a_cell_of_the_wrong_type_is_refused(declared: dict[str, Any], cell: str, what: str) -> None:
    (wrong,) = refused(simple((cell, "'fired'"), ("", "'default'"), inputs={"given": declared}))
    assert what in wrong.what


@pytest.mark.parametrize(
    ("output", "declared", "what"),
    [
        ("", {"type": "string"}, "the output is empty"),
        ("fired", {"type": "string"}, "'fired' is unknown"),
        ("'fired", {"type": "string"}, "does not end"),
        ("1 +", {"type": "decimal"}, "ends too early"),
        ("total + 1", {"type": "decimal"}, "a cell computes"),
        ("100", {"type": "string"}, "string is declared"),
        ("'100'", {"type": "decimal"}, "decimal is declared"),
        ("'true'", {"type": "boolean"}, "boolean is declared"),
        ("1.5", {"type": "integer"}, "no whole number"),
        ("1.505", {"type": "decimal", "places": 2}, "more than 2 decimals"),
        ("'maybe'", {"type": "string", "values": ["yes", "no"]}, "none of the declared values"),
        ("'2026-13-01'", {"type": "date"}, "is no date"),
        ("[1, 2]", {"type": "decimal"}, "a list"),
        ("$", {"type": "decimal"}, "cannot stand here"),
    ],
)
def test_an_output_that_would_never_come_out_is_refused(output: str, declared: dict[str, Any], what: str) -> None:
    (wrong,) = refused(simple(("", output), outputs={"out": declared}))
    assert wrong.where == "limit@1.rules.json: table 'limits', row 1, column 'Out'"
    assert what in f"{wrong.what} ({wrong.todo})"


def test_every_fault_is_named_at_once() -> None:
    wrong = refused(simple(("> > 1", "'a'"), ("'x'", "b"), ("", "")))
    assert [violation.where.partition("row ")[2] for violation in wrong] == [
        "1, column 'Total'",
        "2, column 'Total'",
        "2, column 'Out'",
        "3, column 'Out'",
    ]


def test_a_row_that_no_input_reaches_is_refused() -> None:
    (wrong,) = refused(simple((">= 100", "'a'"), ("> 200", "'b'"), ("", "'c'")))
    assert "row 2" in wrong.where
    assert "row 1 answers" in wrong.what
    (wrong,) = refused(simple((">= 100", "'a'"), ("< 100", "'b'"), ("", "'c'")))
    assert "row 3" in wrong.where
    assert "together answer" in wrong.what
    (wrong,) = refused(simple(("true", "'a'"), ("false", "'b'"), ("", "'c'"), inputs={"given": {"type": "boolean"}}))
    assert "row 3" in wrong.where


def test_columns_of_one_field_that_exclude_each_other_are_refused() -> None:
    node = table_node(
        [column("low", "total"), column("high", "total")],
        [column("out")],
        [{"low": "> 10", "high": "< 5", "out": "'a'"}],
    )
    (wrong,) = refused(document([node]))
    assert "exclude each other" in wrong.what


def test_a_row_that_cannot_be_proven_needs_an_example() -> None:
    inputs = {"total": {"type": "decimal"}, "limit": {"type": "decimal"}}
    node = table_node(
        [column("total"), column("free", "")],
        [column("out")],
        [{"free": "total > limit", "out": "'above'"}, {"out": "'below'"}],
    )
    (wrong,) = refused(document([node], inputs=inputs))
    assert wrong.rule == "unproven"
    assert "row 1" in wrong.where
    shown = {"input": {"total": "2", "limit": "1"}, "output": {"out": "above"}}
    assert ask(load(document([node], inputs=inputs, examples=[shown])), total="1", limit="1").output == {"out": "below"}


def test_a_failing_example_refuses_the_file() -> None:
    content = simple(("> 100", "'large'"), ("", "'small'"))
    content["interlock"]["examples"] = [
        {"note": "at the limit", "input": {"total": "100"}, "output": {"out": "large"}},
        {"input": {"total": 3.5}, "output": {"out": "small"}},
        {"input": {"totl": "1", "total": "1"}, "output": {"out": "small"}},
    ]
    at_limit, mistyped, unknown = refused(content)
    assert "example 1 (at the limit)" in at_limit.where
    assert "{'out': 'small'}, not {'out': 'large'}" in at_limit.what
    assert "not decimal" in mistyped.what
    assert "'totl' is declared nowhere" in unknown.what


def change(path: str, value: Any) -> Any:
    """The simple file with one value set (or removed, if None) by a path of keys and numbers."""
    content = copy.deepcopy(simple(("> 100", "'large'"), ("", "'small'")))
    place: Any = content
    *keys, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in keys:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


TABLE = "nodes/1/content"


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("nodes/1/type", "functionNode", "a node of type 'functionNode'"),
        ("nodes/1/type", "switchNode", "a node of type 'switchNode'"),
        ("nodes/1/content", "code", "not an object"),
        (f"{TABLE}/hitPolicy", "unique", "hitPolicy is 'unique'"),
        (f"{TABLE}/hitPolicy", "collect", "outputPath of a table that collects"),
        (f"{TABLE}/executionMode", "loop", "executionMode is 'loop'"),
        (f"{TABLE}/inputField", "items", "inputField is 'items'"),
        (f"{TABLE}/outputPath", "hidden", "outputPath is 'hidden'"),
        (f"{TABLE}/passThrough", "yes", "passThrough"),
        (f"{TABLE}/surprise", 1, "the key 'surprise' is unknown"),
        (f"{TABLE}/rules", [], "it has 0 rows"),
        (f"{TABLE}/rules/0/total", None, "the cell is missing"),
        (f"{TABLE}/rules/0/total", 100, "not text"),
        (f"{TABLE}/rules/0/ttal", "> 5", "the key 'ttal' is unknown"),
        (f"{TABLE}/inputs/0/field", "totl", "'totl', which is no single value"),
        (f"{TABLE}/inputs/0/defaultValue", "x", "the key 'defaultValue' is unknown"),
        (f"{TABLE}/outputs/0/field", "a.b", "is no name"),
        (f"{TABLE}/outputs/0/field", "not", "is no name"),
        (f"{TABLE}/outputs/0/id", "total", "two columns have the id"),
        (f"{TABLE}/outputs/0/field", "ot", "no node gives it"),
        ("nodes/0/content", {"schema": "{}"}, "a schema in the node"),
        ("edges/0/targetId", "out", "no single chain"),
        ("edges/1", None, "no single chain"),
        ("edges", [], "no single chain"),
        ("interlock", None, "it is missing"),
        ("interlock/inputs", None, "nothing is declared|missing"),
        ("interlock/inputs/total/type", "money", "money"),
        ("interlock/inputs/total/tpye", "decimal", "tpye"),
        ("interlock/inputs/total/if_missing", "cheap", "if_missing"),
        ("interlock/inputs/total/values", ["1"], "values are listed for decimal"),
        ("interlock/inputs/and", {"type": "string"}, "is no name"),
        ("interlock/inputs/age", {"type": "integer", "days_since": "total"}, "counts from no date"),
        ("interlock/inputs/rows", {"type": "rows"}, "an input of rows"),
        ("interlock/outputs/other", {"type": "string"}, "no node gives it"),
        ("interlock/outputs/out/places", 2, "places 2 for string"),
        ("interlock/outputs/out/columns", {"a": {"type": "string"}}, "columns belong to rows"),
        ("interlock/owner", None, "owner"),
        ("interlock/ownr", "x", "ownr"),
        ("surprise", 1, "the key 'surprise' is unknown"),
    ],
)
def test_what_is_not_understood_is_refused(path: str, value: Any, what: str) -> None:
    wrong = refused(change(path, value))
    text = "\n".join(str(violation) for violation in wrong)
    assert any(part in text for part in what.split("|")), text


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no JSON"),
        (b"[]", "not an object"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b'{"nodes": 1, "nodes": 2}', "stands twice"),
        (b'{"a": "\\ud800"}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b" " * 1_100_000, "bytes"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON"),
    ],
)
def test_bytes_that_are_no_rules_file_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(RulesInvalid) as cause:
        load_rules(data, "x.rules.json")
    assert what in str(cause.value)


def test_columns_may_have_any_id() -> None:
    node = table_node(
        [{"id": "_id", "name": "Total", "field": "total"}],
        [column("out")],
        [{"_id": "> 5", "out": "'a'"}, {"_id": "", "out": "'b'"}],
    )
    assert ask(load(document([node])), total="6").output == {"out": "a"}


def test_the_digest_is_of_the_bytes() -> None:
    one, same = load(simple(("", "'a'"))), load(simple(("", "'a'")))
    assert one.digest == same.digest
    assert len(one.digest) == 32
    assert load(simple(("", "'b'"))).digest != one.digest


def test_rows_of_a_wide_and_tangled_table_are_proven_without_examples() -> None:
    drawn = random.Random(1)
    names = [f"c{place}" for place in range(8)]
    rows: list[dict[str, str]] = []
    for number in range(60):
        lows = {name: drawn.randint(0, 500) for name in drawn.sample(names, 4)}
        rows.append({name: f"[{low}..{low + 300}]" for name, low in lows.items()} | {"out": f"'row {number}'"})
    node = table_node([column(name) for name in names], [column("out")], rows)
    rules = load(document([node], inputs={name: {"type": "decimal"} for name in names}))
    assert ask(rules, **dict.fromkeys(names, "250")).fired[0].table == "limits"
