from __future__ import annotations

import functools
import importlib.util
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock.components.checking import Checker, FieldType, Shape
from interlock.components.component import Question
from interlock.components.facts import write_value
from interlock.components.regions import Numbers, values_of
from interlock.components.rules import Rules, load_rules
from interlock.components.syntax import Parser
from interlock.components.tree import Misread
from interlock.errors import ComponentFailed, InterlockError, RulesInvalid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=2, allow_nan=False)
small_numbers = st.decimals(min_value=-20, max_value=20, places=1, allow_nan=False)


def one_column(*rows: tuple[str, str], given: tuple[str, str] = ("total", "decimal"), out: str = "string") -> bytes:
    """A file with one table that tests one input and sets ``out``."""
    name, kind = given
    cells = [{"cell": cell, "out": output} for cell, output in rows]
    content: dict[str, Any] = {
        "hitPolicy": "first",
        "inputs": [{"id": "cell", "name": "Cell", "field": name}],
        "outputs": [{"id": "out", "name": "Out", "field": "out"}],
        "rules": cells,
    }
    header: dict[str, Any] = {"name": "one", "version": "1", "owner": "o@example.com", "description": "One column."}
    return json.dumps(
        {
            "interlock": header | {"inputs": {name: {"type": kind}}, "outputs": {"out": {"type": out}}},
            "nodes": [
                {"id": "in", "name": "in", "type": "inputNode"},
                {"id": "t", "name": "t", "type": "decisionTableNode", "content": content},
                {"id": "end", "name": "end", "type": "outputNode"},
            ],
            "edges": [{"sourceId": "in", "targetId": "t"}, {"sourceId": "t", "targetId": "end"}],
        }
    ).encode()


def ask(rules: Rules, **facts: Any) -> dict[str, Any]:
    return rules.answer(Question(input=facts, now=NOW)).output


@functools.cache
def through() -> Rules:
    return load_rules(one_column(("", "total"), out="decimal"), "through")


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?", fullmatch=True))
@example("12345678901234567.89")
def test_every_amount_comes_out_as_it_went_in(amount: str) -> None:
    out = ask(through(), total=amount)["out"]
    assert Decimal(out) == Decimal(amount)
    assert out.partition(".")[2] == amount.partition(".")[2]


@settings(max_examples=60, deadline=None)
@given(amounts, amounts)
def test_a_threshold_is_exact_and_monotone(limit: Decimal, amount: Decimal) -> None:
    rules = load_rules(one_column((f">= {limit}", "'above'"), ("", "'below'")), "threshold")
    cent = Decimal("0.01")
    expected = "above" if amount >= limit else "below"
    assert ask(rules, total=str(amount))["out"] == expected
    assert ask(rules, total=str(limit))["out"] == "above"
    assert ask(rules, total=str(limit - cent))["out"] == "below"
    assert ask(rules, total=str(limit + cent))["out"] == "above"


@functools.cache
def approval() -> bytes:
    spec = importlib.util.find_spec("interlock.packs.receipts")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return (Path(spec.submodule_search_locations[0]) / "components" / "approve-receipt@1.rules.json").read_bytes()


@functools.cache
def approve() -> Rules:
    return load_rules(approval(), "approve-receipt@1.rules.json")


receipts = st.fixed_dictionaries(
    {
        "total": st.decimals(min_value=-10, max_value=10_000, places=2, allow_nan=False).map(str),
        "currency": st.sampled_from(["MYR", "SGD", ""]),
        "fields_missing": st.integers(0, 3),
        "duplicate": st.sampled_from(["none", "exact", "near"]),
        "findings": st.integers(0, 2),
        "age_days": st.integers(-5, 400),
        "company_known": st.booleans(),
        "company": st.text(max_size=20),
    }
)


@given(receipts, st.decimals(min_value=0, max_value=10_000, places=2, allow_nan=False))
def test_more_money_is_never_approved_more_easily(receipt: dict[str, Any], more: Decimal) -> None:
    dearer = receipt | {"total": str(Decimal(receipt["total"]) + more)}
    if Decimal(receipt["total"]) > 0 and not ask(approve(), **receipt)["approved"]:
        assert not ask(approve(), **dearer)["approved"]


@given(receipts)
def test_approved_only_within_the_policy(receipt: dict[str, Any]) -> None:
    output = ask(approve(), **receipt)
    within = (
        0 < Decimal(receipt["total"]) < 100
        and receipt["currency"] == "MYR"
        and receipt["duplicate"] == "none"
        and receipt["fields_missing"] == receipt["findings"] == 0
        and 0 <= receipt["age_days"] <= 90
        and receipt["company"] != ""
        and (receipt["company_known"] or Decimal(receipt["total"]) <= 50)
    )
    assert output["approved"] is within
    assert not (output["approved"] and output["refer"])


cells = st.one_of(
    st.text(alphabet="<>=![](),.$-+'ab019 \tandorit?:", max_size=14),
    st.builds(
        "{}{} {}".format,
        st.sampled_from(["", " ", "not "]),
        st.sampled_from([">", "<=", "==", "in", "", "["]),
        small_numbers,
    ),
    st.builds("[{}..{}]".format, small_numbers, small_numbers),
)


@settings(max_examples=400, deadline=None)
@given(cells, st.sampled_from(["decimal", "integer", "string", "boolean"]))
@example("", "decimal")
@example("-", "decimal")
def test_a_cell_is_refused_or_proven_to_fire(cell: str, kind: str) -> None:
    try:
        rules = load_rules(one_column((cell, "'fired'"), given=("given", kind)), "one-cell")
    except RulesInvalid as refused:
        _is_told(refused)
        return
    # INVARIANT of loading: some input fired the row; and no input of the type makes the engine stumble.
    probes: dict[str, list[Any]] = {
        "decimal": ["-1", "0", "0.5", "1", "19.9"],
        "integer": [-1, 0, 1, 19],
        "string": ["", "a", "b", "0"],
        "boolean": [True, False],
    }
    for value in probes[kind]:
        try:
            assert ask(rules, given=value) == {"out": "fired"}
        except ComponentFailed as failed:
            _fires_no_row(failed)


def _fires_no_row(failed: ComponentFailed) -> None:
    assert "no row" in failed.what


@settings(max_examples=300, deadline=None)
@given(cells, small_numbers)
def test_our_reading_of_a_cell_is_the_engines(cell: str, number: Decimal) -> None:
    shape = Shape(FieldType.DECIMAL)
    try:
        tests = Parser(cell, unary=True).cell()
        values = [values_of(test, shape) for test in tests if Checker({}, current=shape, total=True).shape(test)]
        rules = load_rules(one_column((cell, "'in'"), ("", "'out'")), "cell")
    except (Misread, RulesInvalid):
        return
    if not cell.strip() or not all(isinstance(one, Numbers) for one in values):
        return
    pieces = [piece for one in values if isinstance(one, Numbers) for piece in one.pieces]
    inside = any(low <= (number, 0) and (number, 1) <= high for low, high in pieces)
    assert ask(rules, total=str(number))["out"] == ("in" if inside else "out")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """The approval table with one value somewhere replaced, removed or repeated, or some bytes changed."""
    content: Any = json.loads(approval())
    if draw(st.booleans()):
        data = bytearray(approval())
        for place in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=4)):
            data[place] = draw(st.integers(0, 255))
        return bytes(data)
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [content]
    while waiting:
        place = waiting.pop()
        entries: list[tuple[Any, Any]] = list(place.items()) if isinstance(place, dict) else list(enumerate(place))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - JSON
        places += [(place, key) for key, _ in entries]
        waiting += [inner for _, inner in entries if isinstance(inner, (dict, list))]
    place, key = draw(st.sampled_from(places))
    if draw(st.booleans()):
        place[key] = draw(
            st.one_of(cells, st.none(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2))
        )
    else:
        del place[key]
    return json.dumps(content).encode()


@settings(max_examples=150, deadline=None)
@given(mutated(), receipts)
def test_a_damaged_file_is_refused_or_still_answers_in_full(data: bytes, receipt: dict[str, Any]) -> None:
    try:
        rules = load_rules(data, "mutated")
    except RulesInvalid as refused:
        _is_told(refused)
        return
    try:
        output = ask(rules, **receipt)
    except ComponentFailed as failed:
        _is_failure(failed)
    else:
        assert output.keys() == rules.header.outputs.keys()
        assert None not in output.values()


def _is_told(refused: RulesInvalid) -> None:
    assert refused.violations
    assert all(violation.where and violation.what and violation.rule for violation in refused.violations)


def _is_failure(failed: ComponentFailed) -> None:
    assert failed.what
    assert "Traceback" not in failed.what


@given(st.text())
def test_text_is_never_read_back_as_a_number(text: str) -> None:
    with pytest.raises(InterlockError):
        write_value("out", text, "string", FieldType.DECIMAL)
