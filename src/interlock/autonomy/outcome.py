"""Outcomes: what became of a decision, whose words count, and what they say of its proposal. Types and pure rules.

A word is never changed: one that comes later corrects an earlier one of its voice, which is a source and who spoke as
it: whoever takes another's name corrects nothing of theirs. Of each voice the latest counts. Voices may contradict one
another; then the worse counts until a person settles it. A person's own review says something of the proposal, too:
what is recorded counts before it.

INVARIANT: nothing here makes a decision of which nothing is known count as good.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from interlock.autonomy.truth import says_no, states_otherwise
from interlock.contracts import Field
from interlock.money import Money
from interlock.oversight.review import Resolution

SETTLED = "settled"
"""The source of a person's word that settles a contradiction."""
AUDIT = "audit"
"""The source of what the audit sample's reviews say."""
REVIEW = "review"
"""As what a decision's own review is shown; its verdict is never recorded a second time."""
RESERVED = (SETTLED, AUDIT, REVIEW)
"""Sources that nobody outside may speak as."""


class Standing(StrEnum):
    """Whether the sources agree."""

    KNOWN = "known"
    CONTRADICTORY = "contradictory"


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What one source said of a decision's proposal, as it is stored.

    Attributes:
        id: Its id; also that of its ledger entry.
        decision: Of which decision.
        source: Whose word it is.
        key: The source's key: said again under the same key, it is known.
        is_right: Whether what the component proposed was right.
        truth: What would have been right, as canonical JSON; None: it is not said.
        label: What it is called where it comes from.
        loss_minor: What was lost, in minor units; None: it is not said.
        currency: Of the loss.
        became_at: When it became so.
        said_by: Who brought it.
        said_at: When.
        replaces: The word of the same source that it corrects.
        turn: Which word on its decision it is, from 1 on.
    """

    id: UUID
    decision: UUID
    source: str
    key: str
    is_right: bool
    truth: bytes | None
    label: str
    loss_minor: int | None
    currency: str | None
    became_at: datetime
    said_by: str
    said_at: datetime
    replaces: UUID | None
    turn: int

    @property
    def loss(self) -> Money | None:
        """What was lost, where it is said."""
        return Money.of_columns(self.loss_minor, self.currency)

    @property
    def voice(self) -> tuple[str, str]:
        """Whose word it is, and who spoke as it; of what the system itself says, whoever it was."""
        return voice_of(self.source, self.said_by)

    @property
    def since(self) -> tuple[datetime, int]:
        """Its place among its voice's words. One that is dated ahead of when it was said, became so then."""
        return min(self.became_at, self.said_at), self.turn


def voice_of(source: str, who: str) -> tuple[str, str]:
    """The voice that somebody has as a source."""
    return source, ("" if source in RESERVED else who)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a decision's words.

    Attributes:
        standing: Whether they agree.
        word: The one that counts: of words that contradict one another, the worst.
        loss: What was lost; None: as the point declares it. Where one that counts says wrong without an amount, and
            another says an amount, it is the greater of that and the declared loss.
        words: How many count, one for each voice.
    """

    standing: Standing
    word: Word
    loss: Money | None
    words: int


def voices(words: Sequence[Word]) -> list[Word]:
    """The words that count: of each voice the latest that nothing corrects, since the last settlement. In turn.

    Args:
        words: All on one decision.
    """
    settled = max((one.turn for one in words if one.source == SETTLED), default=0)
    replaced = {one.replaces for one in words}
    latest: dict[tuple[str, str], Word] = {}
    for one in words:
        if one.turn >= settled and one.id not in replaced:
            latest[one.voice] = max(one, latest.get(one.voice, one), key=lambda it: it.since)
    return sorted(latest.values(), key=lambda one: one.turn)


def what_counts(words: Sequence[Word], record: Field | None = None, declared: Money | None = None) -> Counts | None:
    """What counts of the words on one decision; None: there are none.

    Args:
        words: All on one decision.
        record: The record of the point's output, by which stated truths are compared.
        declared: What the point declares to be lost; None: it declares nothing, or nothing is known to be at stake.
    """
    heads = voices(words)
    if not heads:
        return None
    against = any(_contradict(one, other, record) for at, one in enumerate(heads) for other in heads[:at])
    worst = max(heads, key=lambda one: (not one.is_right, one.loss_minor is not None, one.loss_minor or 0, one.turn))
    return Counts(
        standing=Standing.CONTRADICTORY if against else Standing.KNOWN,
        word=worst,
        loss=_lost(worst, heads, declared),
        words=len(heads),
    )


def _lost(worst: Word, heads: Sequence[Word], declared: Money | None) -> Money | None:
    """What was lost: who says wrong without an amount says the declared one, which another's amount never lessens."""
    stated = worst.loss
    bare = any(not one.is_right and one.loss_minor is None for one in heads)
    if stated is None or declared is None or not bare or stated.currency != declared.currency:
        return stated
    return max(stated, declared, key=lambda one: one.minor)


def _contradict(one: Word, other: Word, record: Field | None) -> bool:
    """Whether two words cannot both be so: what one of them leaves open contradicts nothing."""
    if one.is_right != other.is_right:
        return True
    if one.loss_minor is not None and other.loss_minor is not None and one.loss != other.loss:
        return True
    if one.truth is None or other.truth is None:
        return False
    return states_otherwise(msgspec.json.decode(one.truth), msgspec.json.decode(other.truth), record)


def last_of(words: Sequence[Word], voice: tuple[str, str]) -> Word | None:
    """What a voice says now, whatever was settled since; None: nothing."""
    replaced = {one.replaces for one in words}
    mine = [one for one in words if one.voice == voice and one.id not in replaced]
    return max(mine, key=lambda one: one.since, default=None)


def corrected_by(words: Sequence[Word], voice: tuple[str, str], became_at: datetime) -> UUID | None:
    """Which word a later one of its voice corrects without saying so: the latest, unless that became so after it."""
    last = last_of(words, voice)
    if last is None or last.source == SETTLED or last.since[0] > became_at:
        return None
    return last.id


############################################################################ what is known


class By(StrEnum):
    """How something is known of a proposal."""

    OUTCOME = "outcome"
    REVIEW = "review"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a decision's proposal.

    Attributes:
        is_right: Whether it was right.
        by: How that is known.
        loss: What was lost, as it was realised; None: as the point declares it.
        truth: What would have been right, as canonical JSON, where it is known.
        contradictory: Whether sources say otherwise, so that the worse counts.
    """

    is_right: bool
    by: By
    loss: Money | None = None
    truth: bytes | None = None
    contradictory: bool = False


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows say of one decision's proposal: see ``known_of``.

    Attributes:
        is_right: Of its outcome; None: none is recorded.
        loss_minor: Of its outcome.
        currency: Of the loss.
        truth: Of its outcome.
        standing: Of its outcome.
        resolution: Of its own review, where a verdict took effect; None: none did, or it is none that counts.
        resolved: The output that the person said shall hold, as canonical JSON.
    """

    is_right: bool | None
    loss_minor: int | None
    currency: str | None
    truth: bytes | None
    standing: Standing | None
    resolution: Resolution | None
    resolved: bytes | None


def known_of(said: Said, proposal: bytes | None, fields: Sequence[str], record: Field | None) -> Known | None:
    """What is known of a proposal: its recorded outcome first, else its own review's verdict; None: nothing.

    Nothing was proposed: nothing is ever known of it. What may be passed as a review's verdict, and what not (known
    cases, second looks, practice, what was superseded or recalled), the queries say; they give no resolution there.

    Args:
        said: What the rows say.
        proposal: The component's output, as canonical JSON.
        fields: Which fields are compared; empty: all.
        record: The record of the output.
    """
    if proposal is None:
        return None
    if said.is_right is not None:
        loss = Money.of_columns(said.loss_minor, said.currency)
        against = said.standing is Standing.CONTRADICTORY
        return Known(is_right=said.is_right, by=By.OUTCOME, loss=loss, truth=said.truth, contradictory=against)
    if said.resolution is None:
        return None
    resolved: Any = None if said.resolved is None else msgspec.json.decode(said.resolved)
    right = verdict_says(said.resolution, msgspec.json.decode(proposal), resolved, fields, record)
    if said.resolution is Resolution.APPROVE:
        return Known(is_right=True, by=By.REVIEW, truth=proposal)
    return Known(is_right=right, by=By.REVIEW, truth=said.resolved or (proposal if right else None))


def verdict_says(
    resolution: Resolution, proposal: Any, output: Any, fields: Sequence[str], record: Field | None
) -> bool:
    """Whether a proposal was right by a person's verdict on it.

    Approved: it was. Changed: it was where the person's output agrees with it on the fields that are compared. Refused:
    it was not, unless it said no itself, so that the person agrees with it.

    Args:
        resolution: What the person decided.
        proposal: What the component answered.
        output: What the person said shall hold; of a change.
        fields: Which fields are compared; empty: all.
        record: The record of the output.
    """
    match resolution:
        case Resolution.APPROVE:
            return True
        case Resolution.CHANGE:
            return not states_otherwise(output, proposal, record, fields or tuple({**proposal, **(output or {})}))
        case Resolution.REJECT:
            return says_no(proposal, fields, record)
