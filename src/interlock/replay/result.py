"""What a replay finds: each stage, equal or not, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Status(StrEnum):
    """How a stage that was run again stands to the record."""

    EQUAL = "equal"
    WITHIN_TOLERANCE = "within_tolerance"
    """Not the same, but no further apart than the model's manifest declares."""
    RECORDED = "recorded"
    """It rests on what was so at that moment outside of the record, and is taken from it: a language model's answer, a
    person, a stop, a time that ran out."""
    NOT_RUN = "not_run"
    """It could not be run again: what it needs is missing."""
    DIFFERENT = "different"


class Stage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stage.

    Attributes:
        name: ``input``, ``features``, ``component 1``, ..., ``findings``, ``verdicts``, ``exposure``, ``route``,
            ``reasons``.
        status: How it stands to the record.
        what: Which component or version it was, and why it is as it is.
        recorded: What the record says, as text, where the two differ.
        replayed: What was found now, as text.
    """

    name: str
    status: Status
    what: str = ""
    recorded: str = ""
    replayed: str = ""

    @property
    def kind(self) -> str:
        """The stage without its number, for counting."""
        return self.name.partition(" ")[0]


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, made again.

    Attributes:
        decision: Its id.
        point: ``workflow.point``.
        now: The time that its components were told, UTC.
        build: The build that it names, in hex; None: it names none.
        ran: What it was run with: ``archive``, or ``installed``.
        status: The worst of its stages.
        stages: In order.
        notes: What is not as it was without being a stage: code, versions of what is installed.
    """

    decision: UUID
    point: str
    now: datetime
    build: str | None
    ran: str
    status: Status
    stages: tuple[Stage, ...]
    notes: tuple[str, ...] = ()

    def stage(self, name: str) -> Stage:
        """The stage of a name.

        Raises:
            KeyError: there is none.
        """
        found = next((one for one in self.stages if one.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


_BADNESS = (Status.EQUAL, Status.WITHIN_TOLERANCE, Status.NOT_RUN, Status.DIFFERENT)


def worst(stages: Iterable[Stage]) -> Status:
    """The status of the whole: different, not run, within tolerance, or equal. What is recorded as it was is no fault.

    INVARIANT: equal means that at least one stage was run and none was found otherwise.
    """
    found = {stage.status for stage in stages} - {Status.RECORDED}
    return max(found, key=_BADNESS.index, default=Status.NOT_RUN)


class StageRate(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of stage came out over many decisions.

    Attributes:
        stage: Its kind.
        equal: How many were equal.
        within_tolerance: How many were within tolerance.
        recorded: How many were taken from the record.
        not_run: How many could not be run.
        different: How many were different.
    """

    stage: str
    equal: int = 0
    within_tolerance: int = 0
    recorded: int = 0
    not_run: int = 0
    different: int = 0


MOST_LISTED = 100
"""So many decisions that are not equal are listed; all are counted."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is not equal.

    Attributes:
        decision: Its id.
        point: ``workflow.point``.
        status: How it stands to the record.
        stage: The first stage that is so.
        what: Why.
    """

    decision: UUID
    point: str
    status: Status
    stage: str
    what: str


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What became of many.

    Attributes:
        since: From when on.
        until: Until when.
        sampling: How they were chosen, in words.
        replayed: How many were replayed.
        whole: How the decisions as a whole came out.
        stages: By kind of stage, in the order of a decision.
        listed: Some that are not equal, different ones first.
        notes: What is not as it was, each once, with how many decisions it concerns.
    """

    since: datetime
    until: datetime
    sampling: str
    replayed: int
    whole: StageRate
    stages: tuple[StageRate, ...]
    listed: tuple[Listed, ...]
    notes: tuple[str, ...]


_ORDER = (
    "record", "input", "features", "component", "findings", "verdicts", "exposure", "autonomy", "route", "reasons",
)  # fmt: skip
_MOST_NOTES = 50


class Counting:
    """Counts replays; its memory does not grow with their number."""

    def __init__(self) -> None:
        self._whole: dict[str, int] = {}
        self._stages: dict[str, dict[str, int]] = {}
        self._listed: dict[Status, list[Listed]] = {Status.DIFFERENT: [], Status.NOT_RUN: []}
        self._notes: dict[str, int] = {}
        self._count = 0

    def add(self, replay: Replay) -> None:
        """Count one."""
        self._count += 1
        self._whole[replay.status] = self._whole.get(replay.status, 0) + 1
        for stage in replay.stages:
            counts = self._stages.setdefault(stage.kind, {})
            counts[stage.status] = counts.get(stage.status, 0) + 1
        listed = self._listed.get(replay.status)
        if listed is not None and len(listed) < MOST_LISTED:
            first = next(one for one in replay.stages if one.status is replay.status)
            listed.append(
                Listed(
                    decision=replay.decision,
                    point=replay.point,
                    status=replay.status,
                    stage=first.name,
                    what=first.what,
                )
            )
        for note in replay.notes:
            if note in self._notes or len(self._notes) < _MOST_NOTES:
                self._notes[note] = self._notes.get(note, 0) + 1

    def result(self, *, since: datetime, until: datetime, sampling: str) -> Rates:
        """What was counted."""
        kinds = sorted(self._stages, key=lambda kind: _ORDER.index(kind) if kind in _ORDER else len(_ORDER))
        return Rates(
            since=since,
            until=until,
            sampling=sampling,
            replayed=self._count,
            whole=_rate("decision", self._whole),
            stages=tuple(_rate(kind, self._stages[kind]) for kind in kinds),
            listed=(*self._listed[Status.DIFFERENT], *self._listed[Status.NOT_RUN])[:MOST_LISTED],
            notes=tuple(f"{note} ({count} decisions)" for note, count in self._notes.items()),
        )


def _rate(stage: str, counts: dict[str, int]) -> StageRate:
    return StageRate(stage=stage, **{str(status): counts.get(status, 0) for status in Status})


def in_short(values: Sequence[object], most: int = 10) -> str:
    """Some values as a text, with how many more there are."""
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return f"{', '.join(map(str, values[:most]))}{more}"
