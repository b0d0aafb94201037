"""What the demo has shown, as figures: every one of them is computed from what is recorded."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec

from interlock.actions.action import ActionState
from interlock.cases.record import CaseRecord
from interlock.cases.store import CaseState
from interlock.cli.demo.books import Balance
from interlock.cli.demo.receipts import Handed
from interlock.decisions.decision import Route
from interlock.money import Money
from interlock.packs.receipts.normalise import amount_of


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the cases.

    Attributes:
        name: Which.
        cases: How many.
        money: What the receipts in them say, where that is known.
    """

    name: str
    cases: int
    money: str


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Two quantiles in milliseconds, and of how many.

    Attributes:
        p50: The median.
        p99: The 99th percentile.
        count: Of how many.
    """

    p50: float
    p99: float
    count: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The summary.

    Attributes:
        receipts: How many were handed in.
        outcomes: Where the cases are.
        routes: How the decisions to read went, with the money in them.
        automatic_of_small: Of the readings below 100, the share that no person looked at.
        large_without_a_person: Payments of 100 and more that no person looked at; there must be none.
        wrong_automatic: Payments that no person looked at and that were not what the receipt says.
        caught: What contract, checks, rules and guards caught, by name.
        faults: What the provider did wrong on purpose, by kind.
        attempts: How many requests the payments took.
        decisions: How many decisions were taken.
        cost_per_decision: In USD beside compute.
        compute_ms_per_decision: Processor time of this process, everything included.
        reading: How long reading one receipt took.
        paying: How long it took from receipt to payment where no person looked.
        balance: The books.
        second_time: How many cases handing everything in again made, and how much more was paid.
        seconds: How long all of it took.
    """

    receipts: int
    outcomes: tuple[Group, ...]
    routes: tuple[Group, ...]
    automatic_of_small: float
    large_without_a_person: int
    wrong_automatic: tuple[str, ...]
    caught: dict[str, int]
    faults: dict[str, int]
    attempts: int
    decisions: int
    cost_per_decision: Decimal
    compute_ms_per_decision: float
    reading: Latency
    paying: Latency
    balance: Balance
    second_time: tuple[int, str]
    seconds: float


def make_report(
    records: Sequence[CaseRecord],
    handed: Mapping[str, Handed],
    *,
    currency: str,
    balance: Balance,
    faults: Mapping[str, int],
    second_time: tuple[int, str],
    compute_s: float,
    seconds: float,
) -> Report:
    """Compute the figures.

    Args:
        records: Everything that is recorded.
        handed: The receipts by their case's id.
        currency: Of all of them.
        balance: The books.
        faults: What the provider injected.
        second_time: What handing everything in again did.
        compute_s: Processor time of this process.
        seconds: Time since the start.
    """
    readings = [decision for record in records for decision in record.decisions if decision.point == "read"]
    below = [decision for decision in readings if decision.exposure and decision.exposure < Money(100, currency)]
    decisions = [decision for record in records for decision in record.decisions]
    cost = sum((decision.cost for decision in decisions), Decimal(0))
    took = [msgspec.json.decode(decision.took_us)["components"] / 1000 for decision in readings]
    paid = [record for record in records if _went_by_itself(record)]
    paid_keys = frozenset(record.case.key for record in records if record.case.conclusion == "paid")
    return Report(
        receipts=len(handed),
        outcomes=_groups([(_where(record), record) for record in records], handed, currency),
        routes=_groups(
            [(f"{decision.point}: {decision.route}", record) for record in records for decision in record.decisions],
            handed,
            currency,
        ),
        automatic_of_small=_share(sum(decision.route is Route.AUTOMATIC for decision in below), len(below)),
        large_without_a_person=sum(_amount(record) >= Money(100, currency) for record in paid),
        wrong_automatic=tuple(filter(None, (_wrong(record, handed, currency, paid_keys) for record in paid))),
        caught=_caught(records),
        faults=dict(faults),
        attempts=sum(len(attempts) for record in records for attempts in record.attempts.values()),
        decisions=len(decisions),
        cost_per_decision=cost / len(decisions) if decisions else Decimal(0),
        compute_ms_per_decision=round(compute_s * 1000 / max(len(decisions), 1), 2),
        reading=_latency(took),
        paying=_latency(
            [(record.case.changed_at - record.case.created_at) / timedelta(milliseconds=1) for record in paid]
        ),
        balance=balance,
        second_time=second_time,
        seconds=round(seconds, 1),
    )


def _where(record: CaseRecord) -> str:
    case = record.case
    if case.state is CaseState.DONE:
        return "paid" if case.conclusion == "paid" else f"not paid: {case.conclusion}"
    if case.state is CaseState.WAITING:
        return "waiting for a person" if case.wake_at is None else "waiting"
    return str(case.state)


def _groups(named: Sequence[tuple[str, CaseRecord]], handed: Mapping[str, Handed], currency: str) -> tuple[Group, ...]:
    money: dict[str, Money] = {}
    counts = Counter(name for name, _ in named)
    for name, record in named:
        money[name] = money.get(name, Money(0, currency)) + _said(record, handed, currency)
    return tuple(Group(name=name, cases=count, money=str(money[name])) for name, count in counts.most_common())


def _said(record: CaseRecord, handed: Mapping[str, Handed], currency: str) -> Money:
    """What the receipt really says; what the case says where the truth is unknown."""
    truth = handed[str(record.case.id)].truth if str(record.case.id) in handed else None
    amount = amount_of(truth.total) if truth and truth.total else None
    if amount is not None:
        return Money(amount, currency)
    return record.case.exposure or Money(0, currency)


def _went_by_itself(record: CaseRecord) -> bool:
    paid = any(action.state is ActionState.DONE for action in record.actions)
    return paid and all(decision.route is Route.AUTOMATIC for decision in record.decisions)


def _amount(record: CaseRecord) -> Money:
    """What was paid in a case that was paid."""
    return next(action.exposure for action in record.actions if action.exposure is not None)


def _wrong(record: CaseRecord, handed: Mapping[str, Handed], currency: str, paid_keys: frozenset[str]) -> str:
    """What is wrong about a payment that no person looked at; empty if nothing is."""
    one = handed.get(str(record.case.id))
    if one is None or one.truth is None or not one.truth.total:
        return ""
    amount = _amount(record)
    if one.repeats in paid_keys:
        return f"{one.key}: {amount} was paid, though it repeats {one.repeats}, which was paid too"
    said = Money(amount_of(one.truth.total) or Decimal(0), currency)
    return f"{one.key}: {amount} was paid, the receipt says {said}" if amount != said else ""


def _caught(records: Sequence[CaseRecord]) -> dict[str, int]:
    """What stopped a receipt from going by itself: by contract, by check, by rule, by guard."""
    caught: Counter[str] = Counter()
    for record in records:
        for quarantined in record.quarantines:
            caught.update({f"contract: {rule}" for rule in {violation.rule for violation in quarantined.broken}})
        for decision in record.decisions:
            found: list[dict[str, Any]] = msgspec.json.decode(decision.findings)
            caught.update({f"check: {finding['code']}" for finding in found if finding["severity"] != "info"})
            caught.update({f"route: {reason.code}" for reason in decision.why if reason.code in _TELLING})
            answer = decision.answer or {}
            if decision.point == "approve" and (answer.get("refer") or not answer.get("approved", True)):
                caught[f"rule: {answer.get('reason')}"] += 1
        caught.update(f"guard: {action.error}" for action in record.actions if action.state is ActionState.FAILED)
        caught.update(f"exception: {exception.kind}" for exception in record.exceptions)
    return dict(caught.most_common())


_TELLING = frozenset(
    {"unsure", "above_bands", "below_zero", "expected_loss", "component_failed", "component_late", "stopped"}
)


def _latency(milliseconds: Sequence[float]) -> Latency:
    if len(milliseconds) < 2:  # noqa: PLR2004 - quantiles need two
        only = round(milliseconds[0], 2) if milliseconds else 0.0
        return Latency(p50=only, p99=only, count=len(milliseconds))
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return Latency(p50=round(cuts[49], 2), p99=round(cuts[98], 2), count=len(milliseconds))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
