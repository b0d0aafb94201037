"""A filter of work as a query, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.errors import Refused
from interlock.money import Money
from interlock.oversight.views import shipped_views
from interlock.oversight.work import WorkFilter, WorkKind, WorkState
from interlock.oversight.work_filter import KEYS, query_of, read_filter

WHOLE = WorkFilter(
    mine=True,
    my_team=True,
    kind=WorkKind.REVIEW,
    workflow="receipts",
    point="approve",
    queue="finance",
    team="tréasury & co",
    state=WorkState.AWAITS_SECOND,
    parked=True,
    assigned_to="ana",
    claimed_by="bo",
    text="<script>'\"%_\\",
    code="total-differs",
    exposure_from=Money("100", "JPY"),
    exposure_to=Money("1.250", "KWD"),
    confidence_from=0.25,
    confidence_to=1.0,
    due_within=timedelta(0),
    older_than=timedelta(days=2),
    second=True,
)


def test_a_filter_is_read_back_as_it_was_written() -> None:
    assert read_filter(query_of(WHOLE)) == WHOLE
    assert set(KEYS) == set(WorkFilter.__struct_fields__)
    assert query_of(WorkFilter()) == ""
    assert read_filter("?workflow=&mine=no") == WorkFilter()


@pytest.mark.parametrize(
    ("query", "where", "says"),
    [
        ("worklow=x", "worklow", "no filter of work"),
        ("queue=a&queue=b", "queue", "stands twice"),
        ("exposure_from=100", "exposure_from", "no amount of money"),
        ("exposure_from=1.5 JPY", "exposure_from", ""),
        ("confidence_from=nan", "confidence_from", "from 0 to 1"),
        ("confidence_to=90", "confidence_to", "from 0 to 1"),
        ("due_within=soon", "due_within", "no length of time"),
        ("state=gone", "state", "none of"),
        ("mine=1", "mine", "neither yes nor no"),
        ("text=%00", "text", "cannot be stored"),
        ("text=" + "x" * 201, "text", "201 characters"),
        ("text=" + "x" * 5000, "", "5005 characters"),
    ],
)
def test_what_cannot_be_read_is_named(query: str, where: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        read_filter(query)
    assert says in refused.value.what
    assert (refused.value.where or "") == where


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be stored"):
        read_filter([("text", "\ud800")])


def test_every_shipped_view_can_be_read() -> None:
    assert [query_of(read_filter(view.query)) for view in shipped_views("MYR")] == [
        view.query.replace("1000+MYR", "1000.00+MYR") for view in shipped_views("MYR")
    ]
