"""A decision point: who answers in what order, how sure they must be, and when a person looks. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from decimal import Context, Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

import msgspec

from interlock.autonomy.terms import AutonomyTerms
from interlock.components.component import OUTSIDE, ComponentRef, Kind
from interlock.decisions.budget import Budget
from interlock.decisions.condition import Condition
from interlock.decisions.data_terms import DataTerms
from interlock.decisions.features.feature import Feature
from interlock.decisions.point_digest import point_digest
from interlock.decisions.sureness import SURE_FROM, Band, Sureness, stricter
from interlock.money import Money
from interlock.oversight.capacity.full import WhenFull
from interlock.oversight.practice.terms import PracticeTerms

__all__ = [
    "SURE_FROM", "VALID_FOR", "Band", "Budget", "ComponentChoice", "DecisionPoint", "ExposureSource", "QueueTerms",
    "Share", "choose", "needed_confidence",
]  # fmt: skip

VALID_FOR = timedelta(hours=24)
"""How long a decision stands where the file does not say."""


class Share(msgspec.Struct, frozen=True):
    """One component and the part of the keys that it answers.

    Attributes:
        component: Who answers.
        share: The part, exact, above 0 and at most 1.
    """

    component: ComponentRef
    share: Fraction


class ComponentChoice(msgspec.Struct, frozen=True):
    """One step of a point's answer: a single component, or several among which the keys are split.

    Attributes:
        shares: In the order of the file; the shares add to exactly 1 and no component stands twice.
        sureness: From which confidence on its answer suffices, as the step itself says; None: as the point says.
        compare: Of which part of the decisions that it takes alone those after it are asked, too, to compare them.
    """

    shares: tuple[Share, ...]
    sureness: Sureness | None = None
    compare: Fraction = Fraction(0)

    @property
    def is_person(self) -> bool:
        """Whether this step is the person."""
        return self.shares[0].component.kind is Kind.PERSON


class ExposureSource(msgspec.Struct, frozen=True):
    """Where the money at stake stands, if the workflow passes none: ``output.total MYR``.

    Attributes:
        root: Whether it stands in the point's input or in its output.
        path: The keys from there to the amount, outermost first.
        currency: What the amount is in.
    """

    root: Literal["input", "output"]
    path: tuple[str, ...]
    currency: str


REASONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "approve": ("as_proposed", "checked_elsewhere", "known_party"),
        "change": ("misread", "wrong_amount", "wrong_party", "incomplete"),
        "reject": ("not_covered", "duplicate", "doubtful", "not_readable"),
    }
)
"""The reasons that a reviewer may choose, by choice, where the file names none."""


class BulkTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a queue one person may decide in one act.

    Attributes:
        most: How many reviews in one act.
        exposure: How much may be at stake in them together.
        per_day: How much may be at stake in all that one person decides so on a day (UTC).
    """

    most: int
    exposure: Money
    per_day: Money


class QueueTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Where a point's reviews wait.

    Attributes:
        name: The queue's name; points may share one.
        capacity: How many reviews may wait in it before intake is held.
        due: How long after it was opened a review should be resolved.
        team: Whose its reviews are; empty: whoever works in the queue.
        minutes: How long one takes a person, until enough of them were measured; None: as the queue's order supposes.
        hold: For how long a verdict can be taken back; None: 5 s in the console, else at once.
        bulk: How much may be decided in one act; None: everything is decided by itself.
        reasons: The codes that a reviewer chooses from, by choice: approve, change, reject.
        full: What is done while it is too full.
        second_looks: Which part of what is answered a second person answers, too, blind to the first; 0: none.
        practice: What somebody must have practised to decide here; None: nothing.
    """

    name: str
    capacity: int = 500
    due: timedelta = timedelta(hours=24)
    team: str = ""
    minutes: Decimal | None = None
    hold: timedelta | None = None
    bulk: BulkTerms | None = None
    reasons: Mapping[str, tuple[str, ...]] = REASONS
    full: WhenFull = WhenFull()
    second_looks: Fraction = Fraction(0)
    practice: PracticeTerms | None = None


class Then(msgspec.Struct, frozen=True, kw_only=True):
    """What is done, once a decision that was asked in line holds.

    Attributes:
        action: Its name under ``actions`` in the workflow's file.
        arguments: What it is asked for: names, and where each value stands: ``input.PATH``, ``output.PATH`` or
            ``exposure``.
    """

    action: str
    arguments: tuple[tuple[str, str], ...] = ()


class DecisionPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow's file says about one decision.

    Attributes:
        name: Its name in the file, by which the workflow's code asks for it.
        steps: Who answers, in order: the next one when one fails, is late or is unsure. The last is a person unless
            ``no_person`` says why not.
        output: The contract of the answer: ``name@version``.
        input: The contract of the question; empty if it is the output of an earlier decision, already checked.
        features: What it is decided on beside its input, in order.
        exposure: Where the money at stake stands if the workflow passes none; None if it then is unknown.
        checks: Functions that look for what is odd about an answer, as ``module:function``, in order.
        bands: How sure an answer must be by the money at stake: amounts ascending, in one currency, confidences never
            falling. At and above the last amount a person decides.
        sure_from: Without bands, how sure an answer must be, whatever is at stake. 1 lets only components through that
            are never unsure, such as rules.
        says_sure: Whether the file says it of the point; if not, a step that says it of itself goes by that alone.
        review: When any of these holds, a person decides.
        reject: When any of these holds, the decision is no.
        policy: A decision table that says the route, given input, output, confidence and exposure; None if none does.
        valid_for: How long after the decision an action may still begin on its strength.
        budget: What one decision may use up.
        queue: Where its reviews wait.
        no_person: Why no person stands at the end; empty if one does.
        purpose: For what it reads personal data; empty: its contracts may mark none.
        then: What follows a decision that was asked in line; None: whoever asked sees to that.
        follows: Of which answers an action of the workflow's code begins, by the action's name: what people are told of
            each choice. It demands nothing of the code.
        data: Which data it rests on, and what becomes of it while they are not as their contract promises.
        four_eyes: From which amount at stake on two people must say the same; None: one decides, whatever is at stake.
        autonomy: What its owner states of its autonomy: then nothing goes through by itself but what a certificate in
            force allows, and ``sure_from`` makes that stricter alone. None: ``sure_from`` says it.
        costs: Whether asking it may cost money or long, so that a key that came before is looked for first; computed
            once, since every decision asks, and not to be given.
        digest: Of what its certificate takes for granted (see ``point_digest``); computed once, too, and not to be
            given. Empty where it declares no autonomy.
    """

    name: str
    steps: tuple[ComponentChoice, ...]
    output: str
    queue: QueueTerms
    input: str = ""
    features: tuple[Feature, ...] = ()
    exposure: ExposureSource | None = None
    checks: tuple[str, ...] = ()
    bands: tuple[Band, ...] = ()
    sure_from: float = SURE_FROM
    says_sure: bool = True
    review: tuple[Condition, ...] = ()
    reject: tuple[Condition, ...] = ()
    policy: ComponentRef | None = None
    valid_for: timedelta = VALID_FOR
    budget: Budget = Budget()
    no_person: str = ""
    purpose: str = ""
    then: Then | None = None
    follows: tuple[tuple[str, Condition], ...] = ()
    data: DataTerms = DataTerms()
    four_eyes: Money | None = None
    autonomy: AutonomyTerms | None = None
    costs: bool = False
    digest: str = ""

    def __post_init__(self) -> None:
        asks_outside = any(share.component.kind in OUTSIDE for step in self.steps for share in step.shares)
        msgspec.structs.force_setattr(self, "costs", asks_outside)
        msgspec.structs.force_setattr(self, "digest", point_digest(self) if self.autonomy is not None else "")

    def people_for(self, exposure: Money | None) -> int:
        """How many people must say the same of a review with so much at stake.

        What is not known, or is stated in another currency, counts as too much for one.
        """
        if self.four_eyes is None:
            return 1
        if exposure is None or exposure.currency != self.four_eyes.currency:
            return 2
        return 1 if 0 <= exposure.minor < self.four_eyes.minor else 2

    @property
    def ends_in_person(self) -> bool:
        """Whether a person stands at the end."""
        return self.steps[-1].is_person


_HASH_DOMAIN = b"interlock.decisions.choose.1\0"
_EXACT = Context(prec=50)


def choose(choice: ComponentChoice, key: bytes) -> tuple[ComponentRef, Fraction]:
    """Which component of a step answers for a key, and the probability (propensity) with which it was to be that one.

    Weighted rendezvous hashing: each component draws u in (0, 1) from SHA-256 over a fixed prefix, its own name, a zero
    byte and the key (the first 16 bytes, big-endian, plus one half, over 2**128), and the least -ln(u) / share answers.
    These are independent exponential times with rates in proportion to the shares, so each wins with exactly its share
    (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998, for the unweighted form). The
    logarithms are of 50 decimal digits and correctly rounded, so every machine chooses alike.

    When one share grows and the others shrink in proportion, keys move only to the grown one; of two components that
    is always so. The order of the file plays no part.

    Args:
        choice: The step.
        key: What decides, such as tenant, point and the decision's key; with the same key the answer is the same.
    """
    if len(choice.shares) == 1:
        return choice.shares[0].component, choice.shares[0].share
    chosen = min(choice.shares, key=lambda option: (_arrival(option, key), str(option.component)))
    return chosen.component, chosen.share


def _arrival(option: Share, key: bytes) -> Decimal:
    drawn = hashlib.sha256(_HASH_DOMAIN + str(option.component).encode() + b"\0" + key).digest()
    doubled = 2 * int.from_bytes(drawn[:16], "big") + 1
    waited = _EXACT.minus(_EXACT.ln(_EXACT.divide(Decimal(doubled), Decimal(2**129))))
    return _EXACT.divide(_EXACT.multiply(waited, option.share.denominator), option.share.numerator)


def needed_confidence(
    point: DecisionPoint,
    exposure: Money | None,
    step: ComponentChoice | None = None,
    *,
    certified: float | None = None,
) -> float | None:
    """How sure an answer must be to go through by itself; None if a person decides, however sure the answer is.

    INVARIANT: with more at stake it never asks for less, and a step's own word never loosens the point's. What less
    than nothing means (a credit note, a slip of a sign) nobody can say: nothing suffices for that, also without bands.
    INVARIANT: where the point declares its autonomy, what is declared beside it never loosens what is certified.

    Args:
        point: The decision point.
        exposure: The money at stake; None if it is unknown.
        step: The step whose answer it is.
        certified: Of a point that declares its autonomy, from which confidence on its certificate lets such an answer
            through; None: from none on. Of every other it plays no part.
    """
    if exposure is not None and exposure.amount < 0:
        return None
    if point.autonomy is not None and certified is None:
        return None
    own = step.sureness if step is not None else None
    if own is not None and not point.says_sure:
        needed = own.needed(exposure)
    else:
        needed = Sureness(point.sure_from, point.bands).needed(exposure) if point.bands else point.sure_from
        needed = needed if own is None else stricter(needed, own.needed(exposure))
    return needed if point.autonomy is None else stricter(needed, certified)
