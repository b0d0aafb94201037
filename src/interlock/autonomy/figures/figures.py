"""What is measured of a decision point: values only, so that whoever shows them pays for no mathematics. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from interlock.autonomy.issuing.spared import Spared
from interlock.autonomy.outcomes.store import Missing, Tally
from interlock.oversight.binomial import Interval


class Bin(msgspec.Struct, frozen=True):
    """Decisions of nearly the same confidence.

    Attributes:
        least: The least confidence.
        most: The greatest.
        confidence: Their mean, weighted.
        decisions: How many they are.
        right: Which share was right, weighted, with the 95 % interval.
        effective: How many equally weighted outcomes would tell as much of that share.
    """

    least: float
    most: float
    confidence: float
    decisions: int
    right: Interval
    effective: float


class Error(msgspec.Struct, frozen=True):
    """The expected calibration error.

    Attributes:
        value: Between 0 and 1.
        low: The lower end of its 95 % interval; above 0 only where chance alone does not explain the distance.
        high: The upper end.
    """

    value: float
    low: float
    high: float


class Recalibrated(msgspec.Struct, frozen=True, kw_only=True):
    """What confidences are worth once they are recalibrated, on decisions that had no part in that.

    Attributes:
        method: ``isotonic`` or ``platt``; ``each its own`` where several versions or segments have different ones.
        fitted: On how many known outcomes it was fitted.
        tested: On how many others it was tried.
        before: The error of these as they say it themselves.
        after: The error of the same, recalibrated.
    """

    method: str
    fitted: int
    tested: int
    before: Error
    after: Error


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One component version in one segment, or several together.

    Attributes:
        component: Its reference, as ``onnx:receipt-fields@1``; empty: all versions.
        digest: SHA-256 of all that makes its answers, in hex; empty: all versions.
        segment: Which segment; empty where the point declares none; None: all of them.
        in_force: Whether it answers now, or holds all versions.
        decisions: How many it answered whose outcome is due and of which a person did not decide in any case.
        known: Of how many of them the truth is known.
        missing: Of how many it should be: certificates count these as wrong, and here they are in no curve.
        effective: How many equally weighted outcomes would tell as much as the known ones.
        too_few: Whether that is too few to say anything.
        error: How far confidence is from the truth; None: nothing is known.
        bins: The same, in groups of like confidence.
        recalibrated: What recalibration makes of it; None: too few are known to fit one and to try it.
    """

    component: str
    digest: str
    segment: str | None
    in_force: bool
    decisions: int
    known: int
    missing: int
    effective: float
    too_few: bool
    error: Error | None
    bins: tuple[Bin, ...]
    recalibrated: Recalibrated | None

    @property
    def key(self) -> str:
        """What names it among the groups of its point; empty: all together."""
        return self.digest[:16] + ("" if self.segment is None else f":{self.segment}")


class BandCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many decisions were in a band, how many of them went by themselves, and the money in both.

    Of those in band -1 nobody knows what was at stake: there is no money in them.
    """

    band: int
    decisions: int
    alone: int
    minor: int
    minor_alone: int


class SampleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the audit sample stands.

    Attributes:
        looked_at: Decisions that no person took: so many had the chance.
        drawn: How many were drawn.
        answered: How many a person answered.
        wrong: How many of these were wrong.
        waiting: How many are yet to be answered.
        missing: How many have no answer though it is due.
        wrong_share: Which share of all that went by itself was wrong, each answer weighted by 1 over its probability
            of being drawn, with the 95 % interval; None: none is answered.
        effective: How many equally weighted answers would tell as much.
    """

    looked_at: int
    drawn: int
    answered: int
    wrong: int
    waiting: int
    missing: int
    wrong_share: Interval | None
    effective: float


class PointFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a point as they were at a moment.

    Attributes:
        measured_at: When.
        since: Of decisions from this moment on: the declared window, or the newest ``most`` of it.
        until: Before this one: their outcomes were due.
        most: So many decisions are read at most.
        groups: Confidence against truth: all together first, then by version and segment, those in force first.
        edges: Where bands of exposure end, in minor units.
        bands: What came lately, by these.
        lately_since: The bands are of decisions from this moment on.
        outcomes_since: The tally and the sample are of decisions from this moment on.
        tally: How outcomes stand that are due.
        missing: The oldest that are missing.
        sample: How the audit sample stands; None: none is declared.
        spared: What a cascade saves, and loses in quality, of decisions between ``since`` and ``until``; None: nothing
            was compared.
    """

    measured_at: datetime
    since: datetime
    until: datetime
    most: int
    groups: tuple[Group, ...]
    edges: tuple[int, ...]
    bands: tuple[BandCount, ...]
    lately_since: datetime
    outcomes_since: datetime
    tally: Tally
    missing: tuple[Missing, ...]
    sample: SampleCounts | None
    spared: Spared | None = None

    def group(self, key: str) -> Group | None:
        """The group of a name; None: there is none of it."""
        return next((one for one in self.groups if one.key == key), None)

    @property
    def first(self) -> Group:
        """What is shown first: the one version in force, if it is one, else all together."""
        now = [one for one in self.groups if one.in_force and one.digest and one.segment is None]
        return now[0] if len(now) == 1 else self.groups[0]
