"""A folder of published checkpoints: JSON lines with ``at``, ``size``, ``root`` and ``note``, a file a day.

Only what was published tells a log from one that was rolled back or rewritten: keep a copy out of reach of its people.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from interlock_verify.check import Findings, check_fork, root_text
from interlock_verify.checkpoint import Checkpoint, Trust
from interlock_verify.refusal import Unproved, Unreadable, plain
from interlock_verify.strict_json import a_count, a_moment, a_text, an_object, read_json, utf8

MOST_LINE = 1 << 20
MOST_ROOTS = 200_000
"""Roots that are kept to find two of one size; what is further back still shows as a size that shrinks."""


@dataclass
class History:
    """What a folder says: what is wrong with it, how many checkpoints it has, the newest, and the latest roots.

    ``unfinished`` counts last lines without their end, which a killed process began: they were never published.
    """

    findings: Findings = field(default_factory=Findings)
    checkpoints: int = 0
    unfinished: int = 0
    newest: Checkpoint | None = None
    roots: dict[int, bytes] = field(default_factory=dict[int, bytes])


def check_history(folder: Path, trust: Trust) -> History:
    """Check every published checkpoint of a folder: its signature, that sizes never shrink, and one root for one size.

    Args:
        folder: With files ``*.jsonl``, or with a folder ``history`` of them; or one such file. None is ``Unreadable``.
        trust: Keys and origin that the auditor obtained independently; changes of the key are added to it.
    """
    files = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl")) or sorted(folder.glob("history/*.jsonl"))
    if not files:
        raise Unreadable(f"{plain(str(folder))} holds no *.jsonl file")
    history = History()
    for where, line in _lines(files):
        if len(line) < MOST_LINE and not line.endswith(b"\n"):
            history.unfinished += 1
            continue
        history.checkpoints += 1
        with history.findings.noting(where):
            _check_line(line, trust, history)
    return history


def _check_line(line: bytes, trust: Trust, history: History) -> None:
    held = an_object(read_json(utf8(line)), "the line", ("at", "size", "root", "note"))
    a_moment(held["at"], "the time")
    checkpoint = trust.open(a_text(held["note"], "the note"))
    if a_count(held["size"], "the size") != checkpoint.size or held["root"] != root_text(checkpoint):
        raise Unproved("the line's size or root is not that of its note", "history")
    check_fork(checkpoint, history.roots.get(checkpoint.size))
    history.roots[checkpoint.size] = checkpoint.root
    if len(history.roots) > MOST_ROOTS:
        del history.roots[next(iter(history.roots))]
    if history.newest is not None and checkpoint.size < history.newest.size:
        raise Unproved(f"ROLLBACK: {checkpoint.size} entries after {history.newest.size}", "rollback")
    history.newest = checkpoint


def _lines(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        try:
            with file.open("rb") as stream:
                for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE), b""), 1):
                    yield f"{plain(file.name)}:{number}", line
        except OSError as refused:
            raise Unreadable(f"{plain(str(file))}: {refused.strerror or refused}") from None
