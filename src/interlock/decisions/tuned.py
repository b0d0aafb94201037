"""What tuning found, as people and programs read it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

import msgspec

from interlock.decisions.costs import divided, shown_usd
from interlock.decisions.tune import NEVER, Evaluations, Outcome, outcome_of, tune
from interlock.oversight.binomial import Interval

LEAST_TO_CHECK = 40
"""Examples; with fewer, half of them say nothing."""
_FINEST = Decimal("1e-18")


class TunedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step.

    Attributes:
        component: Who.
        sure_from: From which confidence on it answers; ``never``: it is better not asked.
        asked: How many examples it is asked.
        answered: How many of them it decides.
        wrong: How many of these wrongly.
        cost: What asking it costs.
    """

    component: str
    sure_from: str
    asked: int
    answered: int
    wrong: int
    cost: str


class TunedReport(msgspec.Struct, frozen=True, kw_only=True):
    """What tuning found.

    Attributes:
        point: The decision point.
        steps: Its steps, in order.
        examples: How many examples there were.
        person: How many of them go to a person.
        person_cost: What these cost.
        cost: What everything costs.
        cost_per_decision: The same for one example.
        error: The share of what no person decides that is wrong, with its 95 % interval.
        alone: The cost and the error of the last component, if it decided everything alone.
        saving: What is saved compared with that.
        loss: How much more is wrong than with that, in points of percent; with a minus: how much less.
        checked: The error on the half that was not used to choose, if there are enough examples.
        notes: What is to be known of this.
    """

    point: str
    steps: tuple[TunedStep, ...]
    examples: int
    person: int
    person_cost: str
    cost: str
    cost_per_decision: str
    error: str
    alone: str
    saving: str
    loss: str
    checked: str
    notes: tuple[str, ...]


def half_of(found: Evaluations, *, error: Fraction, person: int, surely: bool) -> Outcome | None:
    """What thresholds that were chosen on every other example do with the rest; None where there are too few.

    Thresholds look better on the examples that they were chosen on than they are: this is what they are.
    """
    if found.examples < LEAST_TO_CHECK:
        return None
    chosen = tune(found.every_other(0), error=error, person=person, surely=surely)
    return outcome_of(found.every_other(1), [step.sure_from for step in chosen.steps], person)


def report_of(
    point: str, components: Sequence[str], found: Evaluations, best: Outcome, person: int, checked: Outcome | None
) -> TunedReport:
    """The report.

    Args:
        point: The decision point.
        components: The references of its steps, in order.
        found: The evaluations.
        best: What tuning found.
        person: What a person costs, in billionths of a US dollar.
        checked: What such thresholds do with examples that were not used to choose them.
    """
    alone = outcome_of(found, [NEVER] * (len(components) - 1) + [0.0], person)
    saved = alone.cost - best.cost
    share = f" ({divided(Decimal(100 * saved), alone.cost, Decimal('0.1'))} %)" if alone.cost else ""
    return TunedReport(
        point=point,
        steps=tuple(
            TunedStep(
                component=name, sure_from=written(step.sure_from), asked=step.asked, answered=step.answered,
                wrong=step.wrong, cost=usd(step.cost),
            )
            for name, step in zip(components, best.steps, strict=True)
        ),
        examples=best.examples,
        person=best.person,
        person_cost=usd(best.person_cost),
        cost=usd(best.cost),
        cost_per_decision=shown_usd(divided(Decimal(best.cost).scaleb(-9), best.examples, Decimal("1e-9"))),
        error=f"{best.wrong} of {best.answered}: {percent(best.error)}",
        alone=f"{usd(alone.cost)}, {percent(alone.error)} wrong, nothing to a person",
        saving=f"{usd(saved)}{share}",
        loss=f"{100 * (best.error.share - alone.error.share):+.3f} points",
        checked=f"{checked.wrong} of {checked.answered}: {percent(checked.error)}" if checked else "",
        notes=notes_of(best, checked),
    )  # fmt: skip


def notes_of(best: Outcome, checked: Outcome | None) -> tuple[str, ...]:
    """What a reader must know of a result before believing it."""
    notes: list[str] = []
    if not best.answered:
        notes.append("No thresholds keep the promise: a person decides everything. Allow more error, or add examples.")
    if checked is None:
        notes.append(f"With fewer than {LEAST_TO_CHECK} examples nothing was held back: take the error as a hope.")
    elif checked.answered and checked.error.low > best.error.share:
        notes.append(
            "Examples that were not used to choose are wrong more often: the thresholds fit these too closely."
        )
    return tuple(notes)


def snippet_of(components: Sequence[str], best: Outcome) -> str:
    """The steps as they would stand in the workflow's file; a step that never answers is left out."""
    lines = ["components:"]
    for name, step in zip(components, best.steps, strict=True):
        if step.sure_from != NEVER:
            lines.append(f"  - {{use: {name}, sure_from: {written(step.sure_from)}}}")
    return "\n".join([*lines, "  - person", ""])


def written(threshold: float) -> str:
    """A threshold as the workflow's file takes it: never less than it is."""
    if threshold == NEVER:
        return "never"
    return f"{Decimal(repr(threshold)).quantize(_FINEST, ROUND_CEILING).normalize():f}"


def usd(amount: int) -> str:
    """An amount in billionths of a US dollar."""
    return shown_usd(Decimal(amount).scaleb(-9))


def percent(found: Interval) -> str:
    """A share with its interval: "0.500 % (0.163 to 1.163 %)"."""
    return f"{100 * found.share:.3f} % ({100 * found.low:.3f} to {100 * found.high:.3f} %)"
