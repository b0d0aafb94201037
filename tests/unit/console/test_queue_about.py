from __future__ import annotations

import msgspec

from interlock.console.queue_about import About, about
from interlock.privacy.token import HIDDEN
from interlock.search.entry import SearchField
from interlock.search.term import Kind

COMPANY = SearchField("company", ("company",), "string", Kind.TEXT, b"k")
NOTE = SearchField("output.reason", ("why", "code"), "string", Kind.TEXT, b"l")
NAME = SearchField("name", ("name",), "string", Kind.PERSONAL, b"m")


def asked(**more: object) -> bytes:
    return msgspec.json.encode(
        {"why": ["x"], "input": {"company": "Acme <b>", "name": "Ana"}, "proposal": None, **more}
    )


def test_a_row_names_what_its_point_is_searched_by_and_never_what_is_personal() -> None:
    question = asked(proposal={"why": {"code": "late"}}, proposed_by="rules:approve@1")
    told = about(question, "claim-7", (COMPANY, NAME, NOTE))
    assert told == About(named="Acme <b> · late", key="claim-7", by_rule=True)
    assert about(asked(proposed_by="onnx:fields@1"), None, (NOTE,)) == About(named="", key="", by_rule=False)


def test_a_row_of_any_shape_is_told_within_its_bounds() -> None:
    long = about(asked(input={"company": "x" * 500}), "k" * 500, (COMPANY,))
    assert len(long.named) < 70
    assert len(long.key) < 70
    assert about(asked(input={"company": ["list"]}), None, (COMPANY,)).named == ""
    assert about(asked(input={"company": HIDDEN}), None, (COMPANY,)).named == ""
    assert about(None, "claim-8", (COMPANY,)) == About(named="", key="claim-8", by_rule=False)
