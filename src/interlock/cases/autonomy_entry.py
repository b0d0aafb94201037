"""Reading what a workflow's file says of the autonomy of a decision point. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from interlock.autonomy.terms import (
    AUDIT_SHARE,
    RISK,
    VALID_FOR,
    WINDOW,
    AuditTerms,
    AutonomyTerms,
    Harm,
    HarmTerms,
    LossBudget,
    LossTerms,
    Narrowing,
    OutcomeTerms,
    Source,
)
from interlock.cases.forms import COUNT, DURATION, MONEY, SHARE
from interlock.cases.sections import Form, Place, Section, list_of
from interlock.decisions.point import ExposureSource
from interlock.errors import Refused
from interlock.money import Money
from interlock.plain_yaml import Mapping

AUTONOMY_KEYS = (
    "review_cost",
    "budget",
    "risk",
    "cap",
    "wrong",
    "needless",
    "outcome",
    "audit",
    "segment",
    "window",
    "valid_for",
    "renew",
    "narrows",
    "harm",
)
BUDGET_KEYS = ("month", "decisions", "rate")
LOSS_KEYS = ("share", "plus", "at_most")
OUTCOME_KEYS = ("after", "from", "fields")
AUDIT_KEYS = ("share", "surely_from")
HARM_KEYS = ("kind", "outcomes", "ceiling")

HIGHEST_RISK = Fraction(1, 2)
HIGHEST_RATE = Fraction(1, 2)
HIGHEST_SHARE = 10
"""Ten times what is at stake is the most that a wrong decision loses by its share: 60 is a slip for 0.60."""

_SEGMENT = re.compile(r"(input|output)(\.[A-Za-z_]\w{0,99}){1,8}\Z", re.ASCII)
_FIELD = re.compile(r"[A-Za-z_]\w{0,99}\Z", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,18})?\Z")
_QUOTIENT = re.compile(r"([0-9]{1,9})/([1-9][0-9]{0,8})\Z")
_WORDS = TypeVar("_WORDS", bound=StrEnum)


def read_autonomy(
    section: Section, exposure: ExposureSource | None, *, no_person: bool, rejects: bool = False
) -> AutonomyTerms | None:
    """Read what the owner of a decision point states of its autonomy; None if nothing is stated, or not all of it.

    Args:
        section: The point.
        exposure: Where its money at stake stands.
        no_person: Whether the point says that no person stands at its end.
        rejects: Whether its queue says no while it is full.
    """
    place = section.at("autonomy")
    if place and rejects:
        what = "its queue says no while it is full, which is a decision that no certificate allows"
        place.refuse(what, "autonomy-full", "let the queue hold what it has no room for: remove when_full: reject")
    return place.take(Form("autonomy", lambda at: _read(at, exposure, no_person=no_person), None)) if place else None


def _read(place: Place, exposure: ExposureSource | None, *, no_person: bool) -> AutonomyTerms | None:
    section = Section(place, AUTONOMY_KEYS)
    if no_person:
        what = "no person stands at the end of this point, so nobody could decide what is not certified"
        place.refuse(what, "autonomy-person", "end its components in person and remove no_person")
    if exposure is None:
        what = "without the money at stake no loss is known"
        place.refuse(what, "autonomy-exposure", 'say at the point where it stands, as in exposure: "output.total MYR"')
    review_cost = section.need("review_cost", MONEY, "say what a review costs, as in review_cost: 3.20 MYR")
    budget = section.need("budget", _BUDGET, "say which loss is acceptable for each decision, as in budget: 0.40 MYR")
    cap = section.need("cap", MONEY, "say above which amount a person decides, as in cap: 1000 MYR")
    wrong = section.need("wrong", _WRONG, "say what a wrong decision loses, as in wrong: {share: 1}")
    needless = section.may("needless", _NEEDLESS, _NO_LOSS)
    outcome = section.need("outcome", _OUTCOME, "say when the truth is known, as in outcome: {after: 30d, from: every}")
    audit = section.may("audit", _AUDIT, None)
    harm = section.may("harm", _HARM, None)
    amounts = [
        *_amounts(("cap", cap), ("review_cost", review_cost), ("budget", budget.written if budget else None)),
        *(wrong.amounts("wrong") if wrong else ()),
        *(needless.amounts("needless") if needless else ()),
        *_amounts(("audit.surely_from", audit[1] if audit else None)),
        *_amounts(("harm.ceiling", harm[2] if harm else None)),
    ]
    risk, window, renew = section.may("risk", _RISK, RISK), section.may("window", DURATION, WINDOW), _renew(section)
    segment, valid_for = section.may("segment", _SEGMENT_PATH, ""), section.may("valid_for", DURATION, VALID_FOR)
    narrows = section.may("narrows", _words(Narrowing, "narrows"), Narrowing.REVIEW)
    if review_cost is None or budget is None or cap is None or wrong is None or needless is None or outcome is None:
        return None
    if (section.at("audit") and audit is None) or (section.at("harm") and harm is None):
        return None
    if not _one_currency(place, amounts, exposure):
        return None
    terms = AutonomyTerms(
        review_cost=review_cost,
        budget=budget,
        cap=cap,
        wrong=wrong.terms,
        outcome=outcome,
        risk=risk,
        needless=needless.terms,
        audit=AuditTerms(share=audit[0], surely_from=audit[1].minor if audit[1] else None) if audit else None,
        segment=segment,
        window=window,
        valid_for=valid_for,
        narrows=narrows,
        renew=renew,
        harm=HarmTerms(kind=harm[0], outcomes=harm[1], ceiling=harm[2].minor) if harm else None,
    )
    _check(section, terms)
    return terms


def _check(section: Section, terms: AutonomyTerms) -> None:
    """See that what is stated goes together."""
    worst, place = terms.wrong.of(terms.highest), section.place
    if worst <= 0:
        at = section.at("wrong") or place
        at.refuse("a wrong decision loses nothing", "autonomy-loss", "state a share above 0, or plus: AMOUNT")
    elif terms.budget.rate is None and terms.budget.each >= worst:
        lost = Money.of_minor(worst, terms.currency)
        what = f"the budget for each decision is not below {lost}, which is all that one can lose: it bounds nothing"
        (section.at("budget") or place).refuse(what, "autonomy-budget", f"state less than {lost}")
    if terms.outcome.source is Source.AUDIT and terms.audit is None:
        what = "outcomes come from the audit sample, and none is declared"
        todo = "declare one, as in audit: {share: 0.02}, or write from: every"
        (section.at("outcome") or place).refuse(what, "autonomy-audit", todo)
    if terms.window <= terms.outcome.after:
        what = f"no outcome is due within the window: one takes {_days(terms.outcome.after)}"
        (section.at("window") or section.at("outcome") or place).refuse(what, "autonomy-window", "state a longer one")
    if terms.renew is not None and terms.renew > terms.valid_for:
        what = f"it is renewed every {_days(terms.renew)}, and counts for {_days(terms.valid_for)}"
        (section.at("renew") or place).refuse(what, "autonomy-renew", "renew more often than a certificate ends")
    if terms.harm is not None and terms.harm.ceiling > terms.cap.minor:
        at = section.at("harm") or place
        at.refuse(f"the ceiling is above the cap ({terms.cap}), so it never takes effect", "autonomy-ceiling",
                  f"state {terms.cap} or less")  # fmt: skip


def _one_currency(place: Place, amounts: list[tuple[str, Money]], exposure: ExposureSource | None) -> bool:
    currency = exposure.currency if exposure else amounts[0][1].currency
    whose = "the money at stake" if exposure else amounts[0][0]
    foreign = [(key, amount) for key, amount in amounts if amount.currency != currency]
    for key, amount in foreign:
        at = next((at for name, at in _deep(place) if name == key), place)
        at.refuse(f"{amount} is not in {currency}, as {whose} is", "autonomy-currency",
                  "state all amounts of a point in one currency")  # fmt: skip
    return not foreign


def _deep(place: Place) -> Iterator[tuple[str, Place]]:
    """Every value below a place, by the key that leads to it from there."""
    if isinstance(place.node, Mapping):
        for name, at in place.entries():
            yield name, at
            yield from ((f"{name}.{below}", deeper) for below, deeper in _deep(at))


class _Loss:
    """A loss as it is written, with its amounts."""

    def __init__(self, share: Fraction, plus: Money | None, at_most: Money | None) -> None:
        self.terms = LossTerms(share=share, plus=plus.minor if plus else 0, at_most=at_most.minor if at_most else None)
        self._written = (("plus", plus), ("at_most", at_most))

    def amounts(self, key: str) -> Iterator[tuple[str, Money]]:
        return _amounts(*((f"{key}.{name}", amount) for name, amount in self._written))


def _amounts(*found: tuple[str, Money | None]) -> Iterator[tuple[str, Money]]:
    return ((key, amount) for key, amount in found if amount is not None)


def _loss(place: Place, share: Fraction) -> _Loss | None:
    section = Section(place, LOSS_KEYS)
    if not any(section.at(key) for key in ("share", "plus")):
        place.refuse("no loss is stated", "autonomy-loss", "state share: PART, plus: AMOUNT, or both")
    plus, at_most = section.may("plus", MONEY, None), section.may("at_most", MONEY, None)
    if (section.at("plus") and plus is None) or (section.at("at_most") and at_most is None):
        return None
    return _Loss(section.may("share", _LOSS_SHARE, share), plus, at_most)


def _budget(place: Place) -> LossBudget | None:
    """The short form is for each decision; with a month, for as many as come in one; or how many may be wrong."""
    if not isinstance(place.node, Mapping):
        money = place.take(MONEY)
        return LossBudget(written=money) if money else None
    section = Section(place, BUDGET_KEYS)
    if rated := section.at("rate"):
        for other in filter(None, (section.at("month"), section.at("decisions"))):
            other.refuse("a rate is stated, which bounds how many are wrong", "autonomy-budget", "state one of both")
        rate = rated.take(_RATE)
        return LossBudget(rate=rate) if rate else None
    money = section.need("month", MONEY, "say which loss a month may bring, as in month: 2000 MYR")
    decisions = section.need("decisions", COUNT, "say how many decisions come in a month, as in decisions: 5000")
    return LossBudget(written=money, decisions=decisions) if money else None


def _outcome(place: Place) -> OutcomeTerms | None:
    section = Section(place, OUTCOME_KEYS)
    after = section.need("after", DURATION, "say how long after a decision its outcome is due, as in after: 30d")
    source = section.may("from", _words(Source, "from"), Source.EVERY)
    fields = section.may("fields", list_of(_FIELD_NAME), ())
    for twice in sorted({one for one in fields if fields.count(one) > 1}):
        (section.at("fields") or place).refuse(f"{twice} stands twice", "autonomy-fields", "keep it once")
    return OutcomeTerms(after=after, source=source, fields=fields)


def _audit(place: Place) -> tuple[Fraction, Money | None] | None:
    section = Section(place, AUDIT_KEYS)
    surely = section.may("surely_from", MONEY, None)
    if section.at("surely_from") and surely is None:
        return None
    return section.may("share", SHARE, AUDIT_SHARE), surely


def _harm(place: Place) -> tuple[Harm, int, Money] | None:
    section = Section(place, HARM_KEYS)
    kind = section.need("kind", _words(Harm, "kind"), f"write one of {', '.join(Harm)}")
    outcomes = section.need("outcomes", COUNT, "say on how many outcomes it must rest, as in outcomes: 2000")
    ceiling = section.need("ceiling", MONEY, "say above which amount a person decides in any case")
    return (kind, outcomes, ceiling) if ceiling else None


def _renew(section: Section) -> timedelta | None:
    return section.may("renew", DURATION, timedelta(0)) or None


def _risk(place: Place) -> Fraction:
    risk = _exact(place)
    if not 0 < risk <= HIGHEST_RISK:
        raise Refused(f"{place.text()} is no risk", todo="write a number above 0 and at most 0.5, as in 0.05")
    return risk


def _rate(place: Place) -> Fraction:
    text = place.text().strip()
    number = text.removesuffix("%").rstrip()
    rate = _exact_of(number) / (100 if number != text else 1)
    if not 0 < rate <= HIGHEST_RATE:
        raise Refused(
            f"{text[:60]!r} is no rate", todo='write a share above 0 and at most 50 %, as in "0.5 %" or 0.005'
        )
    return rate


def _loss_share(place: Place) -> Fraction:
    share = _exact(place)
    if share > HIGHEST_SHARE:
        todo = f"write a part of the money at stake, from 0 to {HIGHEST_SHARE}, as in 0.6"
        raise Refused(f"{place.text()} times what is at stake is no loss", todo=todo)
    return share


def _exact(place: Place) -> Fraction:
    return _exact_of(place.text())


def _exact_of(text: str) -> Fraction:
    if parts := _QUOTIENT.match(text):
        return Fraction(int(parts[1]), int(parts[2]))
    if not _NUMBER.match(text):
        raise Refused(f"{text[:60]!r} is no plain number of 0 or more", todo="write it as in 0.05 or 1/20")
    return Fraction(text)


def _matching(pattern: re.Pattern[str], what: str, todo: str) -> Form[str]:
    def read(place: Place) -> str:
        text = place.text()
        if not pattern.match(text):
            raise Refused(f"{text[:60]!r} is no {what}", todo=todo)
        return text

    return Form(what, read, "")


def _words(kind: type[_WORDS], name: str) -> Form[_WORDS]:
    def read(place: Place) -> _WORDS:
        text = place.text()
        try:
            return kind(text)
        except ValueError as cause:
            raise Refused(f"{text[:60]!r} is not known", todo=f"write one of {', '.join(kind)}") from cause

    return Form(name, read, next(iter(kind)))


def _days(span: timedelta) -> str:
    return f"{span.total_seconds() / 86_400:g} days"


_RISK = Form("risk", _risk, RISK)
_RATE = Form("rate", _rate, Fraction(0))
_LOSS_SHARE = Form("share", _loss_share, Fraction(1))
_SEGMENT_PATH = _matching(_SEGMENT, "segment", "write a path from input or output, as in input.grade")
_FIELD_NAME = _matching(_FIELD, "field", "write the name of a field of the output, as in approved")
_BUDGET = Form[LossBudget | None]("budget", _budget, None)
_WRONG = Form[_Loss | None]("loss", lambda place: _loss(place, Fraction(1)), None)
_NEEDLESS = Form[_Loss | None]("loss", lambda place: _loss(place, Fraction(0)), None)
_NO_LOSS = _Loss(Fraction(0), None, None)
_OUTCOME = Form[OutcomeTerms | None]("outcome", _outcome, None)
_AUDIT = Form[tuple[Fraction, Money | None] | None]("audit", _audit, None)
_HARM = Form[tuple[Harm, int, Money] | None]("harm", _harm, None)
