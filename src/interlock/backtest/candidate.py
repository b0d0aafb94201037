"""What is tried in the place of what was in force: a decision point with something changed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from msgspec import structs

from interlock.autonomy.standing import Standing
from interlock.components.component import Component, ComponentRef, Kind
from interlock.components.rules import Rules
from interlock.decisions.library import Library, PublishedLibrary
from interlock.decisions.point import ComponentChoice, DecisionPoint, Share
from interlock.decisions.sureness import Sureness
from interlock.errors import Refused
from interlock.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is tried.

    Attributes:
        component: Who answers: in the step that names another version of it, or else alone, before a person.
        rules: A rule table, in the place of the one of its name.
        sureness: From which confidence on an answer suffices, without any certificate.
        standing: The certificate that counts.
        today: The point as its file stands today: a certificate is of the terms that stand there.
    """

    today: DecisionPoint
    component: Component | None = None
    rules: Rules | None = None
    sureness: Sureness | None = None
    standing: Standing | None = None

    def __post_init__(self) -> None:
        if not any((self.component, self.rules, self.sureness, self.standing)):
            raise Refused(
                "nothing to try is named",
                todo="give --component, --rules, --sure-from, --bands, --certificate or --threshold",
            )
        if self.sureness and self.standing:
            raise Refused("a certificate and a confidence cannot both be tried", todo="give one of them")

    @property
    def said(self) -> str:
        """What it is, in words."""
        return ", ".join(self._said())

    def _said(self) -> Iterator[str]:
        if self.component:
            yield f"{self.component.ref} ({self.component.digest.hex()[:12]})"
        if self.rules:
            yield f"{self.rules.ref} ({self.rules.digest.hex()[:12]})"
        if self.sureness:
            bands = ", ".join(f"below {one.below}: {one.confidence:g}" for one in self.sureness.bands)
            yield bands or f"sure from {self.sureness.sure_from:g}"
        if self.standing:
            yield f"certificate {self.standing.id} at an expected loss of {_threshold(self.standing)}"

    def point(self, then: DecisionPoint) -> DecisionPoint:
        """The point as it was then, with what is tried."""
        point = then
        if self.component:
            point = structs.replace(point, steps=self._steps(then, self.component.ref))
        if self.sureness:
            point = structs.replace(
                point,
                autonomy=None,
                sure_from=self.sureness.sure_from,
                bands=self.sureness.bands,
                says_sure=True,
                steps=tuple(structs.replace(step, sureness=None) for step in point.steps),
            )
        if self.standing:
            today = self.today
            point = structs.replace(
                point,
                autonomy=today.autonomy,
                exposure=then.exposure or today.exposure,
                sure_from=today.sure_from,
                bands=today.bands,
                says_sure=today.says_sure,
            )
        return point

    def library(self, then: Library, point: DecisionPoint) -> Library:
        """What the point refers to, with what is tried.

        Raises:
            Refused: the point asks no rules of that name.
        """
        found: dict[ComponentRef, Component] = {}
        if self.component:
            found[self.component.ref] = self.component
        if self.rules:
            places = [one for one in _rules_of(point) if one.name == self.rules.ref.name]
            if not places:
                asks = ", ".join(sorted({str(one) for one in _rules_of(point)})) or "no rules"
                raise Refused(
                    f"{point.name} asks no rules called {self.rules.ref.name}; it asks {asks}",
                    where="--rules",
                    todo="give a table of that name",
                )
            found.update(dict.fromkeys(places, self.rules))
        return CandidateLibrary(then, found) if found else then

    @staticmethod
    def _steps(then: DecisionPoint, reference: ComponentRef) -> tuple[ComponentChoice, ...]:
        only = (Share(reference, Fraction(1)),)
        names = [
            any((one.component.kind, one.component.name) == (reference.kind, reference.name) for one in step.shares)
            for step in then.steps
        ]
        if any(names):
            return tuple(
                structs.replace(step, shares=only) if named else step
                for step, named in zip(then.steps, names, strict=True)
            )
        return (ComponentChoice(only), *(step for step in then.steps if step.is_person))


def _rules_of(point: DecisionPoint) -> Iterator[ComponentRef]:
    for step in point.steps:
        yield from (one.component for one in step.shares if one.component.kind is Kind.RULES)
    if point.policy is not None:
        yield point.policy


def _threshold(standing: Standing) -> Money:
    return Money.of_minor(math.floor(standing.threshold), standing.terms.currency)


class CandidateLibrary(PublishedLibrary):
    """A library of then with other components in it.

    Args:
        then: What counted then.
        instead: What is found in the place of each reference.
    """

    def __init__(self, then: Library, instead: Mapping[ComponentRef, Component]) -> None:
        super().__init__(then, {}, only_published=False)
        self._then = then
        self._instead = instead

    def contract_name(self, reference: str) -> str | None:
        """A contract's whole name, as then."""
        return self._then.contract_name(reference)

    def component(self, reference: ComponentRef) -> Component:
        """The candidate's component, or that of then.

        Raises:
            Refused: there is none, or it cannot be loaded.
        """
        found = self._instead.get(reference)
        return self._then.component(reference) if found is None else found
