"""The certificate: what may be decided without a person, from which data that follows, and how surely. Pure.

It is an artefact named by its content: canonical JSON, by its SHA-256. The needed confidence at each exposure is the
inverse of its score: the loss expected of an answer is p(wrong) of its confidence times the loss of its exposure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import msgspec

from interlock.errors import StateConflict

FORMAT = "interlock-certificate/2"
"""The form that is issued now. A field that is added is named in ``_LACKING``, and needs a form of its own."""
_LACKING: Mapping[str, frozenset[str]] = MappingProxyType(
    {"interlock-certificate/1": frozenset({"begins", "passed_on"}), FORMAT: frozenset()}
)
"""The forms that are read, each with the fields that it has not yet."""
_JSON = msgspec.json.Encoder(order="sorted")


class Step(msgspec.Struct, frozen=True):
    """From a confidence on, how probable it is that an answer is wrong.

    Attributes:
        confidence: From this confidence on, up to the next step.
        wrong: The probability, above 0 and at most 1; never growing from step to step.
    """

    confidence: float
    wrong: float


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """One component version in one segment.

    Attributes:
        component: Its reference, as ``onnx:receipt-fields@1``.
        digest: SHA-256 of all that makes its answers, in hex.
        segment: Which segment; empty where the point declares none.
        method: How confidence became probability: ``isotonic`` or ``platt``.
        steps: Ascending by confidence; below the first, nothing is certified. A curve is stored as steps, too, each
            with the highest probability of its stretch.
        decisions: How many decisions it was fitted on.
        wrong: How many of them were wrong.
    """

    component: str
    digest: str
    segment: str
    method: str
    steps: tuple[Step, ...]
    decisions: int
    wrong: int

    def wrong_at(self, confidence: float) -> float | None:
        """How probable it is that an answer of this confidence is wrong; None: nothing is known of so unsure ones."""
        found = None
        for step in self.steps:
            if step.confidence > confidence:
                break
            found = step.wrong
        return found

    def needed(self, share: float) -> float | None:
        """The least confidence at which an answer is wrong with at most this probability; None: at none."""
        return next((step.confidence for step in self.steps if step.wrong <= share), None)


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold of the grid, on the data that were set apart for the test.

    Attributes:
        threshold: In minor units, exact, as a fraction.
        p_value: Of the hypothesis that the loss is above the budget.
        automation: Which part of all decisions it lets through by itself.
        loss: The estimated loss per decision, in minor units.
        high: The upper end of its 95 % interval.
        cost: The estimated cost per decision, losses and reviews, in minor units.
        passed: Whether the hypothesis was rejected, and all of those before it.
    """

    threshold: str
    p_value: float
    automation: float
    loss: float
    high: float
    cost: float
    passed: bool


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """From which data a certificate follows.

    Attributes:
        since: Decisions from this moment on.
        until: Before this one; their outcomes were due.
        decisions: How many came to the point.
        fitted: How many of them calibrate; the others test.
        outcomes: Of how many the outcome is known.
        missing: Of how many it was due and is missing: they count as wrong.
        drawn: How many of the known ones were drawn for the audit sample.
        digest: SHA-256 over the decisions, what was at stake, the outcomes that counted and the draws, in hex.
        key: By which decisions were parted into those that calibrate and those that test, in hex.
        fit_share: Which part calibrates, exact.
        files: Under which files of the workflow they were taken, by the SHA-256 in hex: the point was the same in each.
        other_files: How many decisions were left out, since the point was another one under their file.
        monthly: How many of the decisions came in the last thirty days: among so many a month's budget is spread, if
            that is more than is declared.
    """

    since: datetime
    until: datetime
    decisions: int
    fitted: int
    outcomes: int
    missing: int
    drawn: int
    digest: str
    key: str = ""
    fit_share: str = ""
    files: tuple[str, ...] = ()
    other_files: int = 0
    monthly: int = 0


class Begins(msgspec.Struct, frozen=True, kw_only=True):
    """From when on decisions count, where it is not the whole window that does.

    Attributes:
        at: Those from this moment on.
        why: Why those before it do not.
        who: Who took the certificate before back then, or states another moment.
        stated: Whether somebody states it; else it follows from what was taken back.
    """

    at: datetime
    why: str
    who: str
    stated: bool = False


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """How the certificate's own decisions are watched, fixed when it is issued.

    Attributes:
        sizes: Of each bet.
        weights: The part of the money that each has.
        bound: The budget as a share of the greatest loss.
        worst: The greatest loss, in minor units.
        alpha: How often it may be wrong, exact.
    """

    sizes: tuple[float, ...]
    weights: tuple[float, ...]
    bound: float
    worst: int
    alpha: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What may be decided without a person.

    Attributes:
        format: Of this artefact.
        tenant: Whose.
        workflow: The workflow.
        point: Its decision point.
        goal: What is bounded: the mean ``loss``, or the ``rate`` of wrong automatic decisions.
        terms: What the owner stated, as it stood.
        terms_digest: SHA-256 of it, in hex: for other terms the certificate does not count.
        currency: Of all amounts.
        threshold: The greatest expected loss of an answer that goes by itself, in minor units, exact, as a fraction.
        cap: The greatest exposure that goes by itself, in minor units.
        budget: The bound that holds, in minor units per decision, exact; of a rate: the share.
        risk: The probability with which it may not.
        components: For whom it counts.
        data: From which data it follows.
        grid: Every threshold that was tested, strict to loose; those beyond the first that was not passed do not count.
        automation: The expected part of decisions that go by themselves.
        loss: The expected loss per decision, in minor units.
        method: How it was derived.
        assumptions: What must be true for the guarantee to hold, in sentences.
        issued_at: When.
        issued_by: Who asked for it; the duty that renews it is ``renewal``.
        valid_until: Until when it counts.
        replaces: The certificate that it takes the place of.
        watching: How its decisions are watched; None: they are not.
        answering: Who answered at the point when it was derived, by the digest in hex, certified or not.
        tries: How many derivations under these terms, from other data, are on record since the last certificate was
            issued and before this one: each is one more chance that what is certified loses more than the budget.
        point_digest: SHA-256, in hex, of what else the point's file said: for another one the certificate does not
            count, since only a new certificate ever widens anything.
        begins: From when on decisions count, since an earlier certificate was taken back then or somebody states it;
            None: from where the window begins.
        passed_on: Of a cascade: above which expected loss of an answer, in minor units as a fraction, it is known what
            came of asking the next one; None: that is not known, so only who is asked first may answer alone.
    """

    tenant: UUID
    workflow: str
    point: str
    goal: Literal["loss", "rate"]
    terms: dict[str, Any]
    terms_digest: str
    currency: str
    threshold: str
    cap: int
    budget: str
    risk: str
    components: tuple[Certified, ...]
    data: Data
    grid: tuple[Tested, ...]
    automation: float
    loss: float
    method: str
    assumptions: tuple[str, ...]
    issued_at: datetime
    issued_by: str
    valid_until: datetime
    replaces: UUID | None = None
    watching: Watching | None = None
    answering: dict[str, str] = {}
    point_digest: str = ""
    tries: int = 0
    begins: Begins | None = None
    passed_on: str | None = None
    format: str = FORMAT

    @property
    def content(self) -> bytes:
        """Canonical JSON: sorted keys, no white space; of an older form without the fields that came later."""
        lacking = _LACKING.get(self.format)
        if not lacking:
            return _JSON.encode(self)
        return _JSON.encode({name: getattr(self, name) for name in self.__struct_fields__ if name not in lacking})

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).digest()

    def of(self, digest: str, segment: str) -> Certified | None:
        """What is certified of a component version in a segment; None: nothing."""
        return next((one for one in self.components if one.digest == digest and one.segment == segment), None)


class _Form(msgspec.Struct, frozen=True):
    """What is read first."""

    format: str


def read_certificate(content: bytes) -> Certificate:
    """A certificate from its content, of this form or an older one: what it does not say yet is as it was then.

    INVARIANT: one of a newer form is never taken for what its known fields say: others may bound it further.

    Raises:
        StateConflict: it is of a newer form, or of none.
        msgspec.MsgspecError: it cannot be read.
    """
    form = msgspec.json.decode(content, type=_Form).format
    if form not in _LACKING:
        raise StateConflict(
            f"the certificate is of the form {form[:100]!r}, and this version of Interlock reads {', '.join(_LACKING)}",
            todo="run the version that issued it, or a later one",
        )
    return msgspec.json.decode(content, type=Certificate)


def share_allowed(threshold: Fraction, loss: int) -> float:
    """The greatest probability of being wrong at which the expected loss is within the threshold; 1 at most.

    Rounded to the strict side: the float below the exact quotient, unless it is exact.
    """
    if loss <= 0:
        return 1.0
    part, whole = threshold.numerator, threshold.denominator * loss
    if part >= whole:
        return 1.0
    near = part / whole  # whole numbers are divided to the nearest float
    up, down = near.as_integer_ratio()
    return near if up * whole <= part * down else math.nextafter(near, 0.0)
