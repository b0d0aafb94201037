"""The model and the table of bench/lending, made once, and anew when what makes them has changed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from ground.world import PATIENCE_S

LENDING = Path(__file__).parents[1] / "lending"
MADE = Path(__file__).parents[2] / ".bench" / "lending"
SOURCES = ("make.py", "reading.py")
"""What is made depends on these."""


def make_lending() -> Path:
    """Make them where they are lacking or of other sources; the folder that holds ``components``.

    It runs in a process of its own: who only measures need not load what trains.
    """
    digest = hashlib.sha256(b"\0".join((LENDING / name).read_bytes() for name in SOURCES)).hexdigest()
    mark = MADE / "sources.sha256"
    if not mark.exists() or mark.read_text() != digest:
        print(f"making the model and the table in {MADE} ...")
        script = f"from pathlib import Path; from make import make; make(Path({str(MADE)!r}))"
        subprocess.run([sys.executable, "-c", script], cwd=LENDING, check=True, timeout=PATIENCE_S)
        mark.write_text(digest)
    return MADE
