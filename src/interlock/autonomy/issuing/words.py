"""What a certificate rests on, and why there is none, for a person who knows no statistics. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from uuid import UUID

from interlock.autonomy.certificate import Begins, Data
from interlock.autonomy.certify import Certifiable, NotCertifiable, Why
from interlock.autonomy.issuing.begins import begins_said
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.promise import amount, percent
from interlock.autonomy.offer import Offers
from interlock.autonomy.terms import Source
from interlock.money import Money

_NAMED = 5
_BEGINS = (
    "the audit sample has to begin first, which it does by itself where the file declares it, and what came before it "
    "does not count, whoever decided it"
)


def assumptions_of(place: Place, data: Data, begins: Begins | None = None) -> tuple[str, ...]:
    """What must be so for the promise to hold."""
    terms = place.terms
    most = amount(Fraction(terms.wrong.of(terms.highest)), terms.currency)
    if terms.budget.rate is not None:
        bounded = (
            "Wrong decisions are counted, whatever they lose. What goes by itself is told by its expected loss all the "
            "same, and none is above what a review costs: more at stake never goes more easily."
        )
    else:
        bounded = (
            f"One wrong answer is declared to cost at most {most}; what is lost beyond the most that one decision may "
            "count is beyond the promise."
        )
    alike = (
        f"The decisions that come are like those between {data.since:%Y-%m-%d} and {data.until:%Y-%m-%d}, in no "
        "particular order: what changes that (a new kind of customer, another price, a fraud that learns) is not "
        "foreseen; the monitor finds it when its losses are due."
    )
    counted = (
        "Counted are decisions that the certified component versions answered, those that persons decided among them; "
        "the conditions and checks of the file demand a person as often as they did."
    )
    return (alike, *_since(begins), counted, bounded, *_monthly(place, data), *_outcomes(place))


def _since(begins: Begins | None) -> Iterator[str]:
    if begins is not None:
        yield begins_said(begins)


def _monthly(place: Place, data: Data) -> Iterator[str]:
    budget = place.terms.budget
    if not budget.decisions or budget.written is None:
        return
    spread = f"A month's budget of {budget.written} is spread among {max(budget.decisions, data.monthly)} decisions"
    if data.monthly > budget.decisions:
        yield f"{spread}: so many came in the last 30 days, more than the {budget.decisions} that are declared."
    else:
        yield f"{spread}, as is declared; if more come, the monitor spreads it among those."


def _outcomes(place: Place) -> Iterator[str]:
    after = _days(place.terms.outcome.after)
    if place.terms.outcome.source is Source.EVERY:
        yield f"The truth of each decision is known {after} later; one that is missing then counts as wrong, in full."
    else:
        yield (
            "Of what nobody looked at, the audit sample's answers count, each over its probability of being drawn; one "
            f"that is missing {after} later counts as wrong, in full. What came before the sample began does not count."
        )
    if len(place.components) > 1:
        yield (
            "Of answers that were passed over it is not known what conditions would have demanded; none counts as "
            "right that is not known to be."
        )
    yield "What persons and feeds say of an answer is true; where they contradict one another, the worse counts."


def why_not(
    place: Place,
    data: Data,
    found: Certifiable | NotCertifiable,
    offers: Offers | None,
    needed: int,
    *,
    lacking: int,
    beyond: Sequence[UUID] = (),
    passed_over: bool = False,
    begins: Begins | None = None,
) -> str:
    """Why there is no certificate, and what there could be instead."""
    reason = _reason(place, data, found, needed, lacking, beyond)
    return " ".join((reason, *_since(begins), *_over(passed_over), *_instead(place, offers)))


def _over(passed_over: bool) -> Iterator[str]:  # noqa: FBT001 - what is so
    if passed_over:
        yield (
            "Of some decisions for which several were asked, only the surest answer is on record: one that was passed "
            "over counts as wrong, so only confidences at which that is rare can be certified."
        )


def _reason(
    place: Place, data: Data, found: Certifiable | NotCertifiable, needed: int, lacking: int, beyond: Sequence[UUID]
) -> str:
    terms = place.terms
    has = f"there are {data.decisions} decisions whose outcome is due, {data.outcomes} with one"
    if data.other_files:
        has = f"{has} (and {data.other_files} under another file of the point, which say nothing of this one)"
    budget = f"{amount(terms.budget.each_of(data.monthly), terms.currency)} a decision"
    if terms.budget.rate is not None:
        budget = f"at most {percent(terms.budget.rate)} wrong and unseen"
    if not data.decisions and terms.outcome.source is Source.AUDIT:
        has = f"{has}: {_BEGINS}"
    if lacking and terms.harm is not None:
        what = f"more than money is at stake ({terms.harm.kind}), so {terms.harm.outcomes} outcomes are demanded"
        return (
            f"Nothing can be certified yet: {what}, of what would be certified and beside those that calibrate; "
            f"{terms.harm.outcomes - lacking} are such, and {has}."
        )
    missing = f" {data.missing} were due and are missing, and count as wrong." if data.missing else ""
    if isinstance(found, Certifiable) or found.why is Why.UNCALIBRATED:
        return (
            f"Nothing can be certified yet: too few outcomes of any component version in any segment to know what its "
            f"confidence is worth; {has}.{missing}"
        )
    match found.why:
        case Why.FEW:
            return (
                f"Nothing can be certified yet: {needed} decisions with known outcomes are needed for {budget} "
                f"at a risk of {percent(terms.risk)}, even without one error, and {has}.{missing}"
            )
        case Why.BEYOND:
            seen = amount(Fraction(math.ceil(found.greatest)), terms.currency)
            named = ", ".join(map(str, beyond[:_NAMED])) + (", ..." if len(beyond) > _NAMED else "")
            return (
                f"Nothing can be certified: {len(beyond)} decisions ({named}) lost more than the terms say that one "
                f"can; one counts {seen}. Declare a greater loss (wrong: share or plus), or correct the outcomes."
                f"{missing}"
            )
        case Why.NONE:
            return (
                "Nothing can be certified: at no threshold would an answer go by itself; each is expected to lose more "
                f"than a review costs, or was left to a person by a condition or the cap.{missing}"
            )
        case Why.LOSS:
            lost = "much was lost" if terms.budget.rate is None else "many were wrong"
            return (
                f"Nothing can be certified: even of the surest answers too {lost} for {budget} at a risk of "
                f"{percent(terms.risk)}.{missing}"
            )


def _instead(place: Place, offers: Offers | None) -> Iterator[str]:
    if offers is None:
        return
    currency = place.terms.currency
    if offers.lower_cap is not None:
        cap = Money.of_minor(offers.lower_cap.cap, currency)
        automatic = percent(Fraction(offers.lower_cap.chosen.automatic).limit_denominator(10_000))
        yield f"With cap: {cap} it could be certified now, and {automatic} would go by themselves."
    elif offers.largest is not None:
        largest = Money.of_minor(offers.largest, currency)
        yield f"Up to a cap of {largest} there would be outcomes enough without one error."
    if offers.rate is not None:
        alone = percent(Fraction(offers.rate.chosen.automatic).limit_denominator(10_000))
        yield (
            f"Or the rate, whatever it loses: at most {percent(offers.rate.rate)} of all decisions wrong and unseen "
            f"could be certified now, and {alone} would go by themselves."
        )


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86_400:g} days"
