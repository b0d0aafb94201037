"""What a recall is told: conditions that could be on record, or a refusal that says what would be."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from interlock.cases.submit import LONGEST_KEY
from interlock.errors import InterlockError
from interlock.recall.anew import key_anew
from interlock.recall.selector import Selector, check_selector

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "selector",
    [
        Selector(),
        Selector(component="approve"),
        Selector(component="rules:a@1\0"),
        Selector(component="rules:\ud800@1"),
        Selector(component="rules:" + "a" * 2000 + "@1"),
        Selector(contract="receipt"),
        Selector(source="JOB"),
        Selector(source="publication:0192f0c1-2345-7abc-8def-0123456789ab"),
        Selector(digest="abc"),
        Selector(digest="sha256:"),
        Selector(digest="sha256:", component="rules:approve@1"),
        Selector(digest="xyz123456"),
        Selector(digest="a" * 65),
        Selector(point="approve"),
        Selector(point="shop.approve", workflow="books"),
        Selector(since=NOON, until=NOON),
    ],
)
def test_what_could_be_on_no_record_is_refused(selector: Selector) -> None:
    with pytest.raises(InterlockError) as refused:
        check_selector(selector)
    assert refused.value.todo


def test_a_selector_is_kept_in_one_form() -> None:
    kept = check_selector(
        Selector(digest="SHA256:ABCDEF01".replace("SHA256", "sha256"), point="approve", workflow="shop")
    )
    assert (kept.digest, kept.point) == ("abcdef01", "shop.approve")
    assert kept.words() == "digest abcdef01, workflow shop, point shop.approve"
    assert kept.scope == "point:shop.approve"
    assert Selector(component="rules:a@1", point="s.p").scope == "component:rules:a@1"
    assert Selector(since=NOON).scope == ""


def test_the_key_under_which_something_is_decided_anew_is_one_for_each_recall_and_key() -> None:
    one, other = UUID(int=1), UUID(int=2)
    long = "k" * LONGEST_KEY
    keys = [key_anew(key, recall) for key in ("k", long, f"{long[:-1]}l") for recall in (one, other)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= LONGEST_KEY and key.isprintable() for key in keys)
