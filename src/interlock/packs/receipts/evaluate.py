"""How well the reader reads: accuracy by field, and what routing by confidence would let through. A library first.

``python -m interlock.packs.receipts.evaluate --data FILE [--json]`` prints the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from interlock.components.finding import Severity
from interlock.errors import ComponentFailed, InterlockError, Refused
from interlock.packs.receipts.checks import check
from interlock.packs.receipts.corpus import Labelled, Truth, load
from interlock.packs.receipts.models import FOLDER, Threshold, load_models, load_thresholds
from interlock.packs.receipts.normalise import company_key
from interlock.packs.receipts.reading import Run, read

LARGEST_AUTOMATIC = Decimal(100)
"""Totals of this and more go to a person, whatever the confidence."""

_ROUNDING = Decimal("0.05")


class Judged(msgspec.Struct, frozen=True):
    """One receipt as read, beside its truth.

    Attributes:
        key: The receipt's name.
        truth: What is right.
        total: The total as read, or None if nothing could be read.
        date: The date as read.
        company: The vendor's key as read.
        confidence: The calibrated confidence of the total; 0 where nothing could be read.
        sureness: The calibrated confidence of each field.
        findings: The codes of the findings that demand a person.
        seconds: How long reading took, features and models, without the checks.
    """

    key: str
    truth: Truth
    total: Decimal | None
    date: date | None
    company: str
    confidence: float
    sureness: dict[str, float]
    findings: tuple[str, ...]
    seconds: float

    @property
    def total_right(self) -> bool:
        """Whether the amount is exactly the labelled one."""
        return self.total is not None and self.total == self.truth.total

    @property
    def date_right(self) -> bool:
        """Whether it is the labelled day, however that was printed."""
        return self.date is not None and self.date == self.truth.date

    @property
    def company_right(self) -> bool:
        """Whether letters and digits of the name are the labelled ones."""
        return bool(self.company) and self.company == self.truth.company

    @property
    def off(self) -> Decimal:
        """How far the total is from the labelled one; zero where either is unknown."""
        if self.total is None or self.truth.total is None:
            return Decimal(0)
        return abs(self.total - self.truth.total)

    def automatic(self, thresholds: Sequence[Threshold]) -> bool:
        """Whether it would be paid without a person: small, sure, and nothing speaks against it."""
        if self.total is None or self.findings:
            return False
        for threshold in thresholds:
            if self.total < Decimal(threshold.below):
                return self.confidence >= threshold.confidence
        return False


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. Shares are between 0 and 1; a receipt without a label of a field does not count for it.

    Attributes:
        receipts: How many were read.
        unreadable: How many had a field without any candidate, so that a person would answer.
        total: The share of exactly right totals.
        date: The share of right dates.
        company: The share of right vendors.
        large: The share read as 100 and more, or not at all; these always go to a person.
        small: How many others there are.
        automatic: The share of the others that would be paid without a person.
        wrong_total: The share of wrong totals among these.
        wrong_by_more: The share with a total that is off by more than five sen: not a matter of rounding.
        wrong_total_or_date: The share with a wrong total or date.
        wrong_any: The share with any wrong field.
        overpaid: What these totals exceed the true ones by, together, in ringgit.
        latency_p50_ms: The median time to read one, in milliseconds.
        latency_p99_ms: The time within which 99 of 100 were read.
        wrong_keys: The receipts with a wrong total that would be paid without a person.
        thresholds: The confidences that were asked for.
    """

    receipts: int
    unreadable: int
    total: float
    date: float
    company: float
    large: float
    small: int
    automatic: float
    wrong_total: float
    wrong_by_more: float
    wrong_total_or_date: float
    wrong_any: float
    overpaid: str
    latency_p50_ms: float
    latency_p99_ms: float
    wrong_keys: tuple[str, ...]
    thresholds: tuple[Threshold, ...]


def judge(receipt: Labelled, run: Run, now: datetime) -> Judged:
    """Read one receipt, check the reading, and set it beside its truth."""
    started = time.perf_counter()
    try:
        answer = read(receipt.receipt, run)
    except ComponentFailed:
        return Judged(receipt.key, receipt.truth, None, None, "", 0.0, {}, (), time.perf_counter() - started)
    seconds = time.perf_counter() - started
    findings = check(receipt.receipt, answer, now)
    return Judged(
        key=receipt.key,
        truth=receipt.truth,
        total=Decimal(answer.output["total"]),
        date=date.fromisoformat(answer.output["date"]),
        company=company_key(answer.output["company"]),
        confidence=answer.confidence,
        sureness=dict(answer.evidence["confidence"]),
        findings=tuple(finding.code for finding in findings if finding.severity is not Severity.INFO),
        seconds=seconds,
    )


def judged_now(receipts: Iterable[Labelled]) -> datetime:
    """The day after the latest labelled date: a time at which each of the receipts could have been handed in."""
    latest = max((r.truth.date for r in receipts if r.truth.date), default=date(2020, 1, 1))
    return datetime(latest.year, latest.month, latest.day, tzinfo=UTC) + timedelta(days=1)


def _share(values: Iterable[bool]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 0.0


def summarise(judged: Sequence[Judged], thresholds: tuple[Threshold, ...]) -> Evaluation:
    """The measures of many judged receipts.

    Raises:
        Refused: there is none.
    """
    if not judged:
        raise Refused("there is no receipt to evaluate", todo="pass a file with at least one line")
    labelled = [one for one in judged if one.truth.total is not None]
    small = [one for one in labelled if one.total is not None and one.total < LARGEST_AUTOMATIC]
    paid = [one for one in small if one.automatic(thresholds)]
    seconds = sorted(one.seconds for one in judged)
    over = sum(
        (max(one.total - one.truth.total, Decimal(0)) for one in paid if one.total and one.truth.total), Decimal("0.00")
    )
    return Evaluation(
        receipts=len(judged),
        unreadable=sum(one.total is None for one in judged),
        total=_share(one.total_right for one in labelled),
        date=_share(one.date_right for one in judged if one.truth.date),
        company=_share(one.company_right for one in judged if one.truth.company),
        large=1 - len(small) / max(len(labelled), 1),
        small=len(small),
        automatic=len(paid) / max(len(small), 1),
        wrong_total=_share(not one.total_right for one in paid),
        wrong_by_more=_share(one.off > _ROUNDING for one in paid),
        wrong_total_or_date=_share(not (one.total_right and one.date_right) for one in paid),
        wrong_any=_share(not (one.total_right and one.date_right and one.company_right) for one in paid),
        overpaid=f"{over:f}",
        latency_p50_ms=round(1000 * seconds[len(seconds) // 2], 2),
        latency_p99_ms=round(1000 * seconds[min(int(len(seconds) * 0.99), len(seconds) - 1)], 2),
        wrong_keys=tuple(one.key for one in paid if not one.total_right),
        thresholds=thresholds,
    )


def evaluate(path: Path, folder: Path = FOLDER) -> Evaluation:
    """Read every receipt of a file of JSON lines with the models of a component folder.

    Raises:
        NotFound: no such file, or no models.
        Refused: a line is no receipt with its truth.
    """
    receipts = load(path)
    run, thresholds = load_models(folder), load_thresholds(folder)
    now = judged_now(receipts)
    return summarise([judge(receipt, run, now) for receipt in receipts], thresholds)


def shown(result: Evaluation) -> str:
    """The measures as lines for people."""
    bounds = ", ".join(f"{t.confidence:g} below {t.below}" for t in result.thresholds)
    wrong = ", ".join(result.wrong_keys) or "none"
    return "\n".join(
        (
            f"receipts              {result.receipts} ({result.unreadable} unreadable)",
            f"total exactly right   {result.total:.2%}",
            f"date right            {result.date:.2%}",
            f"vendor right          {result.company:.2%}",
            f"to a person by size   {result.large:.2%}",
            f"others automatic      {result.automatic:.2%} of {result.small} (confidence {bounds})",
            f"  wrong total         {result.wrong_total:.2%}, overpaid {result.overpaid} MYR: {wrong}",
            f"  by more than 5 sen  {result.wrong_by_more:.2%}",
            f"  wrong total or date {result.wrong_total_or_date:.2%}",
            f"  any field wrong     {result.wrong_any:.2%}",
            f"time to read          p50 {result.latency_p50_ms} ms, p99 {result.latency_p99_ms} ms",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m interlock.packs.receipts.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON lines: receipts with their truth")
    parser.add_argument("--model", type=Path, default=FOLDER, help="a component folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        result = evaluate(given.data, given.model)
    except InterlockError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return refusal.exit_code
    sys.stdout.write(f"{msgspec.json.encode(result).decode() if given.json else shown(result)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
