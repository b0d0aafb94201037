"""The second workflow as its user runs it: `interlock demo reconciliation`, in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LONGEST_S = 170
LONGEST_LONG_S = 1_500


def run_demo(folder: Path, *options: str, seconds: int = LONGEST_S) -> dict[str, Any]:
    """The report of a demo that ends well."""
    command = [str(Path(sys.executable).with_name("interlock")), "demo", "reconciliation", "--json", *options]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False, env=environ
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout)


def test_a_made_up_month_ends_with_books_that_agree_to_the_cent(tmp_path: Path) -> None:
    report = run_demo(tmp_path, "--count", "46", "--seed", "11")
    assert report["balance"]["differences"] == []
    assert report["balance"]["ours"] == report["balance"]["theirs"] > 30
    assert report["balance"]["ours_in"] == report["balance"]["theirs_in"]
    assert report["refused"] == {}
    assert report["known"] > 0
    assert report["broken"] >= 3
    assert report["score"]["automatic"] == report["score"]["automatic_right"] > 20
    assert report["recall"]["taken_back"] == report["recall"]["made_again"] > 0
    assert report["open"]
    assert all(one["leaf"] is not None for one in report["closes"])
    assert len(report["closes"]) >= 6


@pytest.mark.long
def test_real_payments_are_booked_and_scored(tmp_path: Path, shared_data: Path) -> None:
    data = shared_data / "payments"
    if not data.is_dir():
        pytest.skip(f"the real payments are not here: {data}")
    report = run_demo(tmp_path, "--data", str(data), seconds=LONGEST_LONG_S)
    assert report["balance"]["differences"] == []
    assert report["expected"] == report["actual"] == 22_540
    assert report["known"] == report["files"] == 12
    assert report["held_out"]["candidates"] > 0.98 * report["held_out"]["groups"]
    assert report["candidate_recall"] >= 0.98
