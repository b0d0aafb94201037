"""Reading what is done while a queue is too full, in a workflow's file. Pure."""

from __future__ import annotations

from interlock.cases.forms import PAUSE, TEXT
from interlock.cases.sections import Place, Section
from interlock.oversight.capacity.full import WhenFull
from interlock.plain_yaml import Scalar

WHEN_FULL_KEYS = ("fall_back", "before")
_TODO = "write hold (nothing more is taken in) or reject (what needs a person is a no meanwhile)"


def read_when_full(place: Place) -> WhenFull:
    """Read one ``when_full``: ``hold``, ``reject``, or ``{fall_back: reject, before: 30m}``.

    A component is refused: its answer would go by itself where a person was asked for.

    Raises:
        Refused: neither a word nor a mapping stands there.
    """
    if isinstance(place.node, Scalar):
        return WhenFull(reject=_is_reject(place, place.text()))
    section = Section(place, WHEN_FULL_KEYS)
    said = section.at("fall_back")
    reject = _is_reject(said, section.may("fall_back", TEXT, "hold")) if said is not None else False
    return WhenFull(reject=reject, before=section.may("before", PAUSE, None))


def _is_reject(place: Place, text: str) -> bool:
    if text in ("hold", "reject"):
        return text == "reject"
    if ":" in text or text == "automatic":
        what = f"{text[:60]} would decide by itself what needs a person"
        place.refuse(what, "when-full", f"nothing may go by itself because a queue is full: {_TODO}")
    else:
        place.refuse(f"{text[:60]!r} is no answer to a full queue", "when-full", _TODO)
    return False
