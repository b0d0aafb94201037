"""From the answers of components to a draft: verdicts, the policy and the route. Pure."""

from __future__ import annotations

import functools
import time

from interlock.decisions.ask import Asking
from interlock.decisions.asked import Asked
from interlock.decisions.condition import Facts
from interlock.decisions.decision import Verdict
from interlock.decisions.draft import Draft
from interlock.decisions.passed_over import keep_passed_over
from interlock.decisions.policy import Ruling, rule
from interlock.decisions.route import choose_route, judge
from interlock.decisions.shapes import shape_of


def make_draft(asked: Asked, data: bytes, asking: Asking, started: float) -> Draft:
    """From the answers to a route.

    Args:
        asked: What was asked.
        data: The input as canonical JSON.
        asking: Who was asked, and the best answer.
        started: When the asking began, on the performance counter.
    """
    answered = time.perf_counter()
    keep_passed_over(asked, asking)
    verdicts, ruling = _judge(asked, asking)
    routed = choose_route(
        answered=asking.best is not None,
        sure=asking.best is not None and asking.best.sure,
        verdicts=verdicts,
        shortfall=asking.shortfall,
        person=asking.person,
        stopped=asking.stopped.what if asking.stopped else "",
        certified=asking.best.certified if asking.best else "",
    )
    took = {"components": round((answered - started) * 1e6), "rules": round((time.perf_counter() - answered) * 1e6)}
    return Draft(asked, data, asking, verdicts, routed, took, ruling)


def _judge(asked: Asked, asking: Asking) -> tuple[tuple[Verdict, ...], Ruling | None]:
    """The verdicts of the file's conditions, of the findings and of the policy on the best answer."""
    best, point = asking.best, asked.point
    if best is None:
        return (), None
    verdicts: tuple[Verdict, ...] = ()
    if point.review or point.reject or best.findings:
        facts = Facts(
            input=asked.value,
            output=best.answer.output,
            confidence=best.answer.confidence,
            exposure=best.exposure,
            findings=tuple(finding.code for finding in best.findings),
            shape=functools.partial(shape_of, asked.library, point),
        )
        verdicts = judge(review=point.review, reject=point.reject, facts=facts, findings=best.findings)
    if point.policy is None:
        return verdicts, None
    ruling = rule(asked.library, point.policy, asked.value, best, asking.now)
    return (*verdicts, *ruling.verdicts), ruling
