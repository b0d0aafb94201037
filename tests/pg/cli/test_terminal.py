"""What a person at a terminal sees: whole ids, no line too long, progress on the side, colour; and none elsewhere."""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from uuid import UUID

from .conftest import Advance, Run

COMMAND = [sys.executable, "-P", "-c", "from interlock.cli import main; main()"]
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def seen(environment: dict[str, str], columns: int, *arguments: str) -> tuple[str, str]:
    """What a terminal of some columns gets from a command, and the same without its control sequences."""
    ours, theirs = os.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    given = {**environment, "TERM": "xterm-256color"}
    given.pop("COLUMNS", None)
    given.pop("NO_COLOR", None)
    with subprocess.Popen([*COMMAND, *arguments], env=given, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        parts: list[bytes] = []
        while part := _part(ours):
            parts.append(part)
        assert process.wait(timeout=120) == 0
    os.close(ours)
    text = b"".join(parts).decode()
    return text, CONTROL.sub("", text).replace("\r\n", "\n")


def _part(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


def test_lists_fit_with_whole_ids(run: Run, claims: Path, advance: Advance, environment: dict[str, str]) -> None:
    run("submit", "desk", str(claims))
    advance()
    for columns, command in itertools.product((60, 80, 200), ("cases", "reviews", "exceptions")):
        _, plain = seen(environment, columns, command)
        lines = plain.splitlines()
        assert all(len(line) <= columns for line in lines if not line.startswith("A wider terminal")), plain
        ids = [line.split()[0] for line in lines if re.match(r"[0-9a-f]{8}-", line)]
        assert ids
        assert all(UUID(one) for one in ids)
        assert ("A wider terminal also shows" in plain) == (columns < 200), plain


def test_progress_and_colour_are_for_terminals_only(run: Run, claims: Path, environment: dict[str, str]) -> None:
    drawn, plain = seen(environment, 100, "submit", "desk", str(claims))
    assert "\x1b[" in drawn
    assert "5 inputs: 5 new" in plain
    ran = run("submit", "desk", str(claims))
    assert ran.out == "5 inputs: 0 new, 5 known before, 0 quarantined, 0 refused.\n"
    assert ran.err == ""
    assert "\x1b" not in run("summary").out
