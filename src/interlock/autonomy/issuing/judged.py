"""Whether what went by itself was right, or would have been, and what it lost. Pure.

What is known is known of a component's proposal. Where a condition, a finding or a policy turns the answer into a no,
the no is what goes by itself, whatever was proposed: it is the no that is judged, then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import msgspec

from interlock.autonomy.issuing.store import MaturedDecision, RecordedDecision
from interlock.autonomy.outcome import By, Known, Standing
from interlock.autonomy.terms import AutonomyTerms, Source
from interlock.autonomy.truth import says_no, says_yes
from interlock.contracts import Field
from interlock.oversight.review import Resolution

STALLED = timedelta(days=1)
"""So long after its outcome was due a decision waits for being drawn; then it counts as wrong."""


def is_no_right(
    is_right: bool,  # noqa: FBT001 - what is known
    proposal: bytes | None,
    fields: Sequence[str],
    record: Field | None,
    *,
    audited: bool | None = None,
    contradictory: bool = False,
) -> bool:
    """Whether a no that a condition demanded was right, by what is known of the component's proposal.

    A proposal that says no itself is right where the no is. If it says yes, and nothing else is compared, the no is
    right exactly where the proposal is not. What cannot be told counts as wrong; of words that contradict one another
    the worse, which of a no is the one that says the yes was right. (The function ``no_is_right`` of the database.)

    Args:
        is_right: Whether the proposal was right.
        proposal: It, as canonical JSON.
        fields: Which of its fields are compared; empty: all.
        record: The record of the output.
        audited: What a person of the audit sample said of the no itself; None: nothing.
        contradictory: Whether words on the proposal contradict one another.
    """
    answer: Any = msgspec.json.decode(proposal) if proposal is not None else None
    if says_no(answer, fields, record):
        return is_right
    if contradictory:
        return False
    if says_yes(answer, fields, record):
        return not is_right
    return audited is True and not is_right


def is_known_right(
    terms: AutonomyTerms, row: RecordedDecision, known: Known | None, record: Field | None, *, turned: bool
) -> bool:
    """Whether it is known that what went by itself, or would have, was right.

    Where the outcome of each decision is to become known, a person's own approval is none; that a person changed or
    refused an answer says that it was wrong.

    Args:
        terms: What the point states.
        row: The decision.
        known: What is known of its proposal.
        record: The record of the point's output.
        turned: Whether the answer was turned into a no.
    """
    if known is None or (known.by is By.REVIEW and known.is_right and terms.outcome.source is Source.EVERY):
        return False
    if not turned:
        return known.is_right
    return is_no_right(
        known.is_right, row.output, terms.outcome.fields, record, audited=row.was_right,
        contradictory=known.contradictory,
    )  # fmt: skip


def loss_of(terms: AutonomyTerms, row: RecordedDecision, known: Known | None, stake: int, *, turned: bool) -> int:
    """What a wrong decision lost, or would have if it had gone by itself, in minor units.

    As it was realised, else as declared. What a person stopped lost less than it would have, and what was said of a
    proposal says nothing of a no in its place: then the greater of both counts.

    Args:
        terms: What the point states.
        row: The decision.
        known: What is known of its proposal.
        stake: The loss as it is declared.
        turned: Whether the answer was turned into a no.
    """
    realised = known.loss if known is not None else None
    if realised is None or realised.currency != terms.currency:
        return stake
    carried_out = row.route != "review" or row.resolution is Resolution.APPROVE
    return realised.minor if carried_out and not turned else max(realised.minor, stake)


def weighted_loss(
    terms: AutonomyTerms, row: MaturedDecision, record: Field | None = None, *, stalled: bool = False
) -> Fraction:
    """What a decision counts for the monitor, in minor units: what it lost if it went by itself, over its propensity.

    Where a rate is bounded it counts as one, over its propensity.

    What is due and missing counts as wrong with its full loss; of an audited point, where it was drawn. INVARIANT: a
    loss above the worst of the terms counts as that, but no weight is ever cut.

    Args:
        terms: What the point stated.
        row: The decision.
        record: The record of the point's output.
        stalled: Whether drawing never reached it, though it should have long since: it counts as wrong in full.
    """
    if row.route == "review":
        return Fraction(0)
    sampled = terms.outcome.source is Source.AUDIT
    if sampled and row.propensity is None and not stalled:
        return Fraction(0)
    turned = row.route == "reject"
    right = row.is_right
    if right is not None and turned:
        against = row.standing is Standing.CONTRADICTORY
        fields = terms.outcome.fields
        right = is_no_right(right, row.output, fields, record, audited=row.was_right, contradictory=against)
    if right and not stalled:
        return Fraction(0)
    had = Fraction(row.propensity) if sampled and row.propensity is not None else Fraction(1)
    if terms.budget.rate is not None:
        return 1 / had
    return min(_realised(terms, row), Fraction(terms.worst)) / had


def is_cut(terms: AutonomyTerms, row: MaturedDecision) -> bool:
    """Whether more was lost than the worst of the terms, so that it counts as that."""
    return row.route != "review" and terms.budget.rate is None and _realised(terms, row) > terms.worst


def _realised(terms: AutonomyTerms, row: MaturedDecision) -> Fraction:
    if row.route != "reject" and row.loss_minor is not None and row.loss_currency == terms.currency:
        return Fraction(row.loss_minor)
    known = row.exposure_minor is not None and row.currency == terms.currency and row.exposure_minor >= 0
    exposure = row.exposure_minor if known and row.exposure_minor is not None else terms.highest
    return Fraction(min(terms.wrong.of(exposure), terms.wrong.of(terms.highest)))
