"""Evidence: the decisions of a point whose outcomes are due, and what is known of them, as columns.

What is read is one statement, so one state of the database, however long it takes; it is streamed.

INVARIANT: nothing that is not known counts as good. A decision whose outcome is due and missing counts as wrong with
its full loss; of an audited point that holds for those that were drawn, or came to a person, since the sample began.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray
from psycopg.rows import dict_row

from interlock.autonomy.certificate import Data
from interlock.autonomy.issuing.cascade import (
    ATTEMPTS,
    Course,
    Judged,
    Numbers,
    cascade_of,
    course_of,
    is_of_another_version,
)
from interlock.autonomy.issuing.judged import is_known_right, loss_of
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.store import (
    DECIDED_UNDER,
    RECORDED_DECISIONS,
    SAMPLE_BEGUN,
    RecordedDecision,
    SampleBegun,
)
from interlock.autonomy.outcome import By, Known, Said, known_of
from interlock.autonomy.records import EVERYWHERE, Records, is_fit, turn_of
from interlock.autonomy.segment import segment_of
from interlock.autonomy.terms import MONTH, MOST_SEGMENTS, AutonomyTerms, Source
from interlock.clock import first_id
from interlock.db.database import Database
from interlock.oversight.review import Resolution

FIT_SHARE = Fraction(1, 3)
"""The part of the decisions that calibrates; the others test."""
SETTLED = timedelta(seconds=15)
"""What was decided later than that may still be on its way to the table."""
RARELY = Fraction(1, 1000)
"""Of so many decisions an answer above its component's floor may have been passed over for another one."""
_AT_ONCE = 500
"""Rows between two looks at the loop: whoever else works in the process waits no longer than some milliseconds."""
_NOTHING = UUID(int=0)
_KEY_DOMAIN = b"interlock.autonomy.split.1\0"
_NONE_DEMANDED = b"[]"
NO_SEGMENT = -1
"""Of what a person decides in any case."""


class _Demand(msgspec.Struct, frozen=True):
    """What one condition demanded."""

    route: str


_json = msgspec.json.Encoder()
_DEMANDS = msgspec.json.Decoder(list[_Demand])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The decisions of a point, whose outcomes are due.

    Attributes:
        data: From when to when, how many, their digest.
        records: The same as columns, for the mathematics.
        components: Who answered, by the numbers of the columns: SHA-256 in hex.
        segments: The segments that are told apart, by the numbers of the columns.
        floors: Up to which confidence an answer of a component was passed over for another one's, whose truth alone is
            known: nothing is certified up to there.
        ids: The decisions, in their order.
        automatic: Which of them nobody looked at.
        known: Of which of them it is known whether they were right; the others count as wrong, or were not drawn.
        courses: Of a cascade, what each of those said who were asked.
    """

    data: Data
    records: Records
    components: tuple[str, ...]
    segments: tuple[str, ...]
    floors: Mapping[str, float]
    ids: tuple[UUID, ...]
    automatic: NDArray[np.bool_]
    known: NDArray[np.bool_]
    courses: tuple[Course, ...] = ()


@dataclass(slots=True)
class _Columns:
    """What is gathered, a decision at a time."""

    confidence: list[float] = field(default_factory=list[float])
    exposure: list[int] = field(default_factory=list[int])
    stake: list[int] = field(default_factory=list[int])
    wrong: list[bool] = field(default_factory=list[bool])
    loss: list[int] = field(default_factory=list[int])
    needless: list[int] = field(default_factory=list[int])
    propensity: list[float] = field(default_factory=list[float])
    observed: list[bool] = field(default_factory=list[bool])
    component: list[str] = field(default_factory=list[str])
    segment: list[str | None] = field(default_factory=list["str | None"])
    fit: list[bool] = field(default_factory=list[bool])
    turn: list[int] = field(default_factory=list[int])
    courses: list[Course] = field(default_factory=list[Course])
    automatic: list[bool] = field(default_factory=list[bool])
    known: list[bool] = field(default_factory=list[bool])
    ids: list[UUID] = field(default_factory=list[UUID])


@dataclass(slots=True)
class _Counted:
    """What is counted meanwhile."""

    outcomes: int = 0
    missing: int = 0
    drawn: int = 0


def split_key(place: Place) -> bytes:
    """By which decisions are parted: one for a point, for ever, so that nobody draws until it suits them.

    It is no secret: it stands in each certificate. A decision's id is drawn by the system itself, so knowing the key
    lets nobody choose on which side a decision comes to be.
    """
    named = f"{place.tenant}\0{place.workflow}\0{place.point}".encode()
    return hashlib.sha256(_KEY_DOMAIN + named).digest()


async def gather(
    database: Database, place: Place, now: datetime, *, since: datetime | None = None, until: datetime | None = None
) -> Evidence:
    """The evidence of a point's window.

    Args:
        database: Where it is.
        place: The point.
        now: The time: outcomes that are due later do not count yet.
        since: Decisions from this moment on, instead of the window that is declared.
        until: Before this one, instead of the last whose outcome is due.
    """
    until = until or due_before(place.terms, now)
    since = since or now - place.terms.window
    asked: dict[str, Any] = {
        "workflow": place.workflow, "point": place.point, "digests": place.digests, "since": first_id(since),
        "until": first_id(max(since, until)), "attempts": len(place.components) > 1,
        "input": place.terms.segment.startswith("input."), "output": place.terms.segment.startswith("output."),
    }  # fmt: skip
    asked["files"], others = await _alike(database, place, asked)
    async with database.tenant(place.tenant) as connection:
        begun: SampleBegun | None = None
        if place.terms.outcome.source is Source.AUDIT:
            begun = await SAMPLE_BEGUN.one(connection, {"workflow": place.workflow, "point": place.point})
        gathering = Gathering(place, begun)
        async with connection.cursor(name="evidence", row_factory=dict_row) as cursor:
            cursor.itersize = _AT_ONCE
            await cursor.execute(RECORDED_DECISIONS.text, asked)
            async for found in cursor:
                gathering.take(RECORDED_DECISIONS.read(found))
    return gathering.evidence(since, until, asked["files"] or (), others)


class Gathering:
    """Takes a point's decisions, in their order, and makes the evidence of them. Pure.

    Args:
        place: The point.
        begun: Where the audit sample begins and how far it was drawn; None: there is none.
    """

    def __init__(self, place: Place, begun: SampleBegun | None = None) -> None:
        self._place = place
        self._begun = begun
        self._key = split_key(place)
        self._columns = _Columns()
        self._counted = _Counted()
        self._hashed = hashlib.sha256()
        self._left_out: list[UUID] = []

    def take(self, row: RecordedDecision) -> None:
        """Take one decision, if it counts. Where one of several was another version, only what comes after does.

        Else decisions of which only the first was asked would be counted, and those that went on to the next would not.
        """
        if row.attempts is not None and is_of_another_version(self._place, ATTEMPTS.decode(row.attempts)):
            self._left_out += [*self._columns.ids, row.id]
            self._columns, self._counted, self._hashed = _Columns(), _Counted(), hashlib.sha256()
            return
        if row.component_digest.hex() not in self._place.components:
            return
        if _had_a_chance(self._place.terms, row, self._begun):
            self._hashed.update(_hashed(row))
            _take(self._columns, self._counted, self._place, row, self._key)

    def evidence(self, since: datetime, until: datetime, files: Iterable[bytes] = (), other_files: int = 0) -> Evidence:
        """What was taken: from when to when it was, under which files of the point, and how many were under others."""
        counted = self._counted
        data = Data(
            since=since, until=until, decisions=len(self._columns.ids), fitted=sum(self._columns.fit),
            outcomes=counted.outcomes, missing=counted.missing, drawn=counted.drawn, digest=self._hashed.hexdigest(),
            key=self._key.hex(), fit_share=str(FIT_SHARE),
            files=tuple(sorted(one.hex() for one in files)), other_files=other_files,
            monthly=sum(one >= first_id(until - MONTH) for one in (*self._left_out, *self._columns.ids)),
        )  # fmt: skip
        return _evidence(self._place, self._columns, data)


async def _alike(database: Database, place: Place, asked: Mapping[str, Any]) -> tuple[list[bytes] | None, int]:
    """Under which files the point was as it is now, None for all; and how many decisions are of others."""
    if place.alike is None:
        return None, 0
    async with database.tenant(place.tenant) as connection:
        seen = await DECIDED_UNDER.all(connection, asked)
    alike = await place.alike(database, {one.declaration: one.build for one in seen})
    others = sum(one.decisions for one in seen if one.declaration not in alike)
    return [one.declaration for one in seen if one.declaration in alike], others


def due_before(terms: AutonomyTerms, now: datetime) -> datetime:
    """Of decisions before this moment the outcome is due, and their commits are over."""
    return now - max(terms.outcome.after, SETTLED)


def _had_a_chance(terms: AutonomyTerms, row: RecordedDecision, begun: SampleBegun | None) -> bool:
    """Whether a decision, had it gone by itself, could have been drawn: what comes before a sample tells nothing.

    INVARIANT: that is so whoever decided it: with reviews from before the mean would be too small.
    """
    if terms.outcome.source is Source.EVERY:
        return True
    return begun is not None and begun.begun < row.id <= begun.drawn_to


def _hashed(row: RecordedDecision) -> bytes:
    """All of a decision that may become another than it was, whatever changed it."""
    said = (
        row.exposure_minor, row.currency, row.is_right, row.loss_minor, row.loss_currency, row.propensity,
        row.was_right, row.resolution,
    )  # fmt: skip
    return row.id.bytes + (row.outcome or row.review or _NOTHING).bytes + _json.encode(said)


def _take(columns: _Columns, counted: _Counted, place: Place, row: RecordedDecision, key: bytes) -> None:
    terms, automatic = place.terms, row.route != "review"
    exposure = -1
    if row.exposure_minor is not None and row.currency == terms.currency and row.exposure_minor >= 0:
        exposure = row.exposure_minor
    stake = terms.wrong.of(exposure) if exposure >= 0 else 0
    drawn = Fraction(row.propensity) if row.propensity is not None else None
    sampled = automatic and terms.outcome.source is Source.AUDIT
    observed = not sampled or drawn is not None
    had = drawn if sampled and drawn is not None else Fraction(1)
    known = known_proposal(place, row) if observed else None
    turned = is_turned(row)
    wrong = observed and not is_known_right(terms, row, known, place.record, turned=turned)
    within = 0 <= exposure <= terms.highest
    loss = loss_of(terms, row, known, stake, turned=turned) if wrong else 0
    every = terms.outcome.source is Source.EVERY
    counted.outcomes += known is not None and not (known.by is By.REVIEW and every)
    counted.missing += observed and (known is None or (known.by is By.REVIEW and known.is_right and every))
    counted.drawn += sampled and known is not None
    eligible = within and is_eligible(row.verdicts)
    columns.ids.append(row.id)
    columns.automatic.append(automatic)
    columns.known.append(known is not None and not (known.by is By.REVIEW and known.is_right and every))
    columns.confidence.append(row.confidence)
    columns.exposure.append(exposure if eligible else -1)
    columns.stake.append(stake)
    columns.wrong.append(wrong)
    columns.loss.append(loss)
    columns.needless.append(terms.needless.of(max(exposure, 0)))
    columns.propensity.append(float(had))
    columns.observed.append(observed)
    columns.component.append(row.component_digest.hex())
    columns.segment.append(_segment(terms, row) if is_eligible(row.verdicts) else None)
    columns.fit.append(is_fit(row.id.bytes, key, FIT_SHARE))
    columns.turn.append(turn_of(row.id.bytes, key))
    taken = Judged(
        wrong=wrong, loss=loss, known=known, turned=turned, exposure=exposure, eligible=is_eligible(row.verdicts),
        observed=observed, segment=_segment(terms, row),
    )  # fmt: skip
    asked = ATTEMPTS.decode(row.attempts) if row.attempts is not None else ()
    columns.courses.append(course_of(place, row, asked, taken))


def known_proposal(place: Place, row: RecordedDecision) -> Known | None:
    """What is known of a decision's proposal: its outcome, or its own review's verdict; None: nothing."""
    if row.is_right is None and row.resolution is None:
        return None
    said = Said(
        is_right=row.is_right, loss_minor=row.loss_minor, currency=row.loss_currency, truth=row.truth,
        standing=row.standing,
        resolution=row.resolution, resolved=row.resolved if row.resolution is Resolution.CHANGE else None,
    )  # fmt: skip
    return known_of(said, row.output or b"{}", place.terms.outcome.fields, place.record)


def is_turned(row: RecordedDecision) -> bool:
    """Whether a condition, finding or rule turned the answer into a no, or would have: that no goes by itself."""
    if row.route == "reject":
        return True
    return row.verdicts != _NONE_DEMANDED and any(one.route == "reject" for one in _DEMANDS.decode(row.verdicts))


def is_eligible(verdicts: bytes) -> bool:
    """Whether no condition, finding or rule demanded a person: a no that was demanded goes by itself, too."""
    if verdicts == _NONE_DEMANDED:
        return True
    demanded = _DEMANDS.decode(verdicts)
    return not demanded or any(one.route == "reject" for one in demanded)


def _segment(terms: AutonomyTerms, row: RecordedDecision) -> str | None:
    if not terms.segment:
        return ""
    value: dict[str, Any] = msgspec.json.decode(row.input) if row.input is not None else {}
    output: dict[str, Any] = msgspec.json.decode(row.output) if row.output is not None else {}
    return segment_of(terms.segment, value, output)


def _evidence(place: Place, columns: _Columns, data: Data) -> Evidence:
    components = tuple(sorted(place.components))
    number = {one: at for at, one in enumerate(components)}
    often = Counter(
        one for one, fit in zip(columns.segment, columns.fit, strict=True) if fit and one is not None
    ).most_common(MOST_SEGMENTS)
    segments = tuple(sorted(name for name, _ in often))
    place_of: dict[str | None, int] = {name: at for at, name in enumerate(segments)}
    unsaid = [one.unsaid for one in columns.courses]
    floors = floors_of(unsaid, columns.fit)
    records = Records(
        confidence=np.array(columns.confidence, np.float64),
        exposure=np.array(columns.exposure, np.int64),
        stake=np.array(columns.stake, np.int64),
        wrong=np.array(columns.wrong, np.bool_),
        loss=np.array(columns.loss, np.int64),
        needless=np.array(columns.needless, np.int64),
        propensity=np.array(columns.propensity, np.float64),
        observed=np.array(columns.observed, np.bool_),
        component=np.array([number[one] for one in columns.component], np.int64),
        segment=np.array([place_of.get(one, NO_SEGMENT) for one in columns.segment], np.int64),
        fit=np.array(columns.fit, np.bool_),
        turn=np.array(columns.turn, np.int64),
    )
    surer = np.array([any(how > floors.get(one, -1.0) for one, how in over.items()) for over in unsaid], np.bool_)
    cascade = cascade_of(place, records, columns.courses, Numbers(number, place_of, floors), surer)
    if any(unsaid):
        _mind_floors(place.terms, records, np.array([floors.get(one, -1.0) for one in components]), surer)
    return Evidence(
        data=data,
        records=replace(records, cascade=cascade),
        components=components,
        segments=segments,
        floors=floors,
        ids=tuple(columns.ids),
        automatic=np.array(columns.automatic, np.bool_),
        known=np.array(columns.known, np.bool_),
        courses=tuple(columns.courses),
    )


def floors_of(passed_over: Sequence[Mapping[str, float]], fit: Sequence[bool]) -> dict[str, float]:
    """Above which confidence an answer of each component is rarely passed over, by the part that calibrates.

    Before there is a certificate nobody is sure enough, so that all are asked and only the surest answer is on record.
    So few as ``RARELY`` are left above the floor: they count as wrong, and it never depends on budget or risk.

    Args:
        passed_over: Of each decision, how sure those were whose answers are not on record.
        fit: Which decisions calibrate.
    """
    found: dict[str, list[float]] = {}
    for over, calibrates in zip(passed_over, fit, strict=True):
        for digest, confidence in over.items() if calibrates else ():
            found.setdefault(digest, []).append(confidence)
    few = int(sum(fit) * RARELY)
    return {digest: sorted(sure, reverse=True)[few] for digest, sure in found.items() if len(sure) > few}


def _mind_floors(terms: AutonomyTerms, records: Records, floor: NDArray[np.float64], surer: NDArray[np.bool_]) -> None:
    """Where an answer that was passed over is not on record, its truth is not, either.

    An answer that is no surer than one of those is left to a person. Of the part that tests, a decision where a surer
    one was passed over counts as wrong with the greatest loss at every threshold: what that answer would have led to,
    nobody knows. So the floors rest on the part that calibrates alone.
    """
    below = records.confidence <= floor[records.component]
    records.segment[below] = NO_SEGMENT
    records.confidence[surer], records.exposure[surer], records.stake[surer] = 1.0, 0, 0
    records.wrong[surer], records.loss[surer] = True, terms.wrong.of(terms.highest)
    records.observed[surer], records.propensity[surer] = True, 1.0
    records.segment[surer] = EVERYWHERE
