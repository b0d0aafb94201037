"""Why an entry has no match, as far as the entries themselves tell it. Pure.

An entry that no match takes is a break once the other side's statements cover every day on which its partner could have
come; before that it only waits: what is known follows from the entries and statements in force. Where the other side's
statements stay out, the calendar speaks: an entry that is late by it is a break, too, which nothing covers.

The causes, the first that fits:

    uncovered     the other side's statements do not reach it, though they should by now
    duplicate     an equal entry of the same side is matched already
    reversal      its opposite, from or to the same party, is open on the same side
    fee           the right party's entry differs by a known fee, and the scorer was not sure enough
    wrong-amount  the right party's entry differs by more than is tolerated
    missing       nothing on the other side looks like it
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

import polars as pl

from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.matching.words import fold
from interlock.packs.reconciliation.terms import ReconciliationTerms


class Cause(StrEnum):
    """What a break is taken for."""

    MISSING = "missing"
    WRONG_AMOUNT = "wrong-amount"
    DUPLICATE = "duplicate"
    REVERSAL = "reversal"
    FEE = "fee"
    UNCOVERED = "uncovered"


Frames: TypeAlias = dict[Side, pl.DataFrame]
"""Both sides' entries in force; columns as in ``matching.entries.COLUMNS`` and ``id``."""

MOST_CANDIDATES = 3
"""So many of the nearest entries are told of a break."""
_DUPLICATE_WITHIN = timedelta(days=5)
_LEAST_SHARE = 0.5
"""Two amounts of one party of which the lesser is under this share of the greater are two amounts, not a wrong one."""
_LEAST_PROBABILITY = 0.05
_OTHER = {Side.EXPECTED: Side.ACTUAL, Side.ACTUAL: Side.EXPECTED}
_PARTNER = ("partner", "partner_minor", "partner_on", "partner_party")


def open_entries(
    entries: Frames, matched: pl.Series, horizons: pl.DataFrame, terms: ReconciliationTerms, late: pl.Series
) -> pl.DataFrame:
    """The entries that no match takes, with ``side``, ``overdue``, ``uncovered`` and what they are compared by.

    Args:
        entries: Both sides.
        matched: The identities of the entries that a match takes.
        horizons: Up to which day statements in force cover an account: ``side``, ``account``, ``currency``,
            ``last_day``.
        terms: The windows and links.
        late: The ids of entries that are late by the calendar.

    Returns:
        Also ``horizon``: up to which day the other side is known; null where no statement of it has come.
    """
    found = pl.concat([_open(side, entries[side], matched, horizons, terms) for side in Side])
    uncovered = ~pl.col("overdue") & pl.col("id").is_in(late.implode())
    return found.with_columns(uncovered=uncovered, overdue=pl.col("overdue") | uncovered)


def _open(
    side: Side, frame: pl.DataFrame, matched: pl.Series, horizons: pl.DataFrame, terms: ReconciliationTerms
) -> pl.DataFrame:
    window = terms.days_later if side is Side.EXPECTED else terms.days_earlier
    free = compared(side, frame).filter(~pl.col("identity").is_in(matched.implode()))
    known = covered(side, free.select("account", "currency").unique(), horizons, terms)
    reaches = pl.col("value_on").cast(pl.Int32) + window  # in days: no date is too late to be compared
    joined = free.join(known, on=["account", "currency"], how="left", maintain_order="left")
    return joined.with_columns(overdue=(pl.col("horizon").cast(pl.Int32) > reaches).fill_null(value=False))


def covered(side: Side, accounts: pl.DataFrame, horizons: pl.DataFrame, terms: ReconciliationTerms) -> pl.DataFrame:
    """Up to which day the other side is known where an account's partners could come: ``horizon``, null for never.

    That is the account of the same name if the other side has one; else those that the terms link with it, or all of
    the currency, of which the one that reaches least far counts.
    """
    other = horizons.filter(pl.col("side") == _OTHER[side]).select("currency", "last_day", there="account")
    pairs = accounts.join(other, on="currency")
    if terms.links:
        pairs = pairs.join(_links(side, terms), on=["account", "there"], how="semi")
    mine = pl.col("account") == pl.col("there")
    by_account = pairs.with_columns(same=mine.any().over("account", "currency"))
    return (
        by_account.filter(~pl.col("same") | mine).group_by("account", "currency").agg(horizon=pl.col("last_day").min())
    )


def _links(side: Side, terms: ReconciliationTerms) -> pl.DataFrame:
    names = ("account", "there") if side is Side.EXPECTED else ("there", "account")
    return pl.DataFrame(list(terms.links), schema=dict.fromkeys(names, pl.String), orient="row")


def compared(side: Side, frame: pl.DataFrame) -> pl.DataFrame:
    """Entries with ``side``, their size, and the party and the words by which they are recognised, folded."""
    named = pl.when(pl.col("counterparty_account") != "").then("counterparty_account").otherwise("counterparty")
    told = frame.with_columns(
        side=pl.lit(str(side)),
        size=pl.col("minor").abs(),
        sign=pl.col("minor").sign(),
        party=named,
        words=pl.when(pl.col("reference") != "").then("reference").otherwise("memo"),
    )
    return told.with_columns(party=fold(told["party"]), words=fold(told["words"]), referred=fold(told["reference"]))


def with_causes(
    free: pl.DataFrame, entries: Frames, matched: pl.Series, candidates: pl.DataFrame, terms: ReconciliationTerms
) -> pl.DataFrame:
    """Open entries with their ``cause`` and the entry that speaks for it.

    Args:
        free: As ``open_entries`` gives them.
        entries: Both sides.
        matched: The identities of the entries that a match takes.
        candidates: ``expected``, ``actual`` (identities) and ``probability``, for each pair that was looked at.
        terms: Tolerances, fees, windows, links.

    Returns:
        The same rows with ``cause``; ``partner`` (identity), ``partner_minor``, ``partner_on``, ``partner_party``,
        null where nothing speaks for the cause; sorted by identity.
    """
    everything = pl.concat([compared(side, entries[side]) for side in Side])
    taken = everything.filter(pl.col("identity").is_in(matched.implode()))
    by_words = ["side", "account", "currency", "minor", "party", "words"]
    told = free.filter((pl.col("words") != "") | (pl.col("party") != ""))
    duplicates = _nearest(told, taken, by_words, _DUPLICATE_WITHIN).with_columns(cause=pl.lit(str(Cause.DUPLICATE)))
    window = timedelta(days=max(terms.days_later, terms.days_earlier))
    named = free.filter(pl.col("party") != "")
    # of what is open alone: money that is matched already was not taken back, and cannot be accepted with this
    opposite = free.with_columns(sign=-pl.col("sign"))
    of_party = ["side", "account", "currency", "size", "sign", "party"]
    reversals = _nearest(named, opposite, of_party, window).with_columns(cause=pl.lit(str(Cause.REVERSAL)))
    amounts = _amounts(free, candidates, terms, window)
    found = pl.concat([duplicates, reversals, amounts]).unique("identity", keep="first", maintain_order=True)
    # while the other side's statements stay out, whatever else seems to speak for a cause may be told otherwise by them
    stays_out = pl.col("uncovered")
    known = pl.col("cause").fill_null(str(Cause.MISSING))
    cause = pl.when(stays_out).then(pl.lit(str(Cause.UNCOVERED))).otherwise(known)
    nobody = (pl.when(~stays_out).then(pl.col(name)).alias(name) for name in _PARTNER)
    return free.join(found, on="identity", how="left").with_columns(cause.alias("cause"), *nobody).sort("identity")


def _nearest(free: pl.DataFrame, others: pl.DataFrame, by: list[str], within: timedelta) -> pl.DataFrame:
    """For each open entry the one among others that is equal by these columns and nearest in days; linear in both.

    Of equally near ones the one with the least identity, whatever the order of the rows.
    """
    partners = (
        others.sort("identity")
        .unique([*by, "value_on"], keep="first", maintain_order=True)
        .select(
            *by,
            "value_on",
            partner="identity",
            partner_minor="minor",
            partner_on="value_on",
            partner_party="counterparty",
        )
        .sort("value_on", *by)
    )
    found = free.select("identity", "value_on", *by).sort("value_on", "identity")
    joined = found.join_asof(
        partners, on="value_on", by=by, strategy="nearest", tolerance=within, check_sortedness=False
    )
    return joined.filter(pl.col("partner").is_not_null()).select("identity", *_PARTNER)


def _amounts(
    free: pl.DataFrame, candidates: pl.DataFrame, terms: ReconciliationTerms, window: timedelta
) -> pl.DataFrame:
    """Open entries whose partner is there with another amount: a known fee, or more than is tolerated."""
    across = free.with_columns(
        side=pl.when(pl.col("side") == "expected").then(pl.lit("actual")).otherwise(pl.lit("expected"))
    )
    referred = _nearest(
        free.filter(pl.col("referred") != ""), across, ["side", "currency", "sign", "referred"], window
    ).with_columns(sure=pl.lit(value=True))
    named = _nearest(
        free.filter(pl.col("party") != ""), across, ["side", "currency", "sign", "party"], window
    ).with_columns(sure=pl.lit(value=False))
    likely = likeliest(free, candidates, free).filter(
        (pl.col("rank") == 0) & (pl.col("probability") >= _LEAST_PROBABILITY)
    )
    seen = likely.select("identity", *_PARTNER).with_columns(sure=pl.lit(value=False))
    both = pl.concat([referred, named, seen]).unique("identity", keep="first", maintain_order=True)
    account_of = free.select("identity", "account")
    known = both.join(free.select("identity", "side", "account", "currency", "minor"), on="identity").join(
        account_of.rename({"identity": "partner", "account": "there"}), on="partner"
    )
    return _judged(_linked(known, terms), terms)


def _linked(pairs: pl.DataFrame, terms: ReconciliationTerms) -> pl.DataFrame:
    if not terms.links:
        return pairs
    parts = [
        pairs.filter(pl.col("side") == str(side)).join(_links(side, terms), on=["account", "there"], how="semi")
        for side in Side
    ]
    return pl.concat(parts)


def _judged(pairs: pl.DataFrame, terms: ReconciliationTerms) -> pl.DataFrame:
    """The pairs whose difference is a cause, with it."""
    mine, theirs = pl.col("minor").abs(), pl.col("partner_minor").abs()
    greater, lesser = pl.max_horizontal(mine, theirs), pl.min_horizontal(mine, theirs)
    amounts = {one.currency: one.minor for one in terms.tolerance_amounts}
    floor = pl.col("currency").replace_strict(amounts, default=0, return_dtype=pl.Int64)
    # towards zero, as the terms do; in decimals of 38 digits, since a float would round
    share = (
        (greater.cast(pl.Decimal(38, 9)) * pl.lit(terms.tolerance_share, dtype=pl.Decimal(38, 9)))
        .floor()
        .cast(pl.Int64)
    )
    fees = pl.DataFrame(
        [(fee.currency, abs(fee.minor)) for fee in terms.fees],
        schema={"currency": pl.String, "apart": pl.Int64},
        orient="row",
    ).unique()
    apart = pairs.with_columns(
        apart=(pl.col("partner_minor") - pl.col("minor")).abs(), most=pl.max_horizontal(share, floor)
    )
    apart = apart.join(fees.with_columns(is_fee=pl.lit(value=True)), on=["currency", "apart"], how="left")
    is_fee = pl.col("is_fee").fill_null(value=False)
    wrong = (pl.col("apart") > pl.col("most")) & (pl.col("sure") | (lesser * 1.0 >= greater * _LEAST_SHARE))
    cause = pl.when(is_fee).then(pl.lit(str(Cause.FEE))).when(wrong).then(pl.lit(str(Cause.WRONG_AMOUNT)))
    return apart.with_columns(cause=cause).filter(pl.col("cause").is_not_null()).select("identity", *_PARTNER, "cause")


def likeliest(free: pl.DataFrame, candidates: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """For each open entry its likeliest candidates among others, the first with ``rank`` 0.

    Returns:
        ``identity``, ``rank``, ``probability``, ``partner``, ``partner_minor``, ``partner_on``, ``partner_party``.
    """
    there = others.select(
        partner="identity", partner_minor="minor", partner_on="value_on", partner_party="counterparty"
    )
    ways = [
        candidates.select(
            identity=pl.col(mine), partner=pl.col(theirs), probability=pl.col("probability").cast(pl.Float64)
        )
        for mine, theirs in (("expected", "actual"), ("actual", "expected"))
    ]
    ranked = (
        pl.concat(ways)
        .join(free.select("identity"), on="identity", how="semi")
        .join(there, on="partner")
        .sort("identity", -pl.col("probability"), "partner")
        .with_columns(rank=pl.int_range(pl.len()).over("identity"))
    )
    return ranked.filter(pl.col("rank") < MOST_CANDIDATES).select("identity", "rank", "probability", *_PARTNER)
