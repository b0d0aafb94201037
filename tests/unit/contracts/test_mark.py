"""Marks: which fields are personal, whose they are, for what they may be read; and what of that is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interlock.contracts import Contract
from interlock.contracts.mark import Mark
from interlock.errors import ContractInvalid

Describe = Callable[..., Contract]

SUBJECT = """\
- name: email
  logicalType: string
  required: true
  customProperties:
    - {property: subject, value: true}
    - {property: purposes, value: [payment, audit]}
"""
MARK = "customProperties: [{property: personal, value: true}, {property: purposes, value: [payment]}]"


def refused(describe: Describe, properties: str, **parts: str) -> list[str]:
    with pytest.raises(ContractInvalid) as caught:
        describe(properties, **parts)
    return [violation.what for violation in caught.value.violations]


def test_nothing_is_personal_where_nothing_is_marked(describe: Describe) -> None:
    contract = describe("- {name: a, logicalType: string}")
    assert contract.personal is None
    assert contract.record.fields[0].mark == Mark()


def test_marks_are_read_at_any_depth_and_the_outermost_counts(describe: Describe) -> None:
    nested = f"""\
- name: people
  logicalType: array
  items:
    logicalType: object
    properties:
      - {{name: name, logicalType: string, {MARK}}}
      - name: home
        logicalType: object
        {MARK}
        properties:
          - {{name: town, logicalType: string, {MARK}}}
- {{name: note, logicalType: string, customProperties: [{{property: searchable, value: true}}]}}
"""
    contract = describe(SUBJECT + nested)
    personal = contract.personal
    assert personal is not None
    assert personal.subject == ("email",)
    assert [path for path, _ in personal.fields] == [("email",), ("people", "*", "name"), ("people", "*", "home")]
    assert personal.refuses("payment") == ()
    assert personal.refuses("audit") == ("/people/*/name", "/people/*/home")
    assert personal.covers(("people",))
    assert personal.covers(("people", "*", "home", "town"))
    assert not personal.covers(("note",))
    note = contract.record.child("note")
    assert note is not None
    assert note.mark == Mark(searchable=True)
    assert contract.not_enforced == ()


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (f"- {{name: a, logicalType: string, {MARK}}}", "no fields are marked as the subject, and /a are personal"),
        (SUBJECT + SUBJECT.replace("email", "mail"), "2 fields are marked as the subject"),
        (SUBJECT.replace("  required: true\n", ""), "the subject /email is not always there"),
        (SUBJECT.replace("string", "date"), "the subject /email is not always there as a text"),
        (SUBJECT.replace("    - {property: purposes, value: [payment, audit]}\n", ""), "nothing says for what"),
        (SUBJECT.replace("value: true", "value: 'yes'"), 'subject: "yes" is neither true nor false'),
        (SUBJECT.replace("[payment, audit]", "[Payment]"), "is no list of purposes"),
        (SUBJECT.replace("[payment, audit]", "[payment, payment]"), "is no list of purposes"),
        (SUBJECT.replace("[payment, audit]", "payment"), "is no list of purposes"),
        (SUBJECT.replace("subject, value: true", "personal, value: false"), "purposes stand at a field that is not"),
    ],
)
def test_what_cannot_be_meant_is_refused(describe: Describe, properties: str, said: str) -> None:
    assert any(said in what for what in refused(describe, properties)), refused(describe, properties)


def test_a_subject_within_an_array_is_refused(describe: Describe) -> None:
    inner = SUBJECT.replace("\n", "\n      ").rstrip()
    array = f"- name: people\n  logicalType: array\n  items:\n    logicalType: object\n    properties:\n      {inner}\n"
    assert any("stands within an array" in what for what in refused(describe, array)), refused(describe, array)


def test_no_level_may_keep_the_newest_value_of_a_personal_field(describe: Describe) -> None:
    born = f"- {{name: born, logicalType: date, {MARK}}}\n"
    level = "slaProperties:\n  - {property: latency, value: 1, unit: h, element: thing.born}\n"
    assert any("would store the values" in what for what in refused(describe, SUBJECT + born, extra=level))
