"""Conditions as functions against their meaning, walked plainly, and against the rule engine."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from interlock.components.engine import Formula
from interlock.components.syntax import Parser
from interlock.decisions.condition import Facts, compile_condition
from interlock.errors import ComponentFailed, RulesInvalid
from interlock.money import Money

sys.path.insert(0, str(Path(__file__).parent))
from condition_walk import Walk

comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
equalities = st.sampled_from(["==", "!="])
numbers = st.sampled_from(["0", "0.5", "1", "31", "31.00", "-1.50", "12345678901234567.89"])
shares = st.sampled_from(["0", "0.5", "0.87", "0.9", "1"])
amounts = st.sampled_from(["0 MYR", "31 MYR", "31.00 MYR", "-5 MYR", "92233720368547758.07 MYR"])
texts = st.sampled_from(["'a'", "'near'", "'31.00'", "''", "'é'"])
fields = st.sampled_from(
    ["output.total", "output.name", "output.sure", "input.amount", "input.deep.down", "output.tags"]
)

atoms = st.one_of(
    st.builds("exposure {} {}".format, comparisons, amounts),
    st.builds("{} {} exposure".format, amounts, comparisons),
    st.builds("exposure {} [{}, {}]".format, st.sampled_from(["in", "not in"]), amounts, amounts),
    st.builds("confidence {} {}".format, comparisons, shares),
    st.builds("confidence in {}{}..{}{}".format, st.sampled_from("[("), shares, shares, st.sampled_from("])")),
    st.builds("{} {} {}".format, fields, comparisons, numbers),
    st.builds("{} {} {}".format, numbers, comparisons, fields),
    st.builds("{} {} {}".format, fields, comparisons, fields),
    st.builds("{} {} {}".format, fields, comparisons, st.sampled_from(["confidence", "len(findings)", "-1.50"])),
    st.builds("{} {} {}".format, fields, equalities, texts),
    st.builds("{} {} {}".format, fields, equalities, st.sampled_from(["true", "false"])),
    st.builds("{} in [{}, {}]".format, fields, texts, texts),
    st.builds("{} in [{}, {}]".format, fields, numbers, numbers),
    st.builds("{} in [{}..{}]".format, fields, numbers, numbers),
    st.builds("{} {} findings".format, texts | fields, st.sampled_from(["in", "not in"])),
    st.builds("{} in {}".format, texts, fields),
    st.builds("len({}) {} {}".format, fields | st.just("findings"), comparisons, st.sampled_from("012")),
    st.builds("{}({}, {})".format, st.sampled_from(["startsWith", "endsWith", "contains"]), fields, texts | fields),
    fields,
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)
values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["31.00", "31", "031", "-0", "-1.50", "12345678901234567.89"]),
    st.sampled_from(["a", "near", "", "é", "1e3", "\ud800", "a\x00"]),
    st.sampled_from([None, True, False, 0, 1, 31, 10**18, 0.5, 31.0, float("nan"), float("inf"), Decimal("31.0")]),
    st.sampled_from([["near"], ["31.0", "a"], ["a", 1], [], {}, {"down": "a"}, {"down": None}, {"down": 31}]),
    st.floats(),
    st.text(max_size=4),
)
facts = st.builds(
    Facts,
    input=st.dictionaries(st.sampled_from(["amount", "deep"]), values),
    output=st.dictionaries(st.sampled_from(["total", "name", "sure", "tags"]), values),
    confidence=st.floats(0, 1) | st.sampled_from([0.5, 0.87, 0.9, 1.0, float("nan")]),
    exposure=st.sampled_from(
        [None, Money("31.00", "MYR"), Money("-5", "MYR"), Money("31.00", "USD"), Money("0", "MYR")]
    ),
    findings=st.lists(st.sampled_from(["near", "a", "é"]), max_size=2).map(tuple),
)


@settings(max_examples=600, deadline=None)
@given(conditions, st.lists(facts, min_size=1, max_size=6))
def test_the_function_says_what_the_condition_means(text: str, asked: list[Facts]) -> None:
    try:
        condition = compile_condition(text)
    except RulesInvalid:
        assume(False)  # noqa: FBT003 - hypothesis has it so
        raise
    tree = Parser(text, money=True).expression()
    for one in asked:
        try:
            expected: bool | str = Walk(one).holds(tree)
        except ComponentFailed as failed:
            expected = f"the condition {text!r} cannot be decided: {failed.what} {failed.where}"
        try:
            found: bool | str = condition.holds(one)
        except ComponentFailed as failed:
            found = f"{failed.what} {failed.where}"
        event(f"{type(expected).__name__} expected")
        assert found == expected


exact = st.decimals(min_value=-(10**15), max_value=10**15, places=2, allow_nan=False).map(lambda one: one or Decimal(0))


@settings(max_examples=200, deadline=None)
@given(exact, exact.map(abs), st.sampled_from(["a", "near", "", "é"]), st.booleans(), comparisons, numbers)
@example(Decimal("12345678901234567.89"), Decimal(0), "a", True, ">=", "12345678901234567.89")  # noqa: FBT003 - drawn
def test_the_engine_agrees(  # noqa: PLR0913, PLR0917, RUF100 - what is drawn
    total: Decimal,
    exposure: Decimal,
    name: str,
    sure: bool,  # noqa: FBT001 - drawn
    operator: str,
    number: str,
) -> None:
    template = (
        "{total} {operator} {number} and not {sure} or {exposure} {operator} 31{myr} and ({name} in ['a', 'é'] "
        "or startsWith({name}, 'ne')) or {total} in (0..31] or {sure} and {name} != 'a' and {total} == 12.5"
    )
    ours = template.format(
        total="output.total",
        sure="output.sure",
        name="output.name",
        exposure="exposure",
        myr=" MYR",
        operator=operator,
        number=number,
    )
    zens = template.format(
        total="total", sure="sure", name="name", exposure="exposure", myr="", operator=operator, number=number
    )
    found = compile_condition(ours).holds(
        Facts(
            input={},
            output={"total": format(total, "f"), "sure": sure, "name": name},
            confidence=1.0,
            exposure=Money(exposure, "MYR"),
            findings=(),
        )
    )
    assert found is Formula(zens).evaluate({"total": total, "sure": sure, "name": name, "exposure": exposure})
