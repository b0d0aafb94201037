"""The list of known vendors: one name a line, compared without case, spacing and punctuation."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from interlock.errors import Refused
from interlock.packs.receipts.normalise import company_key

VARIABLE = "RECEIPTS_VENDORS"
"""The environment variable that names a list of one's own; without it the list of the made-up vendors holds."""

OURS = Path(__file__).with_name("vendors.txt")


def is_known(company: str) -> bool:
    """Whether a company is on the list.

    Raises:
        Refused: the list that the environment names cannot be read.
    """
    path = Path(os.environ.get(VARIABLE, "") or OURS)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as cause:
        raise Refused(
            f"the list of vendors cannot be read: {cause.strerror}",
            where=str(path),
            todo=f"let {VARIABLE} name a text file with one name a line",
        ) from cause
    return company_key(company) in _keys(path, changed)


@functools.lru_cache(maxsize=4)
def _keys(path: Path, changed: int) -> frozenset[str]:
    """The keys of a list; ``changed`` tells one state of the file from the next."""
    del changed
    names = path.read_text(encoding="utf-8").splitlines()
    return frozenset(company_key(name) for name in names if name.strip() and not name.startswith("#"))
