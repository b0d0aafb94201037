"""The files of a run: cut back to what was recorded, whole under their names only, the same rows in every form."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import polars as pl
import pytest

from interlock.batch import files
from interlock.batch.files import Form, Growing, form_of
from interlock.batch.results import Decided
from interlock.errors import Refused


def decided(row: int) -> Decided:
    """A row that tries its cells."""
    return Decided(
        row=row, key=f'k"{row},', decision=str(UUID(int=row)), route="automatic", settled=row % 2 == 0,
        output=msgspec.Raw(b'{"note":"a, \\"b\\"\\n"}') if row % 3 else None, confidence=row / 7 if row % 2 else None,
        component="rules:a@1", exposure="12.30 EUR", reasons=msgspec.Raw(b"[]"), review=None, follow=f"/v1/{row}",
        valid_until="2026-11-21T12:00:00Z" if row % 2 else "2026-11-21T12:00:00.123456Z",
        decided_at="2026-11-21T12:00:00Z", known=False,
    )  # fmt: skip


@pytest.mark.parametrize("form", list(Form))
def test_what_was_not_recorded_is_cut_off_and_made_again(
    tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PIECE", 700)
    first = Growing(tmp_path / "out", Decided, form, 0)
    first.add([decided(row) for row in range(1, 21)])
    recorded = first.length
    first.add([decided(99)])
    first.close()
    again = Growing(tmp_path / "out", Decided, form, recorded)
    again.add([decided(row) for row in range(21, 41)])
    target = tmp_path / f"t.{form}"
    assert not target.exists()
    again.finish(target)
    assert not (tmp_path / "out").exists()
    assert [int(row["row"]) for row in _rows(target, form)] == list(range(1, 41))
    one = _rows(target, form)[0]
    assert (one["key"], one["exposure"]) == ('k"1,', "12.30 EUR")
    output: Any = one["output"] if form is Form.JSONL else json.loads(one["output"])
    assert output == {"note": 'a, "b"\n'}
    if form is Form.PARQUET:
        assert one["decided_at"] == datetime(2026, 11, 21, 12, tzinfo=UTC)
        assert _rows(target, form)[2]["output"] is None


def _rows(path: Path, form: Form) -> list[dict[str, Any]]:
    if form is Form.PARQUET:
        return pl.read_parquet(path).to_dicts()
    if form is Form.JSONL:
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream)]


def test_a_file_that_lost_rows_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"short")
    with pytest.raises(Refused, match="shorter than was recorded"):
        Growing(tmp_path / "out", Decided, Form.CSV, 6)


def test_a_name_says_its_form() -> None:
    assert form_of(Path("a.PARQUET"), option="--out") is Form.PARQUET
    with pytest.raises(Refused, match="does not say"):
        form_of(Path("a"), option="--out")
    with pytest.raises(Refused, match="does not say"):
        form_of(Path("a.parquet"), option="--rejects", among=(Form.CSV, Form.JSONL))
