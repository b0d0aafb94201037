"""A proposed match as the decision point is asked it: both sides, what the model is given, and what books it.

Pure. Amounts are exact decimals as text; accounts are those of the terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import polars as pl

from interlock.money import Money, exponent
from interlock.packs.reconciliation.terms import ReconciliationTerms

_SHOWN = ("id", "account", "minor", "booked_on", "value_on", "memo", "counterparty", "reference")
_FEE = "fee"
LONGEST_REASONS = 1000


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One match of the target, with the entries that it holds.

    Attributes:
        members: Digest of its entries' identities.
        turn: How often the same entries were proposed together before.
        form: ``1:1``, ``1:n``, ``n:1``, ``n:m``.
        currency: Of all its entries.
        expected: The entries of the expected side: the columns of ``_SHOWN``.
        actual: Those of the actual side.
        expected_minor: The signed sum of the expected side.
        actual_minor: The signed sum of the actual side.
        probability: How likely the solver holds it to be right.
        margin: How much worse the best whole without it is.
        sure: Whether the probability suffices to book it without a person.
        contradicts: Whether a person refused a part of it, or one that nothing tells apart from it.
        beyond: Whether more is given up by it than is booked without a person.
        features: What the decision's model is given.
        explained: What the difference is taken for.
        reasons: Why it is proposed, in words.
    """

    members: UUID
    turn: int
    form: str
    currency: str
    expected: tuple[Mapping[str, Any], ...]
    actual: tuple[Mapping[str, Any], ...]
    expected_minor: int
    actual_minor: int
    probability: float
    margin: float
    sure: bool
    contradicts: bool
    beyond: bool
    features: tuple[float, ...]
    explained: str
    reasons: str

    @property
    def key(self) -> str:
        """The key of its decision: the same for a round that was killed and the one after it."""
        return f"{self.members.hex}-{self.turn}"

    @property
    def exposure(self) -> Money:
        """What is at stake: the greater of the two sides."""
        return Money.of_minor(max(abs(self.expected_minor), abs(self.actual_minor)), self.currency)

    @property
    def entries(self) -> Iterator[UUID]:
        """The ids of its entries."""
        for entry in (*self.expected, *self.actual):
            yield UUID(entry["id"])


def proposals(
    matches: pl.DataFrame, turns: pl.DataFrame, expected: pl.DataFrame, actual: pl.DataFrame
) -> Iterator[Proposal]:
    """The rows of a part of the target, with their entries.

    Args:
        matches: By ``TARGET_SCHEMA``; as few as may be Python objects at once.
        turns: How often members were proposed before: ``members``, ``turns``.
        expected: The entries of the expected side.
        actual: Those of the actual side.
    """
    sides = {"expected": _entries_of(matches, "expected", expected), "actual": _entries_of(matches, "actual", actual)}
    rows = matches.join(turns, on="members", how="left", maintain_order="left").iter_rows(named=True)
    for row in rows:
        yield Proposal(
            members=UUID(row["members"]),
            turn=row["turns"] or 0,
            form=row["form"],
            currency=row["currency"],
            expected=tuple(sides["expected"][one] for one in row["expected"]),
            actual=tuple(sides["actual"][one] for one in row["actual"]),
            expected_minor=row["expected_minor"],
            actual_minor=row["actual_minor"],
            probability=row["probability"],
            margin=row["margin"],
            sure=row["sure"],
            contradicts=row["contradicts"],
            beyond=row["beyond"],
            features=tuple(row["features"]),
            explained=row["explained"],
            reasons=row["reasons"],
        )


def _entries_of(matches: pl.DataFrame, side: str, entries: pl.DataFrame) -> dict[str, Mapping[str, Any]]:
    wanted = matches.select(id=pl.col(side).explode()).unique()
    found = entries.join(wanted, on="id", how="semi").select(_SHOWN)
    return {row["id"]: row for row in found.iter_rows(named=True)}


def question(proposal: Proposal, terms: ReconciliationTerms) -> dict[str, Any]:
    """The input of the decision: a ``match@1``.

    Raises:
        MoneyInvalid: a sum is more than can be held.
    """
    currency = proposal.currency
    return {
        "reconciliation": terms.name,
        "form": proposal.form,
        "turn": proposal.turn,
        "currency": currency,
        "expected": [_shown(entry, currency) for entry in proposal.expected],
        "actual": [_shown(entry, currency) for entry in proposal.actual],
        "expected_sum": amount_text(proposal.expected_minor, currency),
        "actual_sum": amount_text(proposal.actual_minor, currency),
        "difference": amount_text(proposal.expected_minor - proposal.actual_minor, currency),
        "explained": proposal.explained,
        "beyond": proposal.beyond,
        "reasons": proposal.reasons[:LONGEST_REASONS],
        "features": list(proposal.features),
        "probability": proposal.probability,
        "margin": proposal.margin,
        "contradicts": proposal.contradicts,
        "journal": journal(proposal, terms),
    }


def journal(proposal: Proposal, terms: ReconciliationTerms) -> dict[str, Any]:
    """What books the match. INVARIANT: its lines sum to zero.

    The expected side is cleared by what was expected, the actual side by what came; the difference stands on the
    account for fees where it is a known one, else on that for differences.
    """
    difference = proposal.expected_minor - proposal.actual_minor
    lines = [(terms.clearing_expected, -proposal.expected_minor), (terms.clearing_actual, proposal.actual_minor)]
    if difference:
        lines.append((terms.fees_account if proposal.explained == _FEE else terms.differences_account, difference))
    latest = max(entry["booked_on"] for entry in (*proposal.expected, *proposal.actual))
    return {
        "reference": proposal.key,
        "date": latest.isoformat(),
        "currency": proposal.currency,
        "lines": [{"account": account, "amount": amount_text(minor, proposal.currency)} for account, minor in lines],
    }


def amount_text(minor: int, currency: str) -> str:
    """A signed amount as exact decimals: ``-31.00``. Whole numbers alone: four times as quick as a decimal is made."""
    digits, sign = exponent(currency), "-" if minor < 0 else ""
    text = f"{abs(minor):0{digits + 1}d}"
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def _shown(entry: Mapping[str, Any], currency: str) -> dict[str, Any]:
    return {
        "id": entry["id"],
        "account": entry["account"],
        "amount": amount_text(entry["minor"], currency),
        "booked_on": entry["booked_on"].isoformat(),
        "value_on": entry["value_on"].isoformat(),
        "memo": entry["memo"],
        "counterparty": entry["counterparty"],
        "reference": entry["reference"],
    }


def in_slices(matches: pl.DataFrame, size: int) -> Sequence[pl.DataFrame]:
    """A table in parts of at most so many rows; they share its memory."""
    return [matches.slice(start, size) for start in range(0, matches.height, size)]
