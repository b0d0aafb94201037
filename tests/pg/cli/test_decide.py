"""`interlock decide`: every kind of table, what is refused, taken up again, and in the way of another."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from .conftest import Run, as_url

CLAIMS = [
    {"who": "ana", "total": "12.30"},
    {"who": "ben", "total": "250.00"},
    {"who": "", "total": "7.00"},
    {"who": "dan", "total": "1.234"},
]
ROUTES = ["automatic", "review"]


def as_table(folder: Path, form: str, claims: list[dict[str, Any]] | None = None) -> Path:
    """The claims as a file."""
    rows, path = claims or CLAIMS, folder / f"claims.{form}"
    if form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif form == "csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pl.DataFrame(rows).write_parquet(path)
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """A file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_row_is_decided_or_stands_beside_its_reasons(run: Run, tmp_path: Path, form: str) -> None:
    ran = run("decide", "desk.approve", "--in", str(as_table(tmp_path, form)), "--out", "out.jsonl", "--json", code=3)
    decided, refused = lines(tmp_path / "out.jsonl"), lines(tmp_path / "out.rejects.jsonl")
    assert [(row["row"], row["route"], row["settled"]) for row in decided] == [
        (1, "automatic", True),
        (2, "review", False),
    ]
    assert decided[0]["output"]["approved"] is True
    assert decided[1]["output"] is None
    assert decided[1]["follow"] == f"/v1/decisions/{decided[1]['decision']}"
    assert [row["row"] for row in refused] == [3, 4] if form != "csv" else [3, 4]
    assert refused[1]["violations"][0]["rule"] == "decimals"
    assert refused[1]["record"] == {"who": "dan", "total": "1.234"}
    assert all(row["quarantine"] for row in refused)
    report = ran.document
    assert (report["rows"], report["decided"], report["rejected"], report["reviews_opened"]) == (4, 2, 2, 1)
    assert report["money"] == {"MYR": {"automatic": "12.30", "review": "250.00"}}
    assert report["routes"] == {"automatic": 1, "review": 1}
    held = run("quarantine", "list", "--json").document
    assert len(held["quarantined"] if "quarantined" in held else held) == 2
    again = run("decide", "desk.approve", "--in", f"claims.{form}", "--out", "out.jsonl", "--json", code=3).document
    assert {**again, "seconds": 0} == {**report, "seconds": 0}
    assert not (tmp_path / "out.jsonl.run" / "out").exists()
