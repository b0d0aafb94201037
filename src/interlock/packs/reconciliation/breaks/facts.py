"""Which breaks there should be, and what is told of each: to its case, and in words to people. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import polars as pl

from interlock.db.gates import DIGEST_BYTES
from interlock.money import Money
from interlock.packs.reconciliation.breaks.cause import (
    Cause,
    Frames,
    likeliest,
    open_entries,
    with_causes,
)
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.terms import ReconciliationTerms

_BETWEEN = "\0"
_LONGEST_NAME = 100
_SLICE = 50_000


@dataclass(frozen=True, eq=False)
class BreakPlan:
    """What should be open.

    Attributes:
        free: The identities and ids of all entries that no match takes: ``id``, ``identity``.
        breaks: Those that should be breaks, by identity, with their cause, partner, ``candidates`` and ``facts``.
        waiting: How many entries wait for their partner and are no breaks yet.
    """

    free: pl.DataFrame
    breaks: pl.DataFrame
    waiting: int


def plan_breaks(
    entries: Frames,
    matched: pl.Series,
    candidates: pl.DataFrame,
    horizons: pl.DataFrame,
    terms: ReconciliationTerms,
    late: pl.Series,
) -> BreakPlan:
    """The breaks that follow from a solution. Depends on sets of rows alone, not on their order.

    Args:
        entries: Both sides' entries in force, columns as in ``matching.entries.COLUMNS`` and ``id``.
        matched: The identities of the entries that a match of the solution takes.
        candidates: Each pair that was looked at: ``expected``, ``actual`` (identities), ``probability``.
        horizons: Up to which day statements in force cover an account: ``side``, ``account``, ``currency``,
            ``last_day``.
        terms: Tolerances, fees, windows, links.
        late: The ids of entries that are late by the calendar, as ``late_from`` counts.
    """
    matched = matched.cast(entries[Side.EXPECTED]["identity"].dtype)
    free = open_entries(entries, matched, horizons, terms, late)
    due = free.filter(pl.col("overdue"))
    everything = pl.concat([entries[side] for side in Side])
    caused = with_causes(free, entries, matched, candidates, terms).join(
        due.select("identity"), on="identity", how="semi", maintain_order="left"
    )
    ids = everything.select(partner="identity", partner_id="id")
    nearest = likeliest(due, candidates, everything).join(ids, on="partner", maintain_order="left")
    told = nearest.with_columns(percent=(pl.col("probability") * 100).round(0).cast(pl.Int64))
    grouped = told.group_by("identity", maintain_order=True).agg(
        candidates=pl.struct("partner_id", "partner_minor", "partner_on", "partner_party", "percent"),
        told=pl.concat_str("partner", pl.col("percent").cast(pl.String), separator=" ").str.join(","),
    )
    breaks = caused.join(grouped, on="identity", how="left", maintain_order="left")
    return BreakPlan(
        free=free.select("id", "identity"),
        breaks=breaks.with_columns(facts=_digests(breaks)).select(
            "id", "identity", "side", "account", "currency", "minor", "booked_on", "value_on", "memo", "counterparty",
            "reference", "cause", "horizon", "partner", "partner_minor", "partner_on", "partner_party", "candidates",
            "facts",
        ),
        waiting=len(free) - len(due),
    )  # fmt: skip


def late_from(terms: ReconciliationTerms) -> int:
    """After how many days of age an entry is late by the calendar: never before its partner's window ends."""
    return max(terms.escalate_days, terms.days_later, terms.days_earlier)


def _digests(breaks: pl.DataFrame) -> pl.Series:
    """16 bytes in hex of what each break rests on."""
    parts = ["identity", "cause", "partner", "partner_minor", "told"]
    texts = breaks.select(
        pl.concat_str(*(pl.col(name).cast(pl.String).fill_null("") for name in parts), separator=_BETWEEN)
    ).to_series()
    done = [pl.Series([], dtype=pl.String)]
    for start in range(0, len(texts), _SLICE):
        part = cast("list[str]", texts.slice(start, _SLICE).to_list())
        found = [hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest() for text in part]
        done.append(pl.Series(found, dtype=pl.String))
    return pl.concat(done)


def break_key(row: Mapping[str, Any], reconciliation: str, turn: int) -> str:
    """The key of a break's case: of its facts, which hold its entry's identity, and of how often it was so.

    Two reconciliations of one tenant may both have the entry, and each has a break of its own.
    """
    return f"break/{reconciliation}/{row['facts']}/{turn}"


def break_input(row: Mapping[str, Any], terms: ReconciliationTerms, key: str) -> dict[str, Any]:
    """What a break's case begins with, a ``break@1``.

    Args:
        row: A row of ``BreakPlan.breaks``.
        terms: Of the reconciliation.
        key: Of the case.
    """
    currency, minor = row["currency"], row["minor"]
    told: dict[str, Any] = {
        "reconciliation": terms.name,
        "key": key,
        "entry": row["id"],
        "side": row["side"],
        "account": row["account"],
        "currency": currency,
        "amount": _plain(minor, currency),
        "held_up": _plain(abs(minor), currency),
        "booked_on": row["booked_on"].isoformat(),
        "value_on": row["value_on"].isoformat(),
        "memo": row["memo"],
        "counterparty": row["counterparty"],
        "reference": row["reference"],
        "cause": row["cause"],
        "what": words(row),
        "candidates": [_candidate(one, currency) for one in row["candidates"] or ()],
        "remind_days": terms.remind_days,
        "escalate_days": terms.escalate_days,
        "journal": journal(row, terms, key),
    }
    if row["cause"] in (Cause.FEE, Cause.WRONG_AMOUNT):
        told["difference"] = _plain(row["partner_minor"] - minor, currency)
    return told


def journal(row: Mapping[str, Any], terms: ReconciliationTerms, key: str) -> dict[str, Any]:
    """What writes an entry off: it leaves its clearing account, as a match's booking would, for that of write-offs."""
    currency = row["currency"]
    expected = row["side"] == Side.EXPECTED
    moved = -row["minor"] if expected else row["minor"]
    account = terms.clearing_expected if expected else terms.clearing_actual
    return {
        "reference": key,
        "date": row["booked_on"].isoformat(),
        "currency": currency,
        "lines": [
            {"account": account, "amount": _plain(moved, currency)},
            {"account": terms.write_offs_account, "amount": _plain(-moved, currency)},
        ],
    }


def words(row: Mapping[str, Any]) -> str:
    """What was found, in words, with the nearest candidate and how likely it is."""
    currency = row["currency"]
    side = "expected" if row["side"] == Side.EXPECTED else "reported"
    party = f" {'from' if row['minor'] > 0 else 'to'} {_name(row['counterparty'])}" if row["counterparty"] else ""
    entry = f"{Money.of_minor(row['minor'], currency)}{party} of {row['value_on']} is {side} on {row['account'] or '-'}"
    return f"{entry}. {_cause(row)} {_nearest(row)}"


def _cause(row: Mapping[str, Any]) -> str:
    currency, other = row["currency"], "reported" if row["side"] == Side.EXPECTED else "expected"
    if row["cause"] == Cause.UNCOVERED:
        return _uncovered(row["horizon"])
    if row["partner"] is None:
        return f"Nothing that is {other} looks like it."
    amount, day = Money.of_minor(row["partner_minor"], currency), row["partner_on"]
    apart = Money.of_minor(abs(row["partner_minor"] - row["minor"]), currency)
    match row["cause"]:
        case Cause.DUPLICATE:
            return f"An equal entry, of {day}, is matched already."
        case Cause.REVERSAL:
            return f"Its opposite, {amount} of {day}, is open on the same account: one takes the other back."
        case Cause.FEE:
            return f"{amount} of {day} is {other} and differs by {apart}, which is a known fee."
        case _:
            return f"{amount} of {day} is {other} for the same party or reference, and differs by {apart}."


def _uncovered(known: date | None) -> str:
    if known is None:
        return "No statement of the other side has come."
    return f"The other side's statements end on {known}, before the last day on which its partner could have come."


def _nearest(row: Mapping[str, Any]) -> str:
    if not row["candidates"]:
        return "There is no candidate for a match."
    first = row["candidates"][0]
    party = f" with {_name(first['partner_party'])}" if first["partner_party"] else ""
    amount = Money.of_minor(first["partner_minor"], row["currency"])
    return f"The nearest candidate is {amount} of {first['partner_on']}{party}, at {first['percent']} percent."


def _candidate(one: Mapping[str, Any], currency: str) -> dict[str, Any]:
    valued: date = one["partner_on"]
    return {
        "entry": one["partner_id"],
        "amount": _plain(one["partner_minor"], currency),
        "value_on": valued.isoformat(),
        "counterparty": one["partner_party"],
        "probability": one["percent"] / 100,
    }


def _name(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"


def _plain(minor: int, currency: str) -> str:
    return f"{Money.of_minor(minor, currency).amount:f}"
