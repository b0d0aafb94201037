"""The search for what would have changed the outcome of a recorded decision. Pure.

Every candidate alone first; where none of them lets the decision go by itself, two together, and then all that stands
in its way, with whatever is not needed left out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import msgspec

from interlock.components.component import Kind
from interlock.decisions.counterfactual.bounds import names_in
from interlock.decisions.counterfactual.candidates import candidates, removals
from interlock.decisions.counterfactual.change import Change, Part, at_path
from interlock.decisions.counterfactual.kept import Kept, table_of
from interlock.decisions.counterfactual.retrial import Outcome, Retrial, Unknowable
from interlock.decisions.data_terms import CODE as DATA_BROKEN
from interlock.decisions.decision import Became, Decision, Route
from interlock.privacy.token import MARKER_BYTES

MOST_TRIALS = 2_000
"""So often a decision is judged again, some 30 us each."""
MOST_FOUND = 12
_MOST_PAIRED = 40


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """Something that would have changed the outcome; it was tried.

    Attributes:
        changes: What would have been otherwise, all of it together.
        route: The route then.
        output: The answer then.
        rows: The rows of the tables that would have answered.
        assumes: What was taken to be the same, a sentence each.
    """

    changes: tuple[Change, ...]
    route: Route
    output: dict[str, Any] | None
    rows: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()


class Counterfactuals(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of how the outcome could have been another.

    Attributes:
        found: What would have changed it; another route first.
        not_computed: What cannot be said, and why, a sentence each.
        omitted: How many more were found than are told.
    """

    found: tuple[Counterfactual, ...] = ()
    not_computed: tuple[str, ...] = ()
    omitted: int = 0


def what_would_change(decision: Decision, kept: Kept) -> Counterfactuals:
    """Look for what would have changed the outcome.

    Args:
        decision: As it is on record.
        kept: What judged it, as far as it is at hand.
    """
    lacking = (*kept.lacking, *_unkept(decision, kept))
    if kept.point is None or lacking:
        return Counterfactuals(not_computed=lacking or ("The terms of the decision point are not at hand.",))
    retrial = Retrial(decision, kept.point, kept)
    veiled = _veiled(retrial)
    if veiled:
        return Counterfactuals(not_computed=(veiled,))
    try:
        base = retrial.outcome()
    except Unknowable as cause:
        return Counterfactuals(not_computed=(f"It cannot be judged again: {cause.what}.",))
    if base.route is not decision.route or base.output != decision.answer:
        why = "Judged again with what is kept it comes out otherwise than it is on record, so nothing is claimed."
        return Counterfactuals(not_computed=(why,))
    search = _Search(retrial, base)
    found = search.run()
    told = sorted(found, key=lambda one: (one.route is base.route, one.route is not Route.AUTOMATIC, len(one.changes)))
    return Counterfactuals(
        found=tuple(told[:MOST_FOUND]),
        not_computed=tuple(_not_computed(retrial, cut=search.cut)),
        omitted=max(len(told) - MOST_FOUND, 0),
    )


class _Search:
    """One search.

    Attributes:
        trials: How often the decision was judged again.
        cut: Whether the bound of that was met.
    """

    def __init__(self, retrial: Retrial, base: Outcome) -> None:
        self._retrial, self._base = retrial, base
        self.trials, self.cut = 0, False

    def run(self) -> list[Counterfactual]:
        taken, values = removals(self._retrial), candidates(self._retrial)
        singles = self._distinct((one,) for one in (*taken, *values))
        goes_by_itself = self._base.route is Route.AUTOMATIC
        if goes_by_itself or any(one.route is Route.AUTOMATIC for one in singles):
            return singles
        # what leads elsewhere alone may lead further with another one; the nearest values may need one at their side
        leading = [one.changes[0] for one in singles]
        paired = list({repr(one): one for one in (*taken, *leading, *_nearest(values))}.values())[:_MOST_PAIRED]
        pairs = [one for one in combinations(paired, 2) if _field(one[0]) != _field(one[1])]
        found = [one for one in self._distinct(pairs) if one.route is Route.AUTOMATIC]
        return [*singles, *(found[:MOST_FOUND] or self._everything(taken, values))]

    def _distinct(self, sets: Iterable[Sequence[Change]]) -> list[Counterfactual]:
        """The first set of changes of each field, or pair of them, to each other outcome."""
        found: dict[Any, Counterfactual] = {}
        for changes in sets:
            outcome = self._try(changes)
            if outcome is None:
                continue
            key = (tuple(map(_field, changes)), outcome.route, outcome.rows)
            if key not in found:
                found[key] = self._told(changes, outcome)
        return list(found.values())

    def _everything(self, taken: Sequence[Change], values: Sequence[Change]) -> list[Counterfactual]:
        """All that may be taken away, surer, and less at stake; then what is not needed is left out again."""
        every = list(taken)
        for part in (Part.CONFIDENCE, Part.EXPOSURE):
            every += [one for one in values if one.part is part][:1]
        outcome = self._try(every) if len(every) > 1 else None
        if outcome is None or outcome.route is not Route.AUTOMATIC:
            return []
        for change in tuple(every):
            fewer = [one for one in every if one is not change]
            without = self._try(fewer)
            if without is not None and without.route is Route.AUTOMATIC:
                every, outcome = fewer, without
        return [self._told(every, outcome)]

    def _try(self, changes: Sequence[Change]) -> Outcome | None:
        """Another outcome; None: it is the same, or cannot be known."""
        if self.trials >= MOST_TRIALS:
            self.cut = True
            return None
        self.trials += 1
        try:
            outcome = self._retrial.outcome(changes)
        except Unknowable:
            return None
        return outcome if outcome.differs(self._base) else None

    def _told(self, changes: Sequence[Change], outcome: Outcome) -> Counterfactual:
        parts = {one.part for one in changes}
        assumes: list[str] = []
        if self._retrial.table is None and parts & {Part.CONFIDENCE, Part.EXPOSURE, Part.OUTPUT}:
            assumes.append("the rest of the answer is the same")
        if self._retrial.point.checks and parts - {Part.FINDING, Part.STOP}:
            assumes.append("the checks find the same")
        return Counterfactual(
            changes=tuple(changes),
            route=outcome.route,
            output=outcome.output,
            rows=outcome.rows,
            assumes=tuple(assumes),
        )


def _field(change: Change) -> tuple[Part, str]:
    return change.part, change.name


def _nearest(values: Sequence[Change]) -> list[Change]:
    """Of each field the first few that lie on another side of a bound, for pairs."""
    taken: dict[tuple[Part, str], int] = {}
    found: list[Change] = []
    for one in values:
        count = taken.get(_field(one), 0)
        if count < 4:  # noqa: PLR2004 - the bound itself and a step to each side, of the nearest bound and half the next
            taken[_field(one)] = count + 1
            found.append(one)
    return found


def _unkept(decision: Decision, kept: Kept) -> list[str]:
    """What judged it and is not at hand, so that judging it again would not be the same."""
    if kept.point is None or kept.point.policy is None or decision.output is None:
        return []
    if table_of(kept, kept.point.policy) is not None:
        return []
    return [f"The policy {kept.point.policy} that judged it is not at hand."]


def _veiled(retrial: Retrial) -> str:
    """Why nothing is tried: a token stands where its clear value was compared. Empty: that is so nowhere."""
    facing, point = retrial.facing, retrial.point
    asked = [path for one in (*point.review, *point.reject) for path in names_in(one.text)]
    policy = table_of(retrial.kept, point.policy) if point.policy is not None else None
    if retrial.table is not None:
        asked += [("input", name) for name in retrial.table.file.header.inputs]
    if policy is not None:
        asked += [(root, name) for name in policy.file.header.inputs for root in ("input", "output")]
    for root, *path in asked:
        held = {"input": facing.value, "output": facing.output}.get(root)
        if MARKER_BYTES in msgspec.json.encode(at_path(held, tuple(path))):
            where = ".".join((root, *path))
            return f"It was judged by {where}, which is personal and encrypted in the record: it is not judged again."
    return ""


def _not_computed(retrial: Retrial, *, cut: bool) -> Iterable[str]:
    if retrial.table is None:
        tables = retrial.kept.tables
        for asked in retrial.asked:
            match asked.became:
                case Became.FAILED | Became.LATE | Became.STOPPED | Became.SKIPPED:
                    yield f"What {asked.component} would have answered is not known: {asked.became}: {asked.why}."
                case _ if asked.component.startswith(f"{Kind.RULES}:") and asked.component not in tables:
                    yield f"The table {asked.component} that answered is not at hand, so it was not run again."
                case _:
                    yield (
                        f"What {asked.component} would have answered to another input is not known: nobody is asked "
                        "again for an explanation."
                    )
        codes = {reason.code for reason in retrial.decision.why}
        if not retrial.asked and retrial.facing.output is None:
            yield "Nobody but a person was asked, so there is no other answer to compare with."
        if DATA_BROKEN in codes or any(code.startswith("feature_") for code in codes):
            yield "What would have been answered with the data that were missing or not as promised is not known."
    if cut:
        yield f"Not every change was tried: it was judged again {MOST_TRIALS:,} times."
