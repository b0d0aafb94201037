"""What is no longer as it was when a review was shown to somebody: in words, with what is new. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from interlock.cases.explain import Passage
from interlock.oversight.note import Note
from interlock.oversight.review import Review
from interlock.oversight.shown import changed_since, read_stated

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "question": "What is asked is another",
        "proposal": "The proposal is another",
        "exposure": "What is at stake is another",
        "verdicts": "Somebody gave their verdict",
        "workflow": "The workflow's file is another",
        "policies": "The policies are others",
        "events": "Something came in for the case",
        "notes": "A note was written",
        "case": "The case went on",
    }
)


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that changed.

    Attributes:
        what: It, in words.
        lines: What is new of it.
    """

    what: str
    lines: tuple[str, ...] = ()


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody had before them, as their form says.

    Attributes:
        shown: What it stated.
        at: When it was read; None: the form does not say.
        exposure: What was at stake then, as text.
        who: Whose form.
    """

    shown: str
    at: datetime | None
    exposure: str
    who: str


def news(
    before: Before, shown: str, review: Review, notes: Sequence[Note], passages: Iterable[Passage]
) -> tuple[News, ...]:
    """What changed, part by part; a form that says nothing of its parts gives one that names none.

    Args:
        before: What they had before them.
        shown: What is stated now.
        review: As it is now.
        notes: All that people wrote of it, the oldest first.
        passages: The story of its case.
    """
    parts = changed_since(before.shown, read_stated(shown))
    if parts is None:
        return ()
    others = [one for one in notes if one.who != before.who]
    later = [one for one in others if before.at is not None and one.at >= before.at] or others[-1:]
    told = [one for one in passages if before.at is not None and one.at >= before.at]
    lines = {
        "notes": tuple(f"{one.who} {one.kind}: {one.text}" for one in later),
        "events": tuple(" ".join((f"{one.title}.", *one.lines)) for one in told),
        "exposure": (f"{before.exposure or 'not known'} was at stake, now {review.exposure or 'not known'}",),
    }
    lines["case"] = () if "events" in parts else lines["events"]
    found = tuple(News(what=_WORDS.get(part, part), lines=lines.get(part, ())) for part in parts)
    return found or (News(what="What was shown is not known here any more: read all of it again"),)
