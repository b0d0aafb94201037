"""Veils: tokens where the contract marks values, and wherever else the same values stand."""

from __future__ import annotations

from typing import Any

import pytest

from interlock.contracts.mark import Mark, Personal
from interlock.privacy.token import MARKER
from interlock.privacy.veil import Veil, replaced, tokens_of, veiled

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


def test_in_outputs_plain_numbers_are_left_to_mean_what_they_mean() -> None:
    _, veil = veil_of(RECORD)
    masked = veil.mask({"limit": "5200.00", "who": "ada@example.com", "count": 5200}, numbers=False)
    assert masked["limit"] == "5200.00"
    assert masked["count"] == 5200
    assert masked["who"].startswith(MARKER)


def test_a_key_that_repeats_a_telling_value_is_known() -> None:
    _, veil = veil_of(RECORD)
    assert veil.repeats("claim-Ada@example.com-7")
    assert not veil.repeats("claim-5200.00")
    assert not Veil().repeats("x")
