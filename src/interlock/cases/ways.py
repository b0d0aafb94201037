"""The ways to resolve an exception, and which of them fits what is known of its case. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from interlock.actions.action import Action, ActionState
from interlock.cases.journal import Place, Recorded, StepKind, StepState, is_at_or_after
from interlock.cases.store import CaseRow, OpenAction
from interlock.errors import Refused
from interlock.oversight.exception import CaseException


class Way(StrEnum):
    """How an exception is resolved.

    ``retry``: what failed is tried again. ``correct``: a corrected input replaces the case's, which begins a new run.
    ``answer``: a person's answer is the result of the step that failed, or that asks for one. ``took_effect`` and
    ``no_effect``: a person's word on an action in doubt, after looking into the other side's own book. ``by_hand``: a
    person has taken back outside what could not be. ``abandon``: the case is cancelled, and what it did is taken back.
    """

    RETRY = "retry"
    CORRECT = "correct"
    ANSWER = "answer"
    TOOK_EFFECT = "took_effect"
    NO_EFFECT = "no_effect"
    BY_HAND = "by_hand"
    ABANDON = "abandon"


TAKES_VALUE = (Way.CORRECT, Way.ANSWER)
"""The ways that need a value."""
_ON_DOUBT = (Way.TOOK_EFFECT, Way.NO_EFFECT)
_EFFECTIVE = (ActionState.DONE, ActionState.UNDOING, ActionState.UNDONE)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is known of an exception and its case.

    Attributes:
        exception: It is open.
        case: Its case.
        journal: Of the case's run.
        actions: Of the case.
        unended: Those that have not ended or wait for a person's word, with whether a request of theirs may have had
            an effect, or may yet.
    """

    exception: CaseException
    case: CaseRow
    journal: Sequence[Recorded]
    actions: Sequence[Action]
    unended: Sequence[OpenAction]

    @property
    def subject(self) -> Action | None:
        """The action that it is about: the one that it names, else one that waits for a person's word."""
        named = next((action for action in self.actions if action.id == self.exception.action), None)
        if named or self.exception.action:
            return named
        return next((action for action in self.actions if action.state is ActionState.EXCEPTION), None)

    @property
    def asks(self) -> bool:
        """Whether somebody must say what became of its action."""
        return self.subject is not None and self.subject.state is ActionState.EXCEPTION

    @property
    def original(self) -> Action | None:
        """What could not be taken back, if that is what it is about."""
        subject = self.subject
        if subject is None:
            return None
        if subject.undo_of is not None:
            return next((action for action in self.actions if action.id == subject.undo_of), None)
        taking_back = self.case.cancel_at is not None and subject.state in (ActionState.DONE, ActionState.UNDOING)
        return subject if taking_back else None

    @property
    def undo(self) -> Action | None:
        """What was to take the original back, if it is on record."""
        original = self.original
        return next((action for action in self.actions if original and action.undo_of == original.id), None)

    @property
    def place(self) -> Place | None:
        """The step at which the case stopped, if it is known."""
        one = self.exception
        return Place(one.scope, one.ordinal) if one.scope is not None and one.ordinal is not None else None

    @property
    def failed_step(self) -> Recorded | None:
        """The step that failed, if the case stopped at one."""
        return next(
            (step for step in self.journal if step.place == self.place and step.state is StepState.FAILED), None
        )

    @property
    def asked_step(self) -> Recorded | None:
        """The step at which the workflow's code asks a person, if the case stopped at one."""
        return next(
            (
                step
                for step in self.journal
                if step.place == self.place and step.kind is StepKind.ASK and step.state is StepState.PENDING
            ),
            None,
        )

    @property
    def answerable(self) -> Recorded | None:
        """The step whose result a person's answer becomes: one that failed, or one that asks for it."""
        return self.failed_step or self.asked_step

    @property
    def reopened(self) -> Recorded | None:
        """The step that a retry tries again: the one that failed, or, where none is known, the last, if that failed."""
        if self.place:
            return self.failed_step
        last = max(self.journal, key=lambda step: (step.finished_at or step.started_at, step.ordinal), default=None)
        return last if last and last.state is StepState.FAILED else None


def check_way(way: Way, scene: Scene, now: datetime) -> None:
    """Refuse a way that does not fit what is known.

    INVARIANT: nobody says what became of an action while a request of it may be under way; and no case begins anew, or
    ends, while it is unknown whether it paid.

    Raises:
        Refused: with what fits instead.
    """
    _check_doubt(way, scene, now)
    if way is Way.BY_HAND:
        _check_by_hand(scene)
    if scene.case.cancel_at is not None and way in (Way.CORRECT, Way.ANSWER, Way.ABANDON):
        what = f"{way} does not fit: the case is being cancelled, by {scene.case.cancel_by}"
        raise _unfit(what, "say retry, or by_hand once you have taken it back yourself")
    match way:
        case Way.ABANDON:
            _check_abandon(scene)
        case Way.CORRECT:
            _check_correct(scene)
        case Way.ANSWER:
            _check_answer(scene)
            _check_after(way, scene, scene.answerable)
        case Way.RETRY if scene.case.cancel_at is None:
            _check_retry(scene)
            _check_after(way, scene, scene.reopened)
        case _:
            pass


def _check_doubt(way: Way, scene: Scene, now: datetime) -> None:
    subject, doubtful = scene.subject, scene.asks
    if not doubtful and way in _ON_DOUBT:
        raise _unfit(f"{way} does not fit: no action is in doubt", "say retry or abandon")
    if not doubtful or subject is None:
        return
    fitting = (*_ON_DOUBT, Way.BY_HAND) if scene.original else _ON_DOUBT
    if way not in fitting:
        by_hand = ", or by_hand if it had none and you took the payment back yourself" if scene.original else ""
        todo = f"say took_effect or no_effect{by_hand}, after looking into the other side's book"
        raise _unfit(f"{way} does not fit: an action is in doubt", todo)
    safe_at = scene.exception.safe_at
    if safe_at and now < safe_at:
        raise _unfit(
            f"nobody can say yet what became of {subject.name} ({subject.id}): a request of it may still take effect",
            f"look into the other side's book at {safe_at:%Y-%m-%d %H:%M:%S} UTC or later, then say it",
        )


def _check_by_hand(scene: Scene) -> None:
    """INVARIANT: nobody takes back outside what a request that is not settled may have taken back already."""
    if scene.original is None:
        raise _unfit("by_hand does not fit: nothing is being taken back", "say retry or abandon")
    undo = scene.undo
    if undo is None or (undo == scene.subject and undo.state is ActionState.EXCEPTION):
        return  # an undo in doubt that is asked about: the word says that it had no effect
    if undo.id in {action.id for action in scene.unended if action.doubtful}:
        raise _unfit(
            f"by_hand does not fit: {undo.name} ({undo.id}), which takes {scene.original.name} back, "
            f"is {undo.state} and may have taken effect",
            "mend what the exception names, then say retry: what became of the undo is settled first",
        )


def _check_abandon(scene: Scene) -> None:
    asked = [action for action in scene.actions if action.state is ActionState.EXCEPTION]
    if asked:
        which = ", ".join(f"{action.name} ({action.id})" for action in asked)
        raise _unfit(
            f"the case cannot be abandoned yet, for a person has to say what became of {which}",
            "resolve the exception of that action first",
        )


def _check_correct(scene: Scene) -> None:
    effective = {action.id: f"{action.name} is {action.state}" for action in scene.actions if _has_effect(action)}
    doubtful = {a.id: f"{a.name} is {a.state} and may have taken effect" for a in scene.unended if a.doubtful}
    told = effective | doubtful
    if told:
        which = "; ".join(f"{what} ({action})" for action, what in told.items())
        raise _unfit(
            f"the input cannot be corrected, for the case has acted on it: {which}",
            "say abandon: what it did is taken back; then submit the corrected input under a new key",
        )


def _has_effect(action: Action) -> bool:
    return action.state in _EFFECTIVE and action.undo_of is None


def _check_answer(scene: Scene) -> None:
    step = scene.answerable
    if step is None:
        raise _unfit(
            "answer does not fit: the case did not stop at a step that failed",
            "say retry once its cause is mended, or abandon",
        )
    if step.kind not in (StepKind.DECIDE, StepKind.STEP, StepKind.ASK):
        raise _unfit(
            f"answer does not fit: the {step.kind} {step.name} has no answer that a person could give",
            "say retry or abandon",
        )


def _check_retry(scene: Scene) -> None:
    if scene.asked_step:
        raise _unfit(
            "retry does not fit: nothing failed, the workflow asks a person how to go on",
            "say answer with a value, or abandon",
        )


def _check_after(way: Way, scene: Scene, step: Recorded | None) -> None:
    """INVARIANT: what was done in another way after a step had failed is not done in the first way, too."""
    effective = {action.id for action in scene.actions if _has_effect(action)}
    effective |= {action.id for action in scene.unended if action.doubtful}
    acts = [act for act in scene.journal if act.kind is StepKind.ACT and act.ref in effective]
    after = [act for act in acts if step and is_at_or_after(step.place, act.place)]
    if step and after:
        raise _unfit(
            f"{way} does not fit: after the {step.kind} {step.name} (step {step.place}) had failed, the case went on, "
            f"and {', '.join(f'{act.name} (step {act.place})' for act in after)} took effect or may have",
            "say abandon: what it did is taken back; then submit it under a new key",
        )


def _unfit(what: str, todo: str) -> Refused:
    return Refused(what, where="/way", todo=todo)


def unsent(scene: Scene) -> tuple[UUID, ...]:
    """The actions that have not ended and of which surely nothing had an effect."""
    return tuple(action.id for action in scene.unended if not action.doubtful)
