"""The settings of feeds of outcomes: what is read, what is refused by name, and what a query is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from interlock.autonomy.outcomes.feeds import HeldLine, Pull
from interlock.cli.doctor.outcome_feeds import check_outcome_feeds
from interlock.cli.outcomes_pulled import asked_since
from interlock.config import Settings
from interlock.errors import ConfigInvalid
from interlock.outcome_feed_settings import OUTCOME_FEED_FORMS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
GOOD = """
[outcomes.bank]
folder = "in/bank"
source = "house-bank"
point = "loans.grant"
settle = "2s"

[outcomes.collections]
url = "env:INTERLOCK_LOANS"
query = "select 1"
overlap = "2h"
"""
SECRETS = {"INTERLOCK_LOANS": "postgresql://me:secret@there/loans"}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def load(cwd: Path, toml: str, environ: dict[str, str]) -> Settings:
    (cwd / "interlock.toml").write_text(toml, "utf-8")
    return Settings.load({}, environ, cwd)


def test_every_key_is_documented() -> None:
    section = PAGE.read_text("utf-8").split("\n## Feeds of outcomes\n")[1].split("\n## ")[0]
    assert [key for key in OUTCOME_FEED_FORMS if f"| `{key}` |" not in section] == []


def test_feeds_of_both_kinds_and_the_environment_wins(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD, {**SECRETS, "INTERLOCK_OUTCOMES__BANK__EVERY": "3s"})
    bank, query = settings.outcomes["bank"], settings.outcomes["collections"]
    assert (bank.folder, bank.says, bank.point) == (tmp_path / "in/bank", "house-bank", "loans.grant")
    assert (bank.every_s, query.every_s, query.overlap) == (3.0, 60.0, timedelta(hours=2))
    assert (query.says, query.folder, "secret" in repr(settings)) == ("collections", None, False)
    assert settings.sources["outcomes.collections"] == "interlock.toml"
    told = {one.name: one.what for one in check_outcome_feeds(settings)}
    assert ("no folder" in told["outcomes bank"], told["outcomes collections"]) == (True, "every 60 s")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[outcomes.bank]", "[outcomes.Bank]", "no name"),
        ('folder = "in/bank"', 'foldr = "in/bank"', "folder"),
        ('folder = "in/bank"', 'folder = "in/bank"\nquery = "select 1"', "and not both"),
        ('settle = "2s"', 'overlap = "2h"', "of a query"),
        ('overlap = "2h"', 'settle = "2s"', "of files"),
        ('url = "env:INTERLOCK_LOANS"', "", "belong together"),
        ("env:INTERLOCK_LOANS", "postgresql://me:secret@there/loans", "no reference to a secret"),
        ("env:INTERLOCK_LOANS", "env:INTERLOCK_NONE", "no secret in env:INTERLOCK_NONE"),
        ('"house-bank"', '"House Bank"', "no name of a source"),
        ('"loans.grant"', '"grant"', "names no decision point"),
        ('"select 1"', '" "', "no query"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    environ = {} if new.endswith("NONE") or "secret@" in new else SECRETS
    with pytest.raises(ConfigInvalid, match=said):
        load(tmp_path, GOOD.replace(old, new, 1), environ)


def test_a_query_is_asked_since_a_time_and_casts_stay() -> None:
    query = "select a::since from t where changed >= :since and b <> :sincere"
    assert asked_since(query, None) == query.replace(">= :since", ">= timestamptz '-infinity'")
    assert "changed >= timestamptz '2026-03-01T12:00:00+00:00' and" in asked_since(query, NOW)


@pytest.mark.parametrize(
    ("since", "first", "then"),
    [
        (None, timedelta(days=1), None),  # it came when everything was asked for: everything is asked for again
        (NOW - timedelta(days=9), timedelta(days=1), NOW - timedelta(days=9)),
        (None, timedelta(days=41), NOW - timedelta(hours=1)),  # it has waited for long enough
    ],
)
def test_what_is_not_on_record_is_asked_for_again(since: datetime | None, first: timedelta, then: datetime) -> None:
    held = HeldLine(
        feed="a", place="sql, key 1", became="unknown", what="w", since=since, first_at=NOW - first, last_at=NOW
    )
    pull = Pull("a", None, [held], NOW)
    assert pull.next_since(timedelta(hours=1), timedelta(days=40)) == then
