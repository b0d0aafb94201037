"""What a point states of its autonomy, and what was certified of a decision, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from interlock.autonomy.standing import Certifying, most_said, share_said
from interlock.autonomy.terms import AutonomyTerms, LossBudget
from interlock.durations import format_duration
from interlock.money import Money


def terms_said(terms: AutonomyTerms) -> str:
    """What is stated, in a sentence."""
    budget = terms.budget
    return (
        f"by a certificate: {budget_said(budget)}, at a risk of {_percent(terms.risk)}; "
        f"up to {Money.of_minor(terms.highest, terms.currency)} at stake; a review costs {terms.review_cost}"
    )


def budget_said(budget: LossBudget) -> str:
    """Which loss, or how many wrong decisions, are acceptable."""
    if budget.rate is not None:
        return f"at most {_percent(budget.rate)} of all decisions wrong and unseen"
    each = "for each decision" if budget.decisions is None else f"for {budget.decisions:,} decisions of a month"
    return f"a loss of at most {budget.written} {each}"


def terms_lines(terms: AutonomyTerms) -> Iterator[tuple[str, str]]:
    """What is stated, a line each."""
    yield "answers alone", terms_said(terms)
    source = "of every decision" if terms.outcome.source == "every" else "of the audit sample and of what people decide"
    yield "outcomes", f"{source}, {format_duration(terms.outcome.after)} after the decision"
    if terms.audit is not None:
        surely = Money.of_minor(terms.surely_from, terms.currency)
        yield "audit sample", f"{_percent(terms.audit.share)} of what goes by itself; each from a loss of {surely} on"
    if terms.segment:
        yield "segments", f"by {terms.segment}"
    renewed = f", renewed every {format_duration(terms.renew)}" if terms.renew else ""
    yield "a certificate", f"counts for {format_duration(terms.valid_for)}{renewed}"
    if terms.harm is not None:
        ceiling = Money.of_minor(terms.harm.ceiling, terms.currency)
        yield "harm", f"{terms.harm.kind}: {terms.harm.outcomes:,} outcomes at least, never above {ceiling}"


def certifying_said(one: Certifying) -> str:
    """What was certified of a decision, in a sentence."""
    if one.certificate is None:
        return f"Nothing was certified: {one.why}."
    within = f" in segment {one.segment!r}" if one.segment else ""
    counted = f"It was held against the certificate {one.certificate}, in its turn {one.turn}"
    if one.why:
        return f"{counted}; {one.why}."
    if one.wrong is None:
        return f"{counted}; it says nothing of answers so unsure{within}."
    return (
        f"{counted}: an answer so sure is wrong with a probability of {share_said(one.wrong)}{within} and then "
        f"loses {one.loss}; {one.expected_loss} is expected, and {_most(one)} goes by itself."
    )


def _most(one: Certifying) -> str:
    currency = (one.loss or "").partition(" ")[2]
    return f"up to {most_said(Fraction(one.threshold or 0), currency)}"


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):g} %"
