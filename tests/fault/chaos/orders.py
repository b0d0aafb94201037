"""What the chaos test hands in, and how each of it may end: all of it follows from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from books.orders import Order, euros

KEYED, SEEN, VOIDED, HALFWAY, ASSUMED = WORKFLOWS = ("keyed", "seen", "voided", "halfway", "assumed")
_MIX = {KEYED: 32, SEEN: 26, VOIDED: 22, HALFWAY: 12, ASSUMED: 8}
_CANCELLED = 0.12
_REVIEWED = 0.1


class End(StrEnum):
    """How a case ends; between the last two chance decides, and nothing else is right."""

    PAID = "paid once"
    NOTHING = "nothing paid"
    TAKEN_BACK = "paid once and refunded once"
    HELD = "decided on a fact that changed, decided anew, nothing paid"
    CANCELLED = "cancelled at some moment: paid once, or nothing paid, or paid once and refunded once"


@dataclass(frozen=True, kw_only=True)
class Errand(Order):
    """One thing to hand in.

    Attributes:
        end: How its case must end.
        payee: Who is paid.
        amount: How much, in euros.
        cancel_after: Seconds from its acknowledgement to the word that cancels it; None: nobody says it.
    """

    end: End
    payee: str
    amount: str
    cancel_after: float | None = None


def make_errands(seed: int, count: int) -> list[Errand]:
    """So many, mixed; of each workflow at least one, and of each end."""
    random = Random(f"errands {seed}")
    drawn = random.choices(WORKFLOWS, weights=[_MIX[name] for name in WORKFLOWS], k=count - len(WORKFLOWS))
    made = [_errand(random, name, f"c{seed}-{number:05d}") for number, name in enumerate([*WORKFLOWS, *drawn])]
    random.shuffle(made)
    return made


def _errand(random: Random, workflow: str, key: str) -> Errand:
    payee, amount, days, draw = f"payee-{random.randrange(40):02d}", euros(random, 1, 1000), 3, random.random()
    answers: Mapping[str, Mapping[str, Any]] = {}
    end, cancel_after = End.TAKEN_BACK if workflow == HALFWAY else End.PAID, None
    if workflow == ASSUMED:  # a person decides, and before the word counts something is held against it
        amount, answers, end = euros(random, 10_000, 11_000), _YES, End.HELD
    elif draw < _CANCELLED:
        end, cancel_after = End.CANCELLED, random.uniform(0, 6)
    elif draw < _CANCELLED + _REVIEWED:
        amount, answers = euros(random, 10_000, 11_000), _YES
        if random.random() < 0.4:
            answers, end = _NO, End.NOTHING
    elif draw > 0.97:  # the rules say no
        days, end = 40, End.NOTHING
    return Errand(
        workflow=workflow,
        key=key,
        body={"customer": payee, "amount": amount, "days_since_purchase": days},
        answers=answers,
        paid=None,
        end=end,
        payee=payee,
        amount=amount,
        cancel_after=cancel_after,
    )


_YES: Mapping[str, Mapping[str, Any]] = {"approve": {"resolution": "approve", "reason_code": "looked_at"}}
_NO: Mapping[str, Mapping[str, Any]] = {"approve": {"resolution": "reject", "reason_code": "suspicious"}}


def holds(errands: Sequence[Errand]) -> dict[str, str]:
    """The keys of those against which something is held, and under which key it is."""
    return {errand.key: f"hold-{errand.key}" for errand in errands if errand.end is End.HELD}
