"""An exception in words: where its case stopped, what was done so far, and what each way of resolving it does. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.actions.action import Action
from interlock.cases.explain import when
from interlock.cases.journal import StepState
from interlock.cases.store import CaseState
from interlock.cases.ways import TAKES_VALUE, Scene, Way, check_way
from interlock.errors import Refused
from interlock.privacy.token import hide, hide_in

_TITLES = {
    Way.RETRY: "Try again",
    Way.CORRECT: "Correct the input",
    Way.ANSWER: "Answer in its place",
    Way.TOOK_EFFECT: "It took effect",
    Way.NO_EFFECT: "It had no effect",
    Way.BY_HAND: "It was taken back by hand",
    Way.ABANDON: "Abandon the case",
}
_DOES = {
    Way.RETRY: "What failed is tried again, and the case goes on from there. What succeeded is not done twice.",
    Way.CORRECT: "The corrected input replaces the case's, and a new run of the case begins with it.",
    Way.ANSWER: "Your answer is the result of the step that failed, checked against its contract; the case goes on.",
    Way.TOOK_EFFECT: "You have looked into the other side's book and found it there: it counts as done.",
    Way.NO_EFFECT: "You have looked into the other side's book and it is not there: it counts as failed.",
    Way.BY_HAND: "You have taken it back outside: it counts as undone, and nothing more is sent.",
    Way.ABANDON: "The case is cancelled, and what it did is taken back as far as its actions can be.",
}
_ENTRIES = ("trace",)


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    """One way, and whether it fits.

    Attributes:
        way: Which.
        title: Its name for people.
        does: What will happen.
        refused: Why it does not fit; empty: it does.
        todo: What would.
        takes_value: Whether it needs a value.
    """

    way: Way
    title: str
    does: str
    refused: str = ""
    todo: str = ""
    takes_value: bool = False


def possible(scene: Scene, now: datetime) -> tuple[Possible, ...]:
    """Every way, those that fit first."""
    found = [_possible(way, scene, now) for way in Way]
    return (*(one for one in found if not one.refused), *(one for one in found if one.refused))


def _possible(way: Way, scene: Scene, now: datetime) -> Possible:
    refused = todo = ""
    try:
        check_way(way, scene, now)
    except Refused as cause:
        refused, todo = cause.what.removeprefix(f"{way} does not fit: "), cause.todo
    return Possible(
        way=way, title=title_of(way), does=_does(way, scene), refused=refused, todo=todo, takes_value=way in TAKES_VALUE
    )


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """One way, and how many of a group it fits.

    Attributes:
        way: Which.
        title: Its name for people.
        does: What will happen to each.
        fits: How many of those that were looked at it fits.
        first: The oldest that it fits; None: it fits none.
        refused: Why it does not fit the most of the others; empty: it fits all.
        at_once: Whether one word does it to all; else it is done one by one, since each has a value of its own.
        takes_value: Whether it needs a value.
    """

    way: Way
    title: str
    does: str
    fits: int
    first: UUID | None
    refused: str
    at_once: bool
    takes_value: bool


def tally(scenes: Sequence[Scene], now: datetime) -> tuple[Tally, ...]:
    """Every way with how many of these it fits, those that fit the most first."""
    found = [_tally(way, scenes, now) for way in Way]
    return tuple(sorted(found, key=lambda one: -one.fits))


def _tally(way: Way, scenes: Sequence[Scene], now: datetime) -> Tally:
    refusals: Counter[str] = Counter()
    fitting: list[UUID] = []
    for scene in scenes:
        if why := refusal(way, scene, now):
            refusals[why] += 1
        else:
            fitting.append(scene.exception.id)
    return Tally(
        way=way,
        title=title_of(way),
        does=_DOES[way],
        fits=len(fitting),
        first=fitting[0] if fitting else None,
        refused=refusals.most_common(1)[0][0] if refusals else "",
        at_once=way is not Way.CORRECT,
        takes_value=way in TAKES_VALUE,
    )


def refusal(way: Way, scene: Scene, now: datetime) -> str:
    """Why a way does not fit, the same words for those of one cause; empty: it fits."""
    try:
        check_way(way, scene, now)
    except Refused as cause:
        return cause.what.removeprefix(f"{way} does not fit: ").partition(" (")[0]
    return ""


def title_of(way: Way) -> str:
    """A way's name for people."""
    return _TITLES[way]


def does(way: Way) -> str:
    """What a way does, of any case."""
    return _DOES[way]


def _does(way: Way, scene: Scene) -> str:
    subject, amount = scene.subject, ""
    if subject is not None and subject.exposure is not None:
        amount = f" It is about {subject.name}, {subject.exposure.amount:,} {subject.exposure.currency}."
    effective = [action.name for action in scene.actions if action.undo_of is None and action.state.value == "done"]
    if way is Way.ABANDON and effective:
        return f"{_DOES[way]} Done so far: {', '.join(effective)}."
    return _DOES[way] + (amount if way in (Way.TOOK_EFFECT, Way.NO_EFFECT, Way.BY_HAND, Way.RETRY) else "")


def stopped_at(scene: Scene) -> tuple[str, ...]:
    """Where the case stopped, in words."""
    return tuple(_stopped(scene))


def _stopped(scene: Scene) -> Iterator[str]:
    place, step = scene.place, scene.answerable
    if place is not None:
        scope = f" within {place.scope}" if place.scope else ""
        what = f"{step.kind} {step.name}" if step is not None else "a step"
        yield f"It stopped at {what}, step {place.ordinal}{scope} of run {scene.case.run}."
    else:
        yield f"It stopped in run {scene.case.run}; at which step is not known."
    if scene.case.cancel_at is not None:
        yield f"The case is being cancelled, by {scene.case.cancel_by}: {scene.case.cancel_why}."
    elif scene.case.state is CaseState.EXCEPTION:
        yield "The case holds here and does nothing until this is resolved."
    if scene.exception.safe_at is not None:
        yield f"A request may still take effect until {when(scene.exception.safe_at)}: nobody can say before then."


def done_so_far(scene: Scene) -> tuple[str, ...]:
    """What the case has done: its steps, the newest last."""
    return tuple(
        f"{step.kind} {step.name} (step {step.place}): {'failed' if step.state is StepState.FAILED else step.state}"
        for step in sorted(scene.journal, key=lambda one: (one.started_at, one.ordinal))
    )


def under_way(scene: Scene) -> tuple[str, ...]:
    """What may be under way outside, in words."""
    doubtful = {one.id for one in scene.unended if one.doubtful}
    return tuple(_told(action, doubtful=action.id in doubtful) for action in scene.actions)


def _told(action: Action, *, doubtful: bool) -> str:
    amount = f" {action.exposure.amount:,} {action.exposure.currency}" if action.exposure is not None else ""
    doubt = ", and may have taken effect" if doubtful else ""
    error = f": {hide_in(action.error).rstrip('.')}" if action.error else ""
    tried = (
        f"sent {'once' if action.attempt == 1 else f'{action.attempt} times'}, last {when(action.sent_at)}"
        if action.attempt and action.sent_at is not None
        else "never sent"
    )
    state = action.state.replace("_", " ")
    told = f"{action.name}{amount} through {action.connector} is {state}{doubt}{error}."
    return f"{told} It was {tried}, under the key {hide_in(action.outside_key)}."


def captured(detail: bytes) -> tuple[dict[str, Any], str]:
    """The captured state without the stack, and the stack."""
    read: dict[str, Any] = msgspec.json.decode(hide(detail), type=dict[str, Any])
    stack = str(read.get("trace") or "")
    return {name: value for name, value in read.items() if name not in _ENTRIES and value not in (None, "", [])}, stack
