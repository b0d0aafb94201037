"""An answer as it is taken from a component: of plain types, held by nobody else, and already as it will be recorded.

INVARIANT: what cannot be recorded is no answer: it fails here, where it still is the component's failure and the next
one in order is asked, and never in the commit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import msgspec

from interlock.components.component import Answer, ComponentRef, FiredRule
from interlock.components.plain import plain_object
from interlock.db.text import storable
from interlock.errors import ComponentFailed
from interlock.usage import Usage

FREE = Answer(output={}, confidence=0).cost
"""The cost of what says none: the very object, which is quicker to tell than its value."""
DEAREST = Decimal(1_000_000_000)
"""No asking costs as much, in USD."""
FINEST = 18
"""So many decimals of a cost are kept: what a component says beyond is no amount."""
MOST_TOKENS = 10**12
"""No asking uses up more, nor sends so many requests."""
LONGEST_WORDS = 300
_record = msgspec.json.Encoder(order="sorted", decimal_format="string")
_fired = msgspec.json.Decoder(tuple[FiredRule, ...])


class Taken(Answer, frozen=True, kw_only=True):
    """An answer that is ours alone.

    Attributes:
        output_json: The output as it is recorded.
        evidence_json: The evidence as it is recorded.
        fired_json: The rules that fired as they are recorded.
    """

    output_json: bytes
    evidence_json: bytes
    fired_json: bytes

    def copy(self) -> Answer:
        """The same for code that may do with it what it likes."""
        return Answer(
            output=msgspec.json.decode(self.output_json),
            confidence=self.confidence,
            evidence=msgspec.json.decode(self.evidence_json),
            fired=_fired.decode(self.fired_json),
            cost=self.cost,
            usage=self.usage,
        )


def take_answer(given: object, ref: ComponentRef) -> Taken:
    """Take what a component gave.

    Args:
        given: What it gave; it may keep that and change it later.
        ref: Whose answer it is, for errors.

    Raises:
        ComponentFailed: it is no answer, or holds what cannot be recorded; says where.
    """
    if not isinstance(given, Answer):
        raise ComponentFailed(f"{ref} gave {type(given).__name__}, not an Answer")
    try:
        return _taken(given)
    except ComponentFailed as cause:
        raise ComponentFailed(f"{ref}: {cause.what}", where=cause.where) from None
    except UnicodeEncodeError:
        raise ComponentFailed(f"{ref} gave a text with half of a surrogate pair") from None
    except Exception as cause:  # its objects may do anything when they are looked at
        raise ComponentFailed(f"{ref} gave what cannot be recorded: {words_of(cause)}") from cause


def _taken(given: Answer) -> Taken:
    output, evidence = plain_object(given.output, "output"), plain_object(given.evidence, "evidence")
    fired: tuple[FiredRule, ...] = ()
    fired_json = b"[]"
    if type(cast("object", given.fired)) is not tuple or given.fired:
        fired_json = _record.encode(given.fired)
        fired = _fired.decode(fired_json)
    return Taken(
        output=output,
        confidence=_confidence(given.confidence),
        evidence=evidence,
        fired=fired,
        cost=cost_of(given.cost, given.usage),
        usage=given.usage,
        output_json=_record.encode(output),
        evidence_json=_record.encode(evidence),
        fired_json=fired_json,
    )


def _confidence(said: object) -> float:
    if isinstance(said, bool) or not isinstance(said, (int, float)) or not 0 <= said <= 1:  # NaN is not either
        raise ComponentFailed(f"it is {said!r} sure, not a number from 0 to 1", where="/confidence")
    return float(said)


def cost_of(cost: object, usage: object) -> Decimal:
    """What an answer or a failure says that it cost, where that is an amount and its tokens are counts.

    Args:
        cost: In USD.
        usage: In tokens; None: none.

    Raises:
        ComponentFailed: it is none: no decimal, less than nothing, a billion or more, too fine; or no counts.
    """
    if usage is not None:
        _hold_to_counts(usage)
    if cost is FREE:
        return FREE
    if not isinstance(cost, Decimal) or not cost.is_finite() or not 0 <= cost < DEAREST:
        raise ComponentFailed(f"it says that it cost {storable(str(cost)[:60])}, which is no amount", where="/cost")
    if cast("int", cost.as_tuple().exponent) < -FINEST:
        what = f"it says that it cost {str(cost)[:60]}, which is no amount: more than {FINEST} decimals"
        raise ComponentFailed(what, where="/cost")
    return Decimal(cost)


def _hold_to_counts(usage: object) -> None:
    counts: tuple[Any, ...] = msgspec.structs.astuple(usage) if type(usage) is Usage else (None,)
    for count in counts:
        if type(count) is not int or not 0 <= count <= MOST_TOKENS:
            raise ComponentFailed(f"it says that it used {storable(repr(usage))[:120]}, which are no counts of tokens")


def words_of(cause: BaseException) -> str:
    """What some code raised, in words that can be stored; of code whose errors raise when they are read, the name."""
    name = type(cause).__name__
    try:
        return storable(f"{name}: {str(cause)[:LONGEST_WORDS]}")
    except Exception:  # noqa: BLE001 - then its name says enough
        return storable(name)
