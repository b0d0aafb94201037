"""What wrong decisions that nobody corrected lost, as far as it is known, and what of it is not. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from interlock.business.sampled import Estimate, estimate
from interlock.business.sums import USD, Sums, major
from interlock.business.tally import Beside, Drawn, DrawnOf, LossOf, Sort, Tallies
from interlock.business.terms import BusinessTerms

MOST_KNOWN = 100_000
"""Where counting the outcomes that are known stops, at each point: "at least" is said from here on."""


def losses_of(
    losses: Sequence[LossOf], known: int, tallies: Tallies, terms: BusinessTerms, beside: Beside
) -> Sums:  # fmt: skip
    """What was lost: as realised, else as declared for the exposure; estimated where only an audit sample tells.

    INVARIANT: a decision without an outcome is never taken as right: it is estimated, or named as not known.
    """
    estimates = _estimates(beside.drawn, terms)
    if not known and not losses and not estimates:
        return Sums({}, known=False, note="losses: no outcome is recorded")
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    seen: dict[str, Decimal] = defaultdict(Decimal)  # of automatic decisions at points that are estimated
    realised = declared = silent = 0
    for one in losses:
        lost = _lost(one, terms)
        if lost is None:
            silent += one.number if one.point not in estimates else 0
            continue
        realised, declared = realised + one.number * one.realised, declared + one.number * (not one.realised)
        if one.point in estimates and one.alone and one.currency == terms.autonomy[one.point].currency:
            seen[one.point] += lost
        else:
            amounts[one.currency] += lost
    told = " + ".join(filter(None, (Sums({terms.autonomy[at].currency: lost}, known=True).told()
                                    for at, lost in seen.items() if lost)))  # fmt: skip
    spread: dict[str, tuple[Decimal, Decimal]] = {}
    for point, found in estimates.items():
        currency = terms.autonomy[point].currency
        lost = max(_whole(found.lost, currency, ROUND_CEILING), seen[point])
        low = max(_whole(found.low, currency, ROUND_FLOOR), seen[point])
        high = max(_whole(found.high, currency, ROUND_CEILING), lost)
        below, above = spread.get(currency, (Decimal(0), Decimal(0)))
        amounts[currency] += lost
        spread[currency] = below + lost - min(low, lost), above + high - lost
    silent += sum(one.silent for one in estimates.values())
    decided = tallies.number(Sort.DECIDED)
    most = "at least " if known >= MOST_KNOWN else ""
    parts = [f"outcomes of {most}{known:,} of {decided:,} decisions are known"]
    parts += [f"{realised:,} losses are on record"] if realised else []
    parts += [f"{declared:,} are as the point declares"] if declared else []
    parts += [f"what {silent:,} wrong ones lost is not known"] if silent else []
    parts += [_estimated(estimates, told)] if estimates else []
    short = _short(losses, known, silent, tallies, beside, estimates)
    parts += [f"left out: {short}"] if short else []
    if not amounts and not silent:
        amounts[next((currency for _, currency in terms.losses.values()), USD)] = Decimal(0)
    return Sums(dict(amounts), known=bool(amounts), note="; ".join(parts), short=short, spread=spread)


def _lost(one: LossOf, terms: BusinessTerms) -> Decimal | None:
    stated = terms.losses.get(one.point)
    if one.realised and one.currency:
        return major(one.lost_minor, one.currency)
    if stated and one.exposure_minor is not None and one.exposure_minor >= 0 and one.currency == stated[1]:
        return major(stated[0].of(one.exposure_minor) * one.number, one.currency)
    return None


def _estimates(drawn: Sequence[DrawnOf], terms: BusinessTerms) -> dict[str, Estimate]:
    """Of the points where at least one answer came, or is due."""
    rows: dict[str, list[DrawnOf]] = defaultdict(list)
    for one in drawn:
        rows[one.point].append(one)
    points = {at: of for at, of in rows.items() if any(one.standing is not Drawn.WAITING for one in of)}
    return {at: estimate(of, terms.autonomy[at], len(points)) for at, of in points.items()}


def _whole(minor: float, currency: str, rounding: str) -> Decimal:
    return major(Decimal(minor).to_integral_value(rounding), currency)


def _estimated(estimates: dict[str, Estimate], seen: str) -> str:
    """What is to be known of an estimate, with what was seen beside it."""
    drawn, missing, waiting = (
        sum(getattr(one, name) for one in estimates.values()) for name in ("drawn", "missing", "waiting")
    )
    told = (
        f"an estimate at {', '.join(sorted(estimates))} from {drawn:,} automatic decisions of the audit sample, each "
        f"weighted by 1/propensity; seen itself: {seen or 'no loss'}; what people decided there counts as they said"
    )
    parts = [told]
    parts += [f"{missing:,} drawn ones are due without an answer and count as wrong"] if missing else []
    parts += [f"{waiting:,} drawn ones wait for an answer: as wrong in the upper end alone"] if waiting else []
    return "; ".join(parts)


def _short(
    losses: Sequence[LossOf], known: int, silent: int, tallies: Tallies, beside: Beside, estimates: dict[str, Estimate]
) -> str:
    """What is in no amount, with its size."""
    decided = Counter[str]()
    for row in tallies.of(Sort.DECIDED):
        decided[row.part] += row.number
    whole = decided.total()
    reached = sum(
        max(decided[one.point] - one.known - one.outside, 0) for one in beside.points if one.point in estimates
    )
    unknown, missing = max(whole - known - reached, 0), sum(one.missing for one in beside.points)
    parts: list[str] = []
    if unknown or missing:
        due = f", {missing:,} of them due" if missing else ""
        most = "up to " if known >= MOST_KNOWN else ""
        parts.append(
            f"the losses of {most}{max(unknown, missing):,} of {whole:,} decisions whose outcome is not known{due}"
        )
    parts += [f"what {silent:,} wrong ones lost"] if silent else []
    if sum(one.number for one in losses) >= MOST_KNOWN:
        parts.append(f"wrong ones before the newest {MOST_KNOWN:,}")
    return ", ".join(parts)
