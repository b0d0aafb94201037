"""Verdicts: what each person says of a review, and what follows from them. Pure.

INVARIANT: of a review that two must decide nobody learns the first verdict before the second is given: its row is read
by the verbs alone, and the ledger has only ``digest_of``, which holds 256 random bits, so that it cannot be guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from interlock.oversight.review import Resolution

SETTLING_SEAT = 3
"""From this seat on, whoever settles what others disagree on."""


class StoredVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict, as it is stored.

    Attributes:
        id: Its id.
        review: Of what.
        seat: 1, or 2 of a second person, or more of whoever settles what they disagree on.
        who: Who says it.
        kind: What they are: person, program, operator.
        act: The act that policies permitted.
        resolution: What they say.
        output: What shall hold, as canonical JSON.
        reason_code: Why, for counting.
        note: Why, in words.
        shown: The SHA-256 of what they had before them, in hexadecimal; None: they gave none.
        nonce: 32 random bytes, so that the digest tells nothing.
        digest: See ``digest_of``.
        at: When.
        effective_at: Until then it can be taken back.
        looked_since: Since when they had it before them; None: not known.
        looked_ms: For how long.
        looked_of: How that is known.
        because: The policies that permitted it.
        policies: The digest of all policies then.
        bulk: The act that decided many alike; None: it was decided by itself.
    """

    id: UUID
    review: UUID
    seat: int
    who: str
    kind: str
    act: str
    resolution: Resolution
    output: bytes | None
    reason_code: str
    note: str
    shown: str | None
    nonce: bytes
    digest: bytes
    at: datetime
    effective_at: datetime
    looked_since: datetime | None
    looked_ms: int | None
    looked_of: str
    because: tuple[str, ...]
    policies: str
    bulk: UUID | None = None


class Outcome(StrEnum):
    """What follows from the verdicts on a review."""

    WAITS = "waits"
    """Another person has yet to say."""
    SETTLED = "settled"
    """It is decided."""
    DISAGREED = "disagreed"
    """No two say the same: somebody else settles it."""


class Says(Protocol):
    """What a verdict says."""

    @property
    def resolution(self) -> Resolution:
        """What is decided."""
        ...

    @property
    def output(self) -> bytes | None:
        """What shall hold."""
        ...


def outcome_of(verdicts: Sequence[Says], needed: int) -> Outcome:
    """What follows from these verdicts, by seat.

    Two agree if they say the same and the same output shall hold; why they say so may differ. A rejection needs two
    as an approval does: it is final for whoever asked, and one person alone could turn somebody down for good.

    INVARIANT: whoever settles is one of as many who say the same as are needed. What neither of two has said waits for
    another who settles: one lead alone would move any amount otherwise.
    """
    if len(verdicts) < needed:
        return Outcome.WAITS
    last = verdicts[-1]
    alike = sum((one.resolution, one.output) == (last.resolution, last.output) for one in verdicts)
    return Outcome.SETTLED if alike >= needed else Outcome.DISAGREED


def digest_of(
    review: UUID, who: str, resolution: Resolution, output: bytes | None, reason_code: str, note: str, nonce: bytes
) -> bytes:
    """The SHA-256 over a verdict: each part with its length before it, the nonce last."""
    digest = hashlib.sha256(b"interlock.verdict.1\0")
    said = (review.bytes, who.encode(), resolution.encode(), output or b"", reason_code.encode(), note.encode(), nonce)
    for part in (*said, b"" if output is None else b"+"):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def named(verdicts: Sequence[StoredVerdict]) -> str:
    """Whose verdicts they are, in words: ``ana``, or ``ana and ben``."""
    return " and ".join(dict.fromkeys(one.who for one in verdicts))
