"""Which steps a run loses when a decision in it is taken anew, when that is possible at all, and under which key. Pure.

Program order is that of ``interlock.cases.journal.is_at_or_after``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from interlock.actions.action import Action, ActionState, succeeding_key
from interlock.actions.stale import STALE, Assumed
from interlock.cases.ending_store import CORRECTED
from interlock.cases.journal import Place, Recorded, StepKind, is_at_or_after

MOST_REWINDS = 3
"""How often one case may decide anew by itself; after that a person looks."""


@dataclass(frozen=True, slots=True)
class Rewind:
    """What a rewound run keeps of the one before it, and what it drops.

    Attributes:
        kept: The steps that are copied.
        dropped: The steps that are not: they run again, if the code still comes by them.
        decisions: The decisions among the dropped ones, the stale one first.
    """

    kept: tuple[Recorded, ...]
    dropped: tuple[Recorded, ...]
    decisions: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Stays:
    """The case cannot decide anew by itself.

    Attributes:
        why: In a sentence, for the person who decides how it goes on.
    """

    why: str


def dropped_places(places: Iterable[Place], origins: Sequence[Place]) -> frozenset[Place]:
    """The places among these that are, or come after, one of the origins."""
    return frozenset(place for place in places if any(is_at_or_after(origin, place) for origin in origins))


def plan_rewind(
    journal: Sequence[Recorded], *, decision: UUID, assumed: Sequence[Assumed], action: UUID, rewinds: int
) -> Rewind | Stays:
    """Where a case goes back to when the decision under an action is stale.

    Args:
        journal: Every step of the run.
        decision: The stale decision.
        assumed: The facts that it assumed.
        action: The action that rests on it, of which nothing was sent.
        rewinds: How often the case has gone back before.
    """
    if rewinds >= MOST_REWINDS:
        return Stays(f"it was decided anew {rewinds} times and was stale each time")
    origin = next((step.place for step in journal if step.kind is StepKind.DECIDE and step.ref == decision), None)
    if origin is None:
        return Stays(f"the decision {decision} was not taken in this run of the case")
    facts = [Place.parse(fact.place) for fact in assumed]
    gone = dropped_places((step.place for step in journal), [origin, *facts])
    dropped = tuple(step for step in journal if step.place in gone)
    acts = [step for step in dropped if step.kind is StepKind.ACT]
    if action not in {step.ref for step in acts}:
        return Stays("the action does not come after its decision in the workflow")
    others = [f"{step.name} at step {step.place}" for step in acts if step.ref not in (action, None)]
    if others:
        return Stays(f"after that decision the case had already begun {', '.join(others)}")
    also = (step.ref for step in dropped if step.kind is StepKind.DECIDE and step.ref and step.ref != decision)
    kept = tuple(step for step in journal if step.place not in gone)
    return Rewind(kept, dropped, (decision, *also))


def key_in_turn(actions: Sequence[Action], key: str) -> str:
    """The key under which an action is asked for again, after stale decisions and corrected inputs.

    What was never sent has given its key back. What was sent, surely without effect, keeps it: the other side may
    remember what was asked for under it, and another case may not have it; what takes its place bears the next key.

    INVARIANT: one key is one effect. If the last of those that bore it ended in any other way, its key is the answer,
    and it is taken: whoever asks learns so, in a later run too.

    Args:
        actions: The case's actions of that name, the oldest first.
        key: The first one's, as the other side sees it.
    """
    for number in range(1, len(actions) + 1):
        turn = succeeding_key(key, number)
        bearer = next((action for action in reversed(actions) if action.key == turn), None)
        if bearer is None or not _is_succeeded(bearer):
            return turn
    return succeeding_key(key, len(actions) + 1)


def _is_succeeded(action: Action) -> bool:
    told = (action.error or "").startswith((f"{STALE}: ", CORRECTED))
    return told and action.attempt > 0 and action.state is ActionState.FAILED
