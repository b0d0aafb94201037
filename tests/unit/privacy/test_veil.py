"""Veils: tokens where the contract marks values, and wherever else the same values stand."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from interlock.contracts import Field, Shape
from interlock.contracts.mark import Mark, Personal
from interlock.privacy.token import HIDDEN, MARKER, SubjectKey
from interlock.privacy.veil import SHORTEST, Veil, replaced, tokens_of, veiled, without_strange_tokens

MARK = Mark(personal=True, purposes=("audit",))
PERSONAL = Personal(
    subject=("email",),
    fields=((("email",), MARK), (("salary",), MARK), (("people", "*", "name"), MARK), (("home",), MARK)),
)


def make(place: str, purposes: tuple[str, ...], value: object) -> str:
    return f"{MARKER}{place}|{','.join(purposes)}|{len(str(value))}}}"


def veil_of(value: dict[str, Any]) -> tuple[dict[str, Any], Veil]:
    veil = Veil()
    return veiled(PERSONAL, value, make, veil), veil


RECORD = {
    "email": "ada@example.com",
    "salary": "5200.00",
    "people": [{"name": "Ada Lovelace", "role": "x"}, {"name": None}, "odd"],
    "home": {"town": "Marylebone", "number": 12},
    "note": "free",
}


def test_marked_values_are_replaced_and_the_record_is_left() -> None:
    before = repr(RECORD)
    value, _ = veil_of(RECORD)
    assert value == {
        "email": make("/email", ("audit",), "ada@example.com"),
        "salary": make("/salary", ("audit",), "5200.00"),
        "people": [
            {"name": make("/people/*/name", ("audit",), "Ada Lovelace"), "role": "x"},
            {"name": None},
            "odd",
        ],
        "home": make("/home", ("audit",), RECORD["home"]),
        "note": "free",
    }
    assert repr(RECORD) == before
    assert len(list(tokens_of(value))) == 4
    assert replaced(value, lambda _: "x") == {**value, "email": "x", "salary": "x", "home": "x"} | {
        "people": [{"name": "x", "role": "x"}, {"name": None}, "odd"]
    }


@pytest.mark.parametrize("value", [{}, {"people": 3, "home": None}, {"people": {"*": 1}}, {"email": ["x"]}])
def test_what_is_not_of_the_form_stays_as_it_is(value: dict[str, Any]) -> None:
    protected, _ = veil_of(value)
    assert protected.keys() == value.keys()


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace lives in Marylebone",
        "ADA@EXAMPLE.COM earns 5200",
        "5,200.00 is above 5000",
        "ada lovelace, ada lovelace",
        "İ Ada Lovelace",  # its small form is longer than itself
    ],
)
def test_a_text_that_repeats_a_value_loses_it_whatever_its_case(text: str) -> None:
    _, veil = veil_of(RECORD)
    masked = veil.mask_text(text).lower()
    for clear in ("ada lovelace", "ada@example.com", "5200", "5,200", "marylebone"):
        assert clear not in masked
    assert MARKER in masked
    assert veil.mask_text(veil.mask_text(text)) == veil.mask_text(text)


def test_values_are_hidden_at_any_depth_keys_and_numbers_too() -> None:
    _, veil = veil_of(RECORD)
    masked = repr(veil.mask({"Ada Lovelace": [{"a": 5200}, 5200.0, "x", None, True, 12]}))
    assert "Ada" not in masked
    assert "5200" not in masked.replace(MARKER, "")
    assert "12" in masked  # too short to be told from any other 12


TEXT = Field(name="who", shape=Shape.STRING)
OUTPUT = Field(
    name="output",
    shape=Shape.OBJECT,
    fields=(
        TEXT,
        Field(name="limit", shape=Shape.STRING),
        Field(name="count", shape=Shape.INTEGER),
        Field(name="way", shape=Shape.STRING, choices=("Grant", "Deny")),
        Field(name="code", shape=Shape.STRING, pattern="^[A-Z][a-z]+$"),
        Field(name="said", shape=Shape.ARRAY, item=TEXT),
    ),
)


def test_an_output_keeps_its_names_choices_and_numbers_and_loses_what_repeats_a_value_in_a_free_text() -> None:
    _, veil = veil_of({**RECORD, "people": [{"name": "Grant"}, {"name": "who"}]})
    left = {"limit": "5200.00", "count": 5200, "way": "Grant", "code": "Grant"}
    masked = veil.mask_output(OUTPUT, {**left, "who": "ada@example.com", "said": ["we grant it", "to Grant"]})
    assert {name: masked[name] for name in left} == left
    assert masked["who"].startswith(MARKER)
    assert masked["said"][0] == "we grant it"
    assert masked["said"][1].startswith("to " + MARKER)


def test_a_short_value_is_found_as_a_word_of_its_own() -> None:
    _, veil = veil_of({"email": "Tab"})
    assert veil.mask({"tab": ["table", "stab", 3]}) == {"tab": ["table", "stab", 3]}
    assert "tab" not in veil.mask_text('by TAB, tab; "tab"').replace(MARKER, "").lower()
    _, veil = veil_of({"salary": "217"})
    assert veil.mask_text("1217, 2170") == "1217, 2170"
    assert veil.mask_text("217USD").startswith(MARKER)


def test_a_value_is_found_as_it_stands_in_json() -> None:
    _, veil = veil_of({"people": [{"name": 'Zoë "Z" Strömqvist'}]})
    for ascii_only in (True, False):
        assert "mqvist" not in veil.mask_text(json.dumps({"name": 'Zoë "Z" Strömqvist'}, ensure_ascii=ascii_only))


@pytest.mark.parametrize("length", range(SHORTEST, 15))
def test_the_beginning_of_a_value_at_the_end_of_a_long_text_is_hidden(length: int) -> None:
    _, veil = veil_of(RECORD)
    masked = veil.mask_text("x" * 280 + "ada@example.com"[:length])
    assert masked[:280] == "x" * 280
    assert masked[280:].startswith(MARKER)
    assert veil.mask_text(masked) == masked


def test_a_number_in_an_answer_is_no_salary_unless_it_is_long_and_spelled_the_same() -> None:
    _, veil = veil_of({**RECORD, "home": 491701234567})
    assert veil.mask_answer({"code": 5200, "big": 10**400}) == {"code": 5200, "big": 10**400}
    assert veil.mask_answer([491701234567])[0].startswith(MARKER)


def test_tokens_of_others_are_taken_out_of_what_came_from_outside() -> None:
    ours, theirs = (SubjectKey(UUID(int=one), UUID(int=9), b"k" * 32) for one in (1, 2))
    mine, other = (key.token("/name", ("audit",), "x") for key in (ours, theirs))
    given = {other: [f"a {other} b", mine, 3]}
    assert without_strange_tokens(given, frozenset({ours.id})) == {HIDDEN: [f"a {HIDDEN} b", mine, 3]}


def test_a_key_that_repeats_a_telling_value_is_known() -> None:
    _, veil = veil_of(RECORD)
    assert veil.repeats("claim-Ada@example.com-7")
    assert not veil.repeats("claim-5200.00")
    assert not Veil().repeats("x")
