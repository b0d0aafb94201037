"""What somebody meant who wrote a name that is not known. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_LISTED = 20


def meant(word: str, known: Iterable[str]) -> str:
    """What to do about an unknown name: the likeliest known one, else all of them.

    Args:
        word: The name as it was written; only its first 60 characters are compared.
        known: The names that would have been right.
    """
    names = sorted(known)
    close = difflib.get_close_matches(word[:60], names, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    if not names:
        return "there is none to choose from"
    listed = ", ".join(names[:_MOST_LISTED])
    return f"known: {listed}" + (f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else "")
