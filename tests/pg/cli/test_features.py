"""Features by command line: loaded from every kind of table, and seen as they were known."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from .conftest import Run

REFUNDS = Path(__file__).resolve().parents[3] / "examples" / "refunds"
FLOW = """
from interlock import Case, workflow

@workflow("spending", version="1", file="spending.workflow.yaml")
async def spending(case: Case) -> str:
    return "done"

def is_long(value, now):
    return len(value["customer"]) > 10
"""
FILE = """\
workflow: spending
contract: refund-request@1
features:
  spend@1: {table: features, entity: input.customer, output: decimal}
  visits@2: {table: features, entity: input.customer, output: integer}
  known@1: {table: features, entity: input.customer, output: boolean}
  since@1: {table: features, entity: input.customer, output: date}
  answer@1: {table: features, entity: input.customer, output: refund-decision@1}
  is-long@1: {from: 'spending_flow:is_long', input: refund-request@1, output: boolean}
decisions:
  approve:
    components: [rules:approve-refund@1, person]
    input: refund-request@1
    output: refund-decision@1
    features: [spend@1, is-long@1]
"""
AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def spending(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow with features, in the folder in which commands run."""
    for part in ("contracts", "components"):
        shutil.copytree(REFUNDS / part, tmp_path / part)
    (tmp_path / "spending_flow.py").write_text(FLOW)
    (tmp_path / "spending.workflow.yaml").write_text(FILE)
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "spending_flow:spending")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "spending_flow", raising=False)
    return tmp_path


def value_of(run: Run, reference: str, entity: str, *more: str) -> Any:
    return run("features", "at", reference, entity, *more, "--json").document["value"]


def test_csv_is_loaded_and_what_is_wrong_is_named(run: Run, spending: Path) -> None:
    rows = [
        ("Ana", "12345678901234567.89", AT),
        ("Bo", "1.5e3", AT),
        ("", "1", AT),
        ("Cy", "2", "today"),
        ("Di", "", AT),
    ]
    text = "".join(",".join(row) + "\n" for row in [("entity", "value", "event_at"), *rows])
    (spending / "spend.csv").write_text(text)
    ran = run("features", "load", "spend@1", "spend.csv", "--json", code=3)
    assert (ran.document["read"], ran.document["taken"], ran.document["rejected"]) == (5, 1, 4)
    assert [one["line"] for one in ran.document["why"]] == [2, 3, 4, 5]
    shown = run("features", "load", "spend@1", "spend.csv", code=3).out
    assert "1 of 5 values of spend@1 are on record." in shown
    assert "line 2: value: '1.5e3' is not an exact number" in shown
    found = run("features", "at", "spend@1", "Ana", "--json").document
    assert found["value"] == "12345678901234567.89"
    assert found["source"].startswith("spend.csv (SHA-256 ")
    assert "12345678901234567.89" in run("features", "at", "spend@1", "Ana").out


def test_parquet_is_loaded_with_its_types(run: Run, spending: Path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for reference, value in {
        "spend@1": Decimal("31.00"), "visits@2": 7, "known@1": True, "since@1": at.date(),
        "answer@1": {"approved": True, "reason": "within_policy"},
    }.items():  # fmt: skip
        pl.DataFrame({"entity": ["Ana"], "value": [value], "event_at": [at]}).write_parquet("values.parquet")
        assert run("features", "load", reference, "values.parquet", "--json").document["taken"] == 1
    assert value_of(run, "spend@1", "Ana") == "31.00"
    assert value_of(run, "visits@2", "Ana") == 7
    assert value_of(run, "known@1", "Ana") is True
    assert value_of(run, "since@1", "Ana") == "2026-01-01"
    assert value_of(run, "answer@1", "Ana") == {"approved": True, "reason": "within_policy"}
    # a float is no exact amount, and a moment without a zone is none
    pl.DataFrame({"entity": ["Bo"], "value": [31.5], "event_at": [at]}).write_parquet("values.parquet")
    assert "exact number" in run("features", "load", "spend@1", "values.parquet", code=3).out
    bare = at.replace(tzinfo=None)
    pl.DataFrame({"entity": ["Bo"], "value": ["31.5"], "event_at": [bare]}).write_parquet("values.parquet")
    assert "time zone" in run("features", "load", "spend@1", "values.parquet", code=3).out


def test_a_value_is_shown_as_it_was_known(run: Run, spending: Path) -> None:
    lines = [{"entity": "Ana", "value": n, "event_at": f"2026-0{n}-01T00:00:00+08:00"} for n in (1, 2)]
    (spending / "visits.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "{\n")
    assert run("features", "load", "visits@2", "visits.jsonl", "--json", code=3).document["taken"] == 2
    assert value_of(run, "visits@2", "Ana") == 2
    for moment in ("2026-01-15T00:00:00Z", "1999-01-01T00:00:00+00:00"):  # neither was on record by then
        assert "there was no value" in run("features", "at", "visits@2", "Ana", "--as-of", moment, code=4).err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["load", "nothing@1", "x.csv"], 4, "no workflow declares the feature nothing@1"),
        (["load", "spend@2", "x.csv"], 4, 'did you mean "spend@1"'),
        (["load", "is-long@1", "x.csv"], 5, "is computed by spending_flow:is_long"),
        (["load", "spend", "x.csv"], 2, "names no feature"),
        (["load", "spend@1", "x.csv"], 4, "cannot be read"),
        (["load", "spend@1", "x.txt"], 2, "what kind of table"),
        (["load", "spend@1", "sql:select 1"], 2, "loaded from a file"),
        (["at", "spend@1", "Ana", "--as-of", "yesterday"], 2, "is no time"),
        (["at", "spend@1", "Ana", "--as-of", "2026-01-01T00:00:00"], 2, "is no time"),
        (["at", "spend@1", ""], 2, "nothing that a value is about"),
        (["at", "spend@1", "Nobody"], 4, "there was no value of spend@1 for 'Nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, spending: Path, arguments: list[str], code: int, said: str) -> None:
    assert said in run("features", *arguments, code=code).err


def test_a_table_without_its_columns_is_refused_whole(run: Run, spending: Path, database_url: str) -> None:
    (spending / "spend.csv").write_text("who,amount\nAna,1\n")
    ran = run("features", "load", "spend@1", "spend.csv", code=2)
    assert "entity" in ran.err
    with psycopg.connect(database_url, options="-c search_path=interlock") as admin:
        assert admin.execute("select count(*) from feature_value").fetchall() == [(0,)]
