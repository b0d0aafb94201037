from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from interlock.components.checking import Checker, FieldType, Shape
from interlock.components.engine import Formula
from interlock.components.regions import Choices
from interlock.components.syntax import LONGEST, Parser
from interlock.components.tree import Misread
from interlock.decisions.condition import Facts, compile_condition
from interlock.errors import RulesInvalid
from interlock.money import Money

amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=2, allow_nan=False)
at_stake = st.decimals(min_value=0, max_value=10**15, places=2, allow_nan=False)


@given(st.text(max_size=40))
@example("(" * 2000)
@example("a?" * 900)
@example("-" * 1999)
@example("not " * 400)
def test_no_text_breaks_the_reader(text: str) -> None:
    for money in (False, True):
        try:
            Parser(text, unary=True, money=money).cell()
        except Misread as refused:
            _is_told(refused.at, refused.todo)
    try:
        compile_condition(text)
    except RulesInvalid as refused:
        _is_told(0, refused.violations[0].todo)


def _is_told(place: int, todo: str) -> None:
    assert 0 <= place <= LONGEST
    assert todo


numbers = st.one_of(st.sampled_from(["x", "y"]), st.integers(0, 9).map(str), st.just("2.5"))


def combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("-({})".format, inner),
        st.builds("({} > {} ? {} : {})".format, inner, inner, inner, inner),
    )


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(numbers, combine, max_leaves=8),
    st.recursive(numbers, combine, max_leaves=4),
    st.sampled_from(["<", "<=", "==", "!=", ">", ">="]),
    st.sampled_from(["and", "or", "and not"]),
)
def test_our_reading_of_an_expression_is_the_engines(left: str, right: str, operator: str, joined: str) -> None:
    facts = {"x": Decimal(3), "y": Decimal("-1.5")}
    text = f"{left} {operator} {right} {joined} (x > y or y == 2 and x == 1)"
    checker = Checker({"x": Shape(FieldType.INTEGER), "y": Shape(FieldType.DECIMAL)})
    assert checker.shape(Parser(text).expression()) == Shape(FieldType.BOOLEAN)
    # Python's grammar has the same precedences for these, and its Decimals are exact at these sizes.
    python = f"{left} {operator} {right} {joined} (x > y or y == 2 and x == 1)".replace("2.5", "half")
    expected = _python(python, facts)
    assert Formula(text).evaluate(facts) is expected


def _python(text: str, facts: dict[str, Decimal]) -> object:
    while "?" in text:
        text = _without_choice(text)
    return bool(eval(text, {"half": Decimal("2.5")}, dict(facts)))  # noqa: S307 - built above from digits and operators


def _without_choice(text: str) -> str:
    """The first innermost ``(a > b ? c : d)`` in Python's words."""
    middle = text.index("?")
    start = end = middle
    depth = 0
    while True:
        start -= 1
        depth += (text[start] == ")") - (text[start] == "(")
        if depth < 0:
            break
    depth = 0
    colon = 0
    nested = 0
    while True:
        end += 1
        depth += (text[end] == "(") - (text[end] == ")")
        nested += text[end] == "?" and depth == 0
        if text[end] == ":" and depth == 0 and not colon:
            colon = end
        if depth < 0:
            break
    test, then, otherwise = text[start + 1 : middle], text[middle + 1 : colon], text[colon + 1 : end]
    return f"{text[:start]}(({then}) if ({test}) else ({otherwise})){text[end + 1 :]}"


@given(amounts, at_stake)
def test_exposure_is_compared_exactly(limit: Decimal, amount: Decimal) -> None:
    facts = Facts(input={}, output={}, confidence=1.0, exposure=Money(amount, "MYR"), findings=())
    assert compile_condition(f"exposure >= {limit:f} MYR").holds(facts) is (amount >= limit)
    assert compile_condition(f"exposure < {limit:f} MYR").holds(facts) is (amount < limit)


@given(st.floats(0, 1), st.floats(0.001, 0.999))
def test_less_confidence_never_passes_where_more_is_reviewed(confidence: float, bound: float) -> None:
    condition = compile_condition(f"confidence < {bound:.6f}")
    held = condition.holds(Facts(input={}, output={}, confidence=confidence, exposure=None, findings=()))
    assert held is (Decimal(repr(confidence)) < Decimal(f"{bound:.6f}"))


@given(st.sets(st.sampled_from("abcd")), st.booleans(), st.sets(st.sampled_from("abcd")), st.booleans())
def test_sets_of_text_obey_de_morgan(one: set[str], negated: bool, other: set[str], also: bool) -> None:  # noqa: FBT001 - drawn
    left, right = Choices(frozenset(one), negated=negated), Choices(frozenset(other), negated=also)
    joined = left.union(right)
    for member in "abcde":
        inside = (member in one) is not negated or (member in other) is not also
        assert ((member in joined.members) is not joined.negated) is inside
