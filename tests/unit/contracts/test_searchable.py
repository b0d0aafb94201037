"""Which fields decisions are found by, as a contract declares them; and what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.contracts import Contract
from interlock.contracts.searchable import MOST, Searchable
from interlock.errors import ContractInvalid

Describe = Callable[..., Contract]
MARK = "customProperties: [{property: searchable, value: true}]"
PERSONAL = """\
- name: email
  logicalType: string
  required: true
  customProperties:
    - {property: subject, value: true}
    - {property: purposes, value: [audit]}
    - {property: searchable, value: true}
"""


def test_fields_are_read_at_any_depth_in_order(describe: Describe) -> None:
    nested = f"""\
- {{name: a, logicalType: integer, {MARK}}}
- {{name: b, logicalType: string}}
- name: buyer
  logicalType: object
  properties:
    - {{name: country, logicalType: string, {MARK}}}
"""
    assert describe(nested + PERSONAL).searchable == (
        Searchable("a", ("a",), "integer"),
        Searchable("buyer.country", ("buyer", "country"), "string"),
        Searchable("email", ("email",), "string", personal=True),
    )
    assert describe("- {name: a, logicalType: string}").searchable == ()


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        (f"- {{name: a, logicalType: array, items: {{logicalType: string}}, {MARK}}}", "/a is searchable"),
        (f"- {{name: a, logicalType: array, items: {{logicalType: string, {MARK}}}}}", "/a/* is searchable"),
        ("\n".join(f"- {{name: f{n}, logicalType: string, {MARK}}}" for n in range(MOST + 1)), "9 fields"),
        ("- {name: a, logicalType: string, customProperties: [{property: searchable, value: 1}]}", "neither true nor"),
    ],
)
def test_what_is_no_single_value_is_refused(describe: Describe, properties: str, told: str) -> None:
    with pytest.raises(ContractInvalid) as caught:
        describe(properties)
    assert any(told in violation.what for violation in caught.value.violations)
