"""The rows of issuing: decisions on record, what counts, monitors."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.autonomy.certificate import Certificate, read_certificate
from interlock.autonomy.outcome import Standing
from interlock.autonomy.store import LETS_GO, AutonomyState
from interlock.db.gates import StateGate, StateRow
from interlock.db.queries import load_queries
from interlock.oversight.review import Resolution


class DecidedUnder(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the workflow that decisions were taken under.

    Attributes:
        declaration: Its SHA-256.
        build: A build that holds it; None: none is named.
        decisions: How many they are.
    """

    declaration: bytes
    build: bytes | None
    decisions: int


class RecordedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision and what is known of its proposal.

    Attributes:
        id: Its id.
        component_digest: Of who answered.
        confidence: How sure they were.
        exposure_minor: The money at stake, in minor units.
        currency: Of that.
        route: What happened to it.
        verdicts: What conditions, findings and rules demanded; canonical JSON.
        attempts: Everybody who was asked; canonical JSON; None: not read.
        input: What it was decided on; None: not read.
        output: What was proposed; None: not read.
        outcome: The word that counts; None: none was said.
        is_right: What it says.
        loss_minor: What was lost, where it says so.
        loss_currency: Of that.
        standing: Whether words contradict one another.
        review: Its own review, if a verdict on it took effect.
        resolution: That verdict.
        resolved: What the person said shall hold.
        propensity: With which probability it was drawn for the audit sample; None: it was not drawn.
        was_right: What a person of the sample, blind to it, said of the decision as it went; None: nothing yet.
        truth: What the word that counts says would have been right, where several were asked; None: it says nothing.
    """

    id: UUID
    component_digest: bytes
    confidence: float
    exposure_minor: int | None
    currency: str | None
    route: str
    verdicts: bytes
    attempts: bytes | None
    input: bytes | None
    output: bytes | None
    outcome: UUID | None
    is_right: bool | None
    loss_minor: int | None
    loss_currency: str | None
    standing: Standing | None
    review: UUID | None
    resolution: Resolution | None
    resolved: bytes | None
    propensity: Decimal | None
    was_right: bool | None = None
    truth: bytes | None = None


class SampleBegun(msgspec.Struct, frozen=True, kw_only=True):
    """After which decision a point's audit sample begins, and up to which it was drawn."""

    begun: UUID
    drawn_to: UUID


class ChangedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of which something came to be known, and when."""

    id: UUID
    at: datetime


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """What counts at a point: the fields of ``NewAutonomy``, its certificate, and how that one's monitor stands.

    Attributes:
        refused: Why a certificate that was derived last came to none; None: it came to one.
        content: The certificate's.
        counted: How many of its own decisions were counted.
        lost_minor: What was lost by them, weighted, in minor units.
        evidence: How strongly they speak against it.
        crossed_at: When that was last found too strong.
        ended_at: When the certificate ceased to count.
    """

    id: UUID
    workflow: str
    point: str
    turn: int
    state: AutonomyState
    certificate: UUID | None
    threshold: str
    valid_until: datetime | None
    why: str
    who: str
    changed_at: datetime
    tried_at: datetime | None
    refused: str | None
    content: bytes | None
    counted: int | None
    lost_minor: int | None
    evidence: float | None
    crossed_at: datetime | None
    ended_at: datetime | None

    @property
    def read(self) -> Certificate | None:
        """The certificate, read."""
        return read_certificate(self.content) if self.content is not None else None

    def counts(self, now: datetime) -> bool:
        """Whether it lets anything go by itself at this moment."""
        return self.state in LETS_GO and self.valid_until is not None and self.valid_until > now


class TriedAutonomy(msgspec.Struct, frozen=True, kw_only=True):
    """That a certificate was derived."""

    id: UUID
    tried_at: datetime
    refused: str | None


class KeptCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of a point, and how its monitor stands."""

    id: UUID
    digest: bytes
    content: bytes
    counted: int | None
    lost_minor: int | None
    evidence: float | None
    crossed_at: datetime | None
    ended_at: datetime | None

    @property
    def read(self) -> Certificate:
        """The certificate, read."""
        return read_certificate(self.content)


class NewMonitor(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor that has counted nothing yet: fields as in the table; ``goes_on``: for which certificate's it does."""

    certificate: UUID
    tenant: UUID
    wealth: bytes
    counted: int
    lost_minor: int
    evidence: float
    counted_to: datetime
    counted_id: UUID
    looked_at: datetime
    goes_on: UUID | None = None


class OpenMonitor(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor that has decisions yet to count: fields as in the table; ``mark`` names how far it is."""

    certificate: UUID
    workflow: str
    point: str
    content: bytes
    wealth: bytes
    counted: int
    lost_minor: int
    evidence: float
    counted_to: datetime
    counted_id: UUID
    looked_at: datetime
    crossed_at: datetime | None
    ended_at: datetime | None
    mark: str


class MaturedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision whose outcome is due: fields as of ``RecordedDecision``."""

    id: UUID
    decided_at: datetime
    exposure_minor: int | None
    currency: str | None
    route: str
    is_right: bool | None
    loss_minor: int | None
    loss_currency: str | None
    propensity: Decimal | None
    standing: Standing | None = None
    output: bytes | None = None
    was_right: bool | None = None


class AdvancedMonitor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a monitor has counted: fields as in the table."""

    certificate: UUID
    wealth: bytes
    counted: int
    lost_minor: int
    evidence: float
    counted_to: datetime
    counted_id: UUID
    looked_at: datetime
    crossed_at: datetime | None
    closed_at: datetime | None


class EndedMonitor(msgspec.Struct, frozen=True, kw_only=True):
    """That a certificate counts no more; and whether another one's monitor goes on for its own."""

    certificate: UUID
    ended_at: datetime
    handed_on: bool = False


class NewCourse(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a monitor's chart, on its way in."""

    certificate: UUID
    tenant: UUID
    counted: int
    at: datetime
    evidence: float
    lost_minor: int


class ThinnedCourse(msgspec.Struct, frozen=True, kw_only=True):
    """Which points of a monitor's chart stay: those whose count is a multiple."""

    certificate: UUID
    stride: int


class CoursePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a monitor's chart.

    Attributes:
        counted: After so many decisions.
        at: When they were counted.
        evidence: How strongly they spoke against the certificate.
        lost_minor: What was lost by them, weighted, in minor units.
    """

    counted: int
    at: datetime
    evidence: float
    lost_minor: int


_SQL = load_queries(__file__)
DECIDED_UNDER = _SQL.rows("decided_under", DecidedUnder)
RECORDED_DECISIONS = _SQL.rows("recorded_decisions", RecordedDecision)
SAMPLE_BEGUN = _SQL.rows("sample_begun", SampleBegun)
CHANGED_SINCE = _SQL.rows("changed_since", ChangedDecision)
STANDS = _SQL.rows("stands", Stands)
NOTE_TRIED = _SQL.bulk("note_tried", TriedAutonomy, distinct=("id",))
COUNT_TRIES = _SQL.rows("count_tries", int)
CERTIFICATES_OF = _SQL.rows("certificates_of", KeptCertificate)
ADD_MONITORS = _SQL.bulk("add_monitors", NewMonitor, distinct=("certificate",))
monitor_gate = StateGate("monitor", _SQL.rows("lock_monitors", StateRow))
OPEN_MONITORS = _SQL.rows("open_monitors", OpenMonitor)
MATURED_DECISIONS = _SQL.rows("matured_decisions", MaturedDecision)
WORSE_WORDS = _SQL.rows("worse_words", datetime)
CAME_SINCE = _SQL.rows("came_since", int)
ADVANCE_MONITORS = _SQL.bulk("advance_monitors", AdvancedMonitor, distinct=("certificate",))
END_MONITORS = _SQL.bulk("end_monitors", EndedMonitor, distinct=("certificate",))
ADD_COURSE = _SQL.bulk("add_course", NewCourse, distinct=("certificate", "counted"))
THIN_COURSE = _SQL.bulk("thin_course", ThinnedCourse, distinct=("certificate",))
COURSE_OF = _SQL.rows("course_of", CoursePoint)
TRY_TO_KEEP = _SQL.rows("try_to_keep", bool)
END_KEEPING = _SQL.rows("end_keeping", bool)
