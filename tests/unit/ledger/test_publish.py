"""The folder of published checkpoints: it never shrinks, whoever is late, is killed, or has a wrong clock."""

from __future__ import annotations

import fcntl
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from interlock.errors import LedgerBroken
from interlock.ledger import publish as room
from interlock.ledger.checkpoint import Checkpoint, read_checkpoint
from interlock.ledger.keys import make_key
from interlock.ledger.note import read_note, sign_note
from interlock.ledger.publish import Outside
from interlock_verify.checkpoint import Trust
from interlock_verify.history import check_history
from interlock_verify.note import read_key

KEY = make_key("x.example/log")
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
MOMENT = timedelta(milliseconds=50)


def signed(size: int, said: str = "") -> tuple[Checkpoint, str]:
    one = Checkpoint("x.example/log", size, hashlib.sha256(f"{said}{size}".encode()).digest())
    return one, sign_note(one.text, [KEY])


def put(outside: Outside, size: int, at: datetime = MIDNIGHT) -> Checkpoint:
    return outside.publish(*signed(size), at)


def newest(outside: Outside) -> int:
    note = outside.newest()
    return read_checkpoint(read_note(note).text).size if note else -1


def failures(folder: Path) -> list[str]:
    trusted = Trust.of([read_key(str(KEY.verifier))])
    return [str(one) for one in check_history(folder, trusted).findings.failures]


def test_a_late_one_is_not_published_over_a_larger_one(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    assert put(outside, 5).size == 5
    assert put(outside, 3).size == 5
    assert put(outside, 5).size == 5
    assert len(outside.all()) == 1
    with pytest.raises(LedgerBroken, match="two databases are one log"):
        outside.publish(*signed(5, "another"), MIDNIGHT)
    assert newest(outside) == 5
    assert failures(tmp_path) == []


def test_two_clocks_at_midnight_keep_the_order(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    for size, at in ((10, MIDNIGHT + MOMENT), (12, MIDNIGHT - MOMENT), (14, MIDNIGHT + timedelta(days=1))):
        put(outside, size, at)
    assert sorted(one.name for one in (tmp_path / "history").iterdir()) == ["2026-01-02.jsonl", "2026-01-03.jsonl"]
    assert failures(tmp_path) == []


def test_a_line_that_was_not_finished_yesterday_is_dropped_today(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    put(outside, 10, MIDNIGHT - MOMENT)
    yesterday = tmp_path / "history" / "2026-01-01.jsonl"
    with yesterday.open("ab") as file:
        file.write(b'{"at":"2026')
    assert newest(outside) == 10
    put(outside, 12)
    assert yesterday.read_bytes().count(b"\n") == 1
    assert yesterday.read_bytes().endswith(b"\n")


def test_what_is_in_the_history_was_published_and_the_newest_is_mended(tmp_path: Path) -> None:
    outside = Outside(tmp_path)
    put(outside, 10)
    before = (tmp_path / "checkpoint").read_text()
    put(outside, 12)
    for lost in (before, None):  # killed before the newest was put in place; or somebody took it away
        (tmp_path / "checkpoint").unlink()
        if lost:
            (tmp_path / "checkpoint").write_text(lost)
        assert newest(outside) == 12
        outside.mend()
        assert (tmp_path / "checkpoint").read_text() == signed(12)[1]
    for day in (tmp_path / "history").iterdir():
        day.unlink()
    assert newest(outside) == 12
    (tmp_path / "history" / "2026-01-05.jsonl").write_text('{"at":"2026')
    assert newest(outside) == 12
    assert outside.abandon(MIDNIGHT) is not None
    assert newest(outside) == -1


def test_of_two_that_publish_at_once_one_waits_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOCK_S", 0.05)
    outside = Outside(tmp_path)
    put(outside, 1)
    with (tmp_path / ".lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another process has been publishing"):
            put(outside, 2)
    assert put(outside, 2).size == 2
