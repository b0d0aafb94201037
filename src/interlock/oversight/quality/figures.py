"""A person's figures, and the signs of answers that are given without looking: each a rule that is said. Pure.

There is no hidden score. Every share comes with its exact 95 % interval (Clopper and Pearson 1934), and a sign is only
given where the interval as a whole lies beyond the rule's threshold: chance alone gives none to more than one in forty.
A sign is a reason to talk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from interlock.oversight.quality.share import Share, share_of
from interlock.percentages import percent

READS_A_SECOND = 60.0
"""Characters of evidence that a quick reader takes in in a second: about 600 words a minute."""
LEAST_READ = timedelta(seconds=2)
RUN = 10
"""So many approvals one after the other, each faster than it can be read."""
TOO_FAST = 0.2
"""The part of answers that may be faster than the evidence can be read."""
UNREAD = 0.1
"""The part of answers that may come from somebody who never opened the review, as far as that is known."""
MISSED = 0.2
"""The part of the known cases that may be answered wrongly."""
DISAGREES = 0.2
"""The part of second looks that may differ."""
FEWEST = 5
"""Of fewer people, or fewer answers, nothing is shown of others."""
SEEN_AFTER = timedelta(days=7)
"""So long after a person could see their figures others may, if they have not looked before."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a person.

    Attributes:
        review: Of what.
        who: Who answered.
        at: When.
        resolution: approve, change or reject.
        length: How many characters of evidence were shown.
        looked_ms: How long they had it before them; None: not known.
        looked_of: How that is known: claim, reading or unknown.
    """

    review: UUID
    who: str
    at: datetime
    resolution: str
    length: int
    looked_ms: int | None
    looked_of: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One answer that was held against another.

    Attributes:
        who: Whose.
        right: Whether it was the same.
    """

    who: str
    right: bool


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One sign.

    Attributes:
        rule: The rule, in words, with its threshold.
        share: What was seen, with its interval; None: it is counted.
        what: What was seen, in a sentence.
    """

    rule: str
    share: Share | None
    what: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a person's answers.

    Attributes:
        who: Whose.
        answers: How many they gave.
        by_resolution: How many of each resolution.
        median_s: The median of the seconds that they looked, where that is known; None: of none.
        timed: Of how many that is known.
        fast: How many of these were faster than the evidence can be read.
        known: How many known cases they answered rightly, of how many.
        second: How often a second person said the same.
        outcomes: How often what came of it later agreed: by recorded outcomes; where none is, by undoings.
        signs: The signs.
    """

    who: str
    answers: int
    by_resolution: Mapping[str, int]
    median_s: float | None
    timed: int
    fast: Share
    known: Share
    second: Share
    outcomes: Share
    signs: tuple[Sign, ...]


def least_time(length: int) -> timedelta:
    """The shortest time in which so many characters can be read."""
    return max(LEAST_READ, timedelta(seconds=length / READS_A_SECOND))


def figures_of(
    who: str,
    answers: Sequence[Answered],
    known: Sequence[Checked],
    second: Sequence[Checked],
    outcomes: Sequence[Checked] = (),
) -> Figures:
    """The figures of one person.

    Args:
        who: Whose.
        answers: Theirs, in order of time.
        known: Their known cases.
        second: Second looks at theirs.
        outcomes: What came of theirs.
    """
    counted: dict[str, int] = {}
    for one in answers:
        counted[one.resolution] = counted.get(one.resolution, 0) + 1
    timed = sorted(one.looked_ms for one in answers if one.looked_ms is not None)
    fast = share_of(sum(is_fast(one) for one in answers), len(timed))
    right = share_of(sum(one.right for one in known), len(known))
    agreed = share_of(sum(one.right for one in second), len(second))
    held = share_of(sum(one.right for one in outcomes), len(outcomes))
    return Figures(
        who=who,
        answers=len(answers),
        by_resolution=counted,
        median_s=timed[len(timed) // 2] / 1000 if timed else None,
        timed=len(timed),
        fast=fast,
        known=right,
        second=agreed,
        outcomes=held,
        signs=_signs(answers, fast, right, agreed),
    )


def is_fast(one: Answered) -> bool:
    """Whether an answer came faster than its evidence can be read; of unknown times nothing is said."""
    return one.looked_ms is not None and timedelta(milliseconds=one.looked_ms) < least_time(one.length)


def _signs(answers: Sequence[Answered], fast: Share, known: Share, second: Share) -> tuple[Sign, ...]:
    signs: list[Sign] = []
    run = longest = 0
    for one in answers:
        run = run + 1 if one.resolution == "approve" and is_fast(one) else 0
        longest = max(longest, run)
    if longest >= RUN:
        rule = f"{RUN} or more approvals one after the other, each faster than {READS_A_SECOND:g} characters a second"
        signs.append(Sign(rule=rule, share=None, what=f"{longest} one after the other"))
    unread = share_of(sum(one.looked_of == "unknown" for one in answers), len(answers))
    for share, most, rule in (
        (fast, TOO_FAST, "answers faster than the evidence can be read"),
        (unread, UNREAD, "answers of which it is not known that the review was opened before"),
    ):
        if share.low > most:
            signs.append(Sign(rule=f"more than {percent(float(most), 0)} of {rule}", share=share, what=share.said))
    for share, most, rule in (
        (known, MISSED, "known cases were answered wrongly"),
        (second, DISAGREES, "second looks differ"),
    ):
        if share.of and 1 - share.high > most:
            told = f"more than {percent(float(most), 0)} of {rule}"
            signs.append(Sign(rule=told, share=share, what=f"right: {share.said}"))
    return tuple(signs)


def may_show(figures: Figures, could_see_since: datetime | None, seen_at: datetime | None, now: datetime) -> bool:
    """Whether somebody else may see a person's figures by name.

    INVARIANT: not before they have seen them themselves, or could for a week; and not of a few answers.

    Args:
        figures: Whose.
        could_see_since: When they first could.
        seen_at: When they last saw them; None: never.
        now: The time.
    """
    if figures.answers < FEWEST:
        return False
    return seen_at is not None or (could_see_since is not None and now - could_see_since >= SEEN_AFTER)
