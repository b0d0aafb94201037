"""How a feature's function is declared to be bounded in a workflow's file, and what is refused."""

from __future__ import annotations

import pytest

from interlock.cases.declaration import read_declaration
from interlock.decisions.features.feature import Feature
from interlock.errors import DeclarationInvalid

FILE = """\
workflow: claims
contract: claim@1
time_zone: Asia/Kuala_Lumpur
features:
  one@1: {{{source}, output: string{more}}}
decisions:
  assess:
    components: [rules:r@1, person]
    input: claim@1
    output: verdict@1
    features: [one@1]
"""
COMPUTED = "from: 'm:f', input: claim@1"
STORED = "table: features, entity: input.who"


def read(source: str, more: str) -> Feature:
    (feature,) = read_declaration(FILE.format(source=source, more=more).encode(), "f.yaml").decisions["assess"].features
    return feature


@pytest.mark.parametrize(("more", "bounded"), [("", False), (", bounded: true", True), (", bounded: false", False)])
def test_a_function_is_bounded_only_where_the_file_says_so(more: str, *, bounded: bool) -> None:
    assert read(COMPUTED, more).bounded is bounded
    assert not read(STORED, "").bounded


@pytest.mark.parametrize(
    ("source", "more", "what"),
    [
        (COMPUTED, ", bounded: mostly", "'mostly' is neither true nor false"),
        (STORED, ", bounded: true", "bounded goes with from"),
    ],
)
def test_what_bounds_nothing_is_refused(source: str, more: str, what: str) -> None:
    with pytest.raises(DeclarationInvalid) as refused:
        read(source, more)
    assert any(what in str(one) for one in refused.value.violations), refused.value.violations
