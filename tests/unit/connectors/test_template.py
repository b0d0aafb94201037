from __future__ import annotations

import pytest

from interlock.connectors.http.template import Body, Template, filled
from interlock.errors import Refused

PAYLOAD = {"to": "ana", "amount": {"amount": "12.30", "currency": "MYR"}, "count": 3, "rate": 0.5, "nothing": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{to}", "ana"),
        ("{amount.amount}", "12.30"),
        ("{key}", "k-1"),
        ("{count}", 3),
        ("{amount}", {"amount": "12.30", "currency": "MYR"}),
        ("{count} for {to}", "3 for ana"),
        ("{{to}} {to}", "{to} ana"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_look_up_alone_keeps_its_type_and_beside_text_is_text(text: str, value: object) -> None:
    assert Template.parse(text).value("k-1", PAYLOAD) == value


@pytest.mark.parametrize("text", ["{", "}", "{}", "{to", "to}", "{to!r}", "{to:>10}", "{a b}", "{a..b}", "{1 + 1}"])
def test_anything_but_dotted_names_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is no look-up"):
        Template.parse(text)


@pytest.mark.parametrize("name", ["payee", "amount.payee", "to.payee", "nothing"])
def test_a_name_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(Refused, match=f"the payload has no {name}"):
        Template.parse(f"{{{name}}}").value("k-1", PAYLOAD)


@pytest.mark.parametrize("name", ["amount", "rate"])
def test_what_has_no_exact_text_cannot_stand_in_text(name: str) -> None:
    with pytest.raises(Refused, match=f"{name} is no text"):
        Template.parse(f"x {{{name}}}").text("k-1", PAYLOAD)


def test_what_is_looked_up_cannot_change_a_path() -> None:
    template = Template.parse("/payees/{to}/payments?key={key}")
    assert template.path("a&b=c#d", {"to": "x/../y?z"}) == "/payees/x%2F..%2Fy%3Fz/payments?key=a%26b%3Dc%23d"


@pytest.mark.parametrize("payee", ["", ".", ".."])
def test_a_value_that_would_be_another_path_is_refused(payee: str) -> None:
    with pytest.raises(Refused, match="cannot stand in a path"):
        Template.parse("/payees/{to}").path("k", {"to": payee})


def test_a_value_that_looks_like_a_template_is_not_filled_again() -> None:
    assert Template.parse("for {to}").value("k-1", {"to": "{key}"}) == "for {key}"


def test_a_body_is_filled_in_all_of_its_depth() -> None:
    body: Body = {"list": [Template.parse("{to}"), 7], "deep": {"flag": True, "key": Template.parse("{key}")}}
    assert filled(body, "k-1", PAYLOAD) == {"list": ["ana", 7], "deep": {"flag": True, "key": "k-1"}}
