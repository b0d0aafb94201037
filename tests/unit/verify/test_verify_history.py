from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit.verify.a_log import Log, Signer, trust

from interlock_verify.history import History, check_history
from interlock_verify.refusal import Unreadable

OLD, NEW = Signer(1), Signer(2)


def line(note: str, /, **more: object) -> str:
    """A line of the history."""
    _, size, root = note.split("\n")[:3]
    return json.dumps({"at": "2026-05-01T10:00:00Z", "size": int(size), "root": root, "note": note, **more}) + "\n"


def published(folder: Path, days: dict[str, str], *signers: Signer) -> History:
    """What the verifier finds in a folder of these days."""
    for day, text in days.items():
        (folder / f"{day}.jsonl").write_text(text)
    return check_history(folder, trust(*signers))


def told(history: History) -> list[tuple[str, str]]:
    """Where and what is wrong."""
    return [(one.where, one.rule) for one in history.findings.failures]


def test_a_history_that_only_grows_verifies(tmp_path: Path) -> None:
    log = Log().grow(6)
    days = {
        "2026-05-02": line(log.note(5)) + line(log.note(6), at="2026-05-02T00:00:00.5Z"),
        "2026-05-01": line(log.note(0)) + line(log.note(2)) + line(log.note(2)),
    }
    history = published(tmp_path, days)
    assert told(history) == []
    assert history.checkpoints == 5
    assert history.newest is not None
    assert history.newest.size == 6
    assert history.roots[6] == history.newest.root
    (tmp_path / "up" / "history").mkdir(parents=True)
    (tmp_path / "up" / "history" / "a.jsonl").write_text(days["2026-05-01"])
    assert check_history(tmp_path / "up", trust()).checkpoints == 3
    assert check_history(tmp_path / "2026-05-01.jsonl", trust()).checkpoints == 3


def test_a_log_that_shrinks_is_told_across_days(tmp_path: Path) -> None:
    log = Log().grow(6)
    history = published(tmp_path, {"1": line(log.note(6)), "2": line(log.note(4)) + line(log.note(5))})
    assert told(history) == [("2.jsonl:1", "rollback"), ("2.jsonl:2", "rollback")]
    assert "4 entries after 6" in str(history.findings.failures[0])


def test_a_log_with_two_roots_of_one_size_is_told(tmp_path: Path) -> None:
    log, other = Log().grow(4), Log().grow(4)
    other.leaves[1] = other.leaves[2]
    history = published(
        tmp_path, {"1": line(log.note(3)) + line(log.note(4)) + line(other.note(3)) + line(other.note(4))}
    )
    assert told(history) == [("1.jsonl:3", "fork"), ("1.jsonl:4", "fork")]
    assert "FORK: two signed trees of 3 entries" in str(history.findings.failures[0])


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (line(Log([NEW]).grow(2).note()), "signature"),
        (line(Log().grow(2).note()).replace("example.com/prod", "example.com/prot", 1), "signature"),
        (line(Log().grow(2).note(), size=3), "history"),
        (line(Log().grow(2).note(), root="x"), "history"),
        (line(Log().grow(2).note(), size="2"), "form"),
        (line(Log().grow(2).note(), at="2026-05-01"), "form"),
        (line(Log().grow(2).note(), at=7), "form"),
        (line(Log().grow(2).note(), note=None), "form"),
        (line(Log().grow(2).note(), more=1), "form"),
        (line(Log().grow(2).note())[:-30] + "\n", "form"),
        ("\n", "form"),
        ("[" * 2_000_000, "form"),
    ],
)
def test_a_line_that_is_wrong_is_told_and_the_others_are_checked(tmp_path: Path, bad: str, rule: str) -> None:
    log = Log().grow(2)
    history = published(tmp_path, {"1": line(log.note(1)) + bad, "2": line(log.note(2))})
    assert told(history)[0] == ("1.jsonl:2", rule)
    assert {where for where, _ in told(history)} <= {"1.jsonl:2", "1.jsonl:3"}  # a line too long is told in pieces
    assert history.newest is not None
    assert history.newest.size == 2


def test_a_last_line_that_a_killed_process_began_was_never_published(tmp_path: Path) -> None:
    log = Log().grow(2)
    torn = line(log.note(1)) + line(log.note(2))[:-1]
    history = published(tmp_path, {"1": torn, "2": line(log.note(2))})
    assert told(history) == []
    assert (history.checkpoints, history.unfinished) == (2, 1)
    (tmp_path / "2.jsonl").unlink()
    alone = check_history(tmp_path, trust())
    assert alone.newest is not None
    assert alone.newest.size == 1  # it counts for nothing


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(b"\xff\n")
    assert told(check_history(tmp_path, trust())) == [("1.jsonl:1", "form")]


def test_a_change_of_the_key_is_followed_where_it_was_published(tmp_path: Path) -> None:
    log = Log().grow(6)
    change = log.note(3, f"next-key {NEW}", signers=[OLD, NEW])
    days = {"1": line(log.note(2)) + line(change) + line(log.note(4, signers=[NEW])) + line(log.note(5, signers=[OLD]))}
    history = published(tmp_path, days)
    assert told(history) == [("1.jsonl:4", "signature")]
    assert "was replaced at size 3" in str(history.findings.failures[0])


def test_no_history_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="holds no"):
        check_history(tmp_path, trust())
    with pytest.raises(Unreadable, match="holds no"):
        check_history(tmp_path / "none", trust())


def test_roots_are_kept_for_the_latest_sizes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock_verify.history.MOST_ROOTS", 2)
    log = Log().grow(4)
    history = published(tmp_path, {"1": "".join(line(log.note(size)) for size in (1, 2, 3, 4))})
    assert list(history.roots) == [3, 4]
