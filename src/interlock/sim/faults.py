"""Which faults a provider injects: a plan, and the run of a plan. No I/O, no clock; chance comes from the seed.

Whether a rule fires depends only on (seed, rule, operation, key, attempt of that key), never on the order in which
requests of different keys arrive, so a run with the same keys repeats.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

LONGEST_SECONDS = 3600.0


class FaultKind(StrEnum):
    """What goes wrong, in the order in which a request meets it."""

    SLOW = "slow"
    """A delay before the effect; the effect comes although the client has gone."""
    RATE_LIMIT = "rate_limit"
    """429, or 503 with ``status``; with Retry-After; no effect."""
    FAIL_BEFORE = "fail_before"
    """500, or another ``status``; no effect."""
    DROP_BEFORE = "drop_before"
    """The connection closes without an answer; no effect."""
    REJECT = "reject"
    """A permanent refusal, 422 or another ``status`` with ``detail``; no effect."""
    LATE_EFFECT = "late_effect"
    """Accepted now, the effect comes ``seconds`` later, a crash in between or not."""
    SLOW_AFTER = "slow_after"
    """A delay between effect and answer."""
    FAIL_AFTER = "fail_after"
    """The effect, then 500 or another ``status``."""
    DROP_AFTER = "drop_after"
    """The effect, then the connection closes without an answer."""


class Operation(StrEnum):
    """What a client asks: a payment provider pays and refunds, a general ledger posts and reverses."""

    PAY = "pay"
    REFUND = "refund"
    LOOKUP = "lookup"
    VOID = "void"
    POST = "post"
    REVERSE = "reverse"


_EFFECTS = frozenset({Operation.PAY, Operation.REFUND, Operation.POST, Operation.REVERSE})
_DEFAULT_STATUS = {
    FaultKind.RATE_LIMIT: 429,
    FaultKind.FAIL_BEFORE: 500,
    FaultKind.FAIL_AFTER: 500,
    FaultKind.REJECT: 422,
}
_TIMED = frozenset({FaultKind.SLOW, FaultKind.SLOW_AFTER, FaultKind.LATE_EFFECT})


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault, and the requests that it strikes: all patterns must match, then the dice decide.

    Attributes:
        kind: What goes wrong.
        probability: How often, from 0 to 1, of the requests that match.
        attempts: Only these attempts of a key, counted from 1 since the plan was put; empty: each one.
        on: The operations that it strikes; payments unless told otherwise.
        key: A shell pattern (``*``, ``?``, ``[...]``) for the idempotency key.
        reference: A shell pattern for the payment's reference.
        to: A shell pattern for the payee; at a general ledger for the accounts, in order, joined by one space.
        seconds: How long, for slow, slow_after and late_effect.
        status: The HTTP status, for rate_limit (429 or 503), fail_before, fail_after (5xx) and reject (4xx); 0: the
            usual one.
        retry_after: Whole seconds in Retry-After, for rate_limit.
        detail: The reason that is given, for reject.
        answer: For late_effect: ``pending`` answers 202 and shows the payment in look-ups as pending; ``drop`` closes
            the connection without an answer, and look-ups by key find nothing until the effect comes.
    """

    kind: FaultKind
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    attempts: tuple[Annotated[int, msgspec.Meta(ge=1)], ...] = ()
    on: tuple[Operation, ...] = (Operation.PAY,)
    key: str = "*"
    reference: str = "*"
    to: str = "*"
    seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_SECONDS)] = 0.0
    status: int = 0
    retry_after: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 1
    detail: str = "unknown payee"
    answer: Literal["pending", "drop"] = "pending"

    def __post_init__(self) -> None:
        if (self.seconds > 0) != (self.kind in _TIMED):
            raise ValueError(
                f"{self.kind} takes seconds > 0" if self.kind in _TIMED else f"{self.kind} takes no seconds"
            )
        if self.status and not _status_fits(self.kind, self.status):
            raise ValueError(f"{self.kind} cannot answer with status {self.status}")
        if self.kind in {FaultKind.LATE_EFFECT, FaultKind.REJECT} and not _EFFECTS.issuperset(self.on):
            raise ValueError(f"{self.kind} strikes only pay, refund, post and reverse")

    @property
    def answers(self) -> int:
        """The HTTP status that it answers with."""
        return self.status or _DEFAULT_STATUS[self.kind]


class Down(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The provider is away for a while, from the moment that the plan is put.

    Attributes:
        seconds: How long.
        how: ``refuse`` answers 503 to all but the plan and the book; ``close`` closes the listening socket and every
            connection, so that connecting fails.
    """

    seconds: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_SECONDS)]
    how: Literal["refuse", "close"] = "refuse"


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What goes wrong at this provider, and which abilities it lacks. The plan without anything is a good provider.

    Attributes:
        seed: The seed of every chance.
        rules: The faults; of each kind the first rule that fires counts, and a request can meet several kinds.
        down: Away for a while.
        ignores_keys: Every payment has an effect, whatever its key; keys cannot be voided.
        no_lookup: Look-ups answer 501.
        no_void: Voiding a key answers 501.
    """

    seed: int = 0
    rules: tuple[FaultRule, ...] = ()
    down: Down | None = None
    ignores_keys: bool = False
    no_lookup: bool = False
    no_void: bool = False


class FaultReport(msgspec.Struct, frozen=True, kw_only=True):
    """The plan in force and what it has done since it was put.

    Attributes:
        plan: The plan.
        injected: How many faults of each kind struck; ``down`` counts the requests that were refused or cut.
    """

    plan: FaultPlan
    injected: dict[str, int]


class FaultRun:
    """A plan at work: it counts attempts by operation and key, and faults by kind. Owned by one event loop.

    Args:
        plan: What goes wrong.
    """

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self._attempts: Counter[tuple[Operation, str]] = Counter()
        self._injected: Counter[str] = Counter()

    def strike(
        self, operation: Operation, *, key: str, reference: str = "", to: str = ""
    ) -> dict[FaultKind, FaultRule]:
        """Count one more attempt and say which faults it meets, at most one of each kind.

        A request without a key counts by its reference.
        """
        if not self.plan.rules:
            return {}
        subject = key or reference
        self._attempts[operation, subject] += 1
        attempt = self._attempts[operation, subject]
        struck: dict[FaultKind, FaultRule] = {}
        for index, rule in enumerate(self.plan.rules):
            if (
                rule.kind not in struck
                and operation in rule.on
                and (not rule.attempts or attempt in rule.attempts)
                and fnmatchcase(key, rule.key)
                and fnmatchcase(reference, rule.reference)
                and fnmatchcase(to, rule.to)
                and chance(self.plan.seed, index, operation, subject, attempt) < rule.probability
            ):
                struck[rule.kind] = rule
        return struck

    def count(self, kind: str) -> None:
        """Note that a fault did strike."""
        self._injected[kind] += 1

    def report(self) -> FaultReport:
        """The plan and the counts so far."""
        return FaultReport(plan=self.plan, injected=dict(sorted(self._injected.items())))


def chance(seed: int, rule: int, operation: Operation, subject: str, attempt: int) -> float:
    """A number from 0 up to 1, even over its arguments and the same for the same ones."""
    text = "\0".join((str(seed), str(rule), operation, subject, str(attempt)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def _status_fits(kind: FaultKind, status: int) -> bool:
    match kind:
        case FaultKind.RATE_LIMIT:
            return status in {429, 503}
        case FaultKind.REJECT:
            return status in {400, 402, 403, 404, 410, 422}
        case FaultKind.FAIL_BEFORE | FaultKind.FAIL_AFTER:
            return status in {500, 502, 503, 504}
        case _:
            return False
