"""What somebody had before them when they decided: its digest, so that a verdict counts for nothing else. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import msgspec

from interlock.oversight.review import Review

_SHORT = 8
"""Hexadecimal digits of each part: enough to say which of them changed, the whole digest says whether."""
_STATED = re.compile(r"([0-9a-f]{64})(?:\.((?:[a-z-]+:[0-9a-f]{8},?){0,40}))?\Z")


class Shown(msgspec.Struct, frozen=True):
    """What was shown.

    Attributes:
        digest: SHA-256 over all of it, in hexadecimal.
        parts: The SHA-256 of each part by its name, in hexadecimal.
    """

    digest: str
    parts: Mapping[str, str]

    @property
    def stated(self) -> str:
        """As it is handed out and given back: the digest, and the beginning of each part's."""
        return f"{self.digest}.{','.join(f'{name}:{part[:_SHORT]}' for name, part in self.parts.items())}"


def shown_of(review: Review, facts: Mapping[str, str]) -> Shown:
    """What somebody sees of a review.

    Args:
        review: As it is now: its question, proposal and exposure, and how many people must agree.
        facts: What else decides what happens on each choice, by a name of small letters and hyphens: the versions of
            the workflow's file and of the policies in force, the case's newest evidence.

    Returns:
        Its digest. The same review with the same facts gives the same in every process.
    """
    given = len(review.decided_by)
    said = {
        "question": review.question,
        "proposal": review.proposal or b"",
        "exposure": f"{review.exposure_minor} {review.currency}".encode(),
        "verdicts": f"{given} of {review.needed}{', which differ' if review.disagreed else ''}".encode(),
        **{name: fact.encode() for name, fact in sorted(facts.items())},
    }
    parts = {name: hashlib.sha256(part).hexdigest() for name, part in said.items()}
    whole = hashlib.sha256(b"interlock.shown.1\0" + review.id.bytes)
    for name, part in parts.items():
        whole.update(f"{name}:{part}\n".encode())
    return Shown(whole.hexdigest(), parts)


def read_stated(stated: str) -> Shown:
    """What was handed out, as far as it says: its parts by the beginnings of their digests."""
    match = _STATED.match(stated)
    listed = (match.group(2) or "") if match else ""
    parts = dict(part.split(":", 1) for part in listed.split(",") if part)
    return Shown(match.group(1) if match else "", parts)


def changed_since(stated: str, now: Shown) -> tuple[str, ...] | None:
    """What changed since something was shown.

    Args:
        stated: What was given back of what was handed out then; the digest alone does, too.
        now: What is shown now.

    Returns:
        None: nothing did. Else the names of the parts that changed; none, if only the digest was given or is of
        something else.
    """
    match = _STATED.match(stated)
    if match and match.group(1) == now.digest:
        return None
    listed = (match.group(2) or "") if match else ""
    then = dict(part.split(":", 1) for part in listed.split(",") if part)
    return tuple(name for name in (*now.parts, *(then.keys() - now.parts.keys())) if _differs(name, then, now))


def differs_from(stated: str | None, facts: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the facts that are not as they were when something was shown, of those that it named.

    Args:
        stated: What was handed out then, with its parts; None, or the digest alone, names nothing.
        facts: As they are now, by the names under which ``shown_of`` took them.
    """
    match = _STATED.match(stated or "")
    listed = (match.group(2) or "") if match else ""
    then = dict(part.split(":", 1) for part in listed.split(",") if part)
    now = {name: hashlib.sha256(fact.encode()).hexdigest()[:_SHORT] for name, fact in facts.items()}
    return tuple(name for name, part in now.items() if name in then and then[name] != part)


def _differs(name: str, then: Mapping[str, str], now: Shown) -> bool:
    return bool(then) and then.get(name) != now.parts.get(name, "")[:_SHORT]
