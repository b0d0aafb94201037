"""The parts of a review's page, without a page: evidence by its shape, the form of a contract, differences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.console.item.difference import changes
from interlock.console.item.evidence import MOST_WORDS, sides, word_page
from interlock.console.item.form import entries, read_typed, refilled
from interlock.console.item.tree import tree_of
from interlock.console.item.typed import still_hidden, unhidden
from interlock.contracts import Contract
from interlock.contracts.catalog import load_catalog
from interlock.errors import Violation
from interlock.privacy.token import HIDDEN

CONTRACTS = Path(__file__).parents[3] / "src/interlock/packs/receipts/contracts"
READ = {"company": "ACME", "date": "2019-01-09", "total": "31.00", "currency": "MYR"}
PAGE: dict[str, Any] = {
    "words": ["ACME", "TOTAL", "31.00"],
    "bboxes": [[0, 0, 50, 10], [0, 20, 30, 30], [40, 21, 60, 31]],
}


@pytest.fixture(scope="module")
def fields() -> Contract:
    return load_catalog(CONTRACTS).find("receipt-fields@1")


def test_words_with_boxes_are_a_page_and_a_field_knows_where_it_was_read() -> None:
    evidence = {
        "fields": {
            "total": {"box": [40, 21, 60, 31], "text": "31.00", "confidence": 0.9, "runners_up": [{"value": "3.10"}]}
        }
    }
    page = word_page(PAGE, evidence, ("company", "date", "total"))
    assert page is not None
    assert page.lines == ("ACME", "TOTAL 31.00")
    (source,) = page.sources
    assert (source.field, source.number, source.text, source.others) == ("total", 3, "31.00", ("3.10",))
    assert page.view.x < 0 < page.view.x + page.view.width


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"words": [], "bboxes": []},
        {"words": ["a"], "bboxes": []},
        {"words": "a", "bboxes": [[0, 0, 1, 1]]},
        {"words": ["a"], "bboxes": [[0, 0, float("nan"), 1]]},
        {"words": ["a"], "bboxes": [[0, 0, 10**400, 1]]},
        {"words": ["a"], "bboxes": [[0, 0, True, 1]]},
        {"words": [1], "bboxes": [[0, 0, 1, 1]]},
    ],
)
def test_what_is_no_page_of_words_is_none(value: dict[str, Any]) -> None:
    assert word_page(value, {"fields": {"total": {"box": "x"}}}, ("total",)) is None


def test_a_page_stays_light_however_many_words_are_sent() -> None:
    many = {"words": ["w" * 500] * 2000, "bboxes": [[0, n, 9, n + 1] for n in range(2000)]}
    page = word_page(many, {}, ())
    assert page is not None
    assert (len(page.words), page.left_out) == (MOST_WORDS, 2000 - MOST_WORDS)
    assert max(len(word.text) for word in page.words) <= 121


def test_the_words_where_a_field_was_read_are_drawn_and_listed_however_long_the_page_is() -> None:
    words = [f"w{at}" for at in range(9_998)] + ["TOTAL", "31.00"]
    boxes = [[at % 10 * 60, at // 10 * 20, at % 10 * 60 + 50, at // 10 * 20 + 15] for at in range(10_000)]
    page = word_page({"words": words, "bboxes": boxes}, {"fields": {"total": {"box": boxes[-1]}}}, ("total",))
    assert page is not None
    assert [one.text for one in page.words][-2:] == ["TOTAL", "31.00"]
    assert page.words[0].text == "w0"
    assert page.lines[-1].endswith("TOTAL 31.00")
    assert (len(page.words), page.left_out, page.not_listed) == (MOST_WORDS, 10_000 - MOST_WORDS, 5_000)


def test_two_lists_of_alike_records_are_two_sides_and_what_differs_is_marked() -> None:
    found = sides(
        {
            "expected": [{"id": "1", "amount": "31.00", "memo": "A"}],
            "actual": [{"id": "2", "amount": "31.00", "memo": "B"}],
            "currency": "EUR",
        }
    )
    assert found is not None
    assert found.names == ("expected", "actual")
    assert [cell.differs for cell in found.entries[0][0]] == [True, False, True]
    assert sides({"lines": [{"a": 1}], "currency": "EUR"}) is None


def test_a_form_is_made_from_its_contract_and_read_back(fields: Contract) -> None:
    made = entries(fields.record, READ)
    assert [(one.label, one.kind, one.required) for one in made] == [
        ("Company", "text", True),
        ("Date", "date", True),
        ("Total", "decimal", True),
        ("Currency", "choice", True),
    ]
    assert "at least 0.01" in made[2].hint
    assert made[3].choices == ("MYR",)
    assert read_typed(fields.record, {one.name: one.value for one in made}).output == READ


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_is_kept(fields: Contract) -> None:
    typed = {"output:/total": "x", "output:/company": "ACME"}
    wrong = (Violation(where="/total", what="no number", rule="form"), Violation(where="", what="too big", rule="size"))
    made, rest = refilled(fields.record, typed, wrong)
    assert (made[2].value, made[2].wrong) == ("x", ("no number",))
    assert made[0].value == "ACME"
    assert [one.what for one in rest] == ["too big"]


def test_what_was_left_as_it_was_shown_is_exactly_what_it_was(fields: Contract) -> None:
    """A browser sends each end of a line as CR LF; what is empty looks like what is not there."""
    for company in ("12 Long Street\nLisbon", "Ada\rByron", "a\r\nb", "", None):
        stood = {**READ, "company": company}
        made = entries(fields.record, stood)
        sent = {one.name: re.sub(r"\r\n|\r|\n", "\r\n", one.value) for one in made}
        assert read_typed(fields.record, sent, stood).output == stood
        assert made[0].has_lines == any(end in (company or "") for end in "\r\n")
        typed = {**sent, "output:/company": "x\r\ny"}
        assert read_typed(fields.record, typed, stood).output == {**stood, "company": "x\ny"}
    assert refilled(fields.record, typed, ())[0][0].has_lines


ADA, BOB = (f"{{personal:v1:{letter * 22}:{letter * 90}}}" for letter in "AB")
PAYEES: list[Any] = [{"iban": ADA, "amount": "1.00"}, {"iban": BOB, "amount": "9000.00"}]


@pytest.mark.parametrize(
    ("amounts", "whose"),
    [
        (["1.00", "9000.00"], [ADA, BOB]),
        (["2.00", "9000.00"], [ADA, BOB]),
        (["2.00", "8000.00"], [ADA, BOB]),
        (["9000.00", "9000.00"], [ADA, BOB]),
        (["9000.00"], [BOB]),
        (["1.00"], [ADA]),
        (["2.00"], [HIDDEN]),
        (["9000.00", "1.00"], [HIDDEN, HIDDEN]),
        (["1.00", "9000.00", "5.00"], [ADA, BOB, HIDDEN]),
        (["5.00", "1.00", "9000.00"], [HIDDEN, HIDDEN, HIDDEN]),
    ],
)
def test_a_row_keeps_the_person_hidden_in_it_only_where_it_is_certain_which_row_it_was(
    amounts: list[str], whose: list[str]
) -> None:
    typed = {"payees": [{"iban": HIDDEN, "amount": amount} for amount in amounts]}
    made, _ = unhidden(typed, {"payees": PAYEES})
    assert [one["iban"] for one in made["payees"]] == whose
    assert still_hidden(made) is (HIDDEN in whose)
    alike = [{"iban": ADA, "amount": "1.00"}, {"iban": BOB, "amount": "1.00"}]
    assert still_hidden(unhidden([{"iban": HIDDEN, "amount": "1.00"}], alike)[0])  # which of the two was taken away?


def test_words_typed_beside_a_hidden_value_stay() -> None:
    assert unhidden({"note": f"{HIDDEN} must NOT be paid"}, {"note": f"{ADA} may be paid"}) == (
        {"note": f"{ADA} must NOT be paid"},
        True,
    )
    assert unhidden(f"{HIDDEN}, {HIDDEN}", f"{ADA}, {BOB}") == (f"{ADA}, {BOB}", True)
    assert still_hidden(unhidden(f"{HIDDEN} or {HIDDEN}", f"{ADA}, {BOB}")[0])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1,\n "b": }', "line 2"),
        ("[1]", "an output is a JSON object"),
        ('{"a": NaN}', "/a: NaN is no number"),
        ('{"a": 1e999}', "/a: 1e999 is no number"),
        ('{"a": 1, "a": 2}', '/a: the key "a" stands twice'),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
    ],
)
def test_json_that_is_typed_is_refused_with_its_line(text: str, what: str) -> None:
    (violation,) = read_typed(None, {"output:": text}).violations
    assert what in violation.what


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


@given(OBJECTS, OBJECTS)
def test_there_is_a_difference_exactly_where_two_outputs_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert changes(one, one) == ()
    assert bool(changes(one, other)) == (repr_of(one) != repr_of(other))


def repr_of(value: Any) -> Any:
    """A value so that ``True`` is not ``1``, and the order of keys and empty parts count for nothing."""
    if isinstance(value, dict):
        return {key: repr_of(part) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [repr_of(part) for part in cast("list[Any]", value)]
    return (type(value).__name__, value)


def test_a_tree_folds_marks_and_ends() -> None:
    tree = tree_of({"a": {"b": 1}, "c": "(personal)"}, [Violation(where="/a/b", what="too small", rule="range")])
    assert tree.rows[0].parts[0].wrong == ("too small",)
    assert tree.rows[1].hidden
    assert tree_of({str(n): n for n in range(1000)}).cut


def test_a_short_word_in_a_wide_box_is_not_stretched_out_of_shape() -> None:
    page = word_page({"words": ["1", "COMPANY"], "bboxes": [[0, 0, 400, 20], [0, 40, 100, 60]]}, {}, ())
    assert page is not None
    short, usual = page.words
    assert 1 <= short.fitted < 30
    assert usual.fitted == usual.box.width
