"""Asking those who were spared, of a declared share of decisions: what a cascade saves and loses is known of them.

Nothing follows from what they answer: the decision stands as it was. Who is drawn follows from the decision's key, so
that asked again it is the same one; with which probability stands on record.
"""

from __future__ import annotations

import hashlib
import time
from fractions import Fraction

from interlock.components.component import Kind
from interlock.decisions.ask import Asking, question_for, weigh
from interlock.decisions.asked import Asked
from interlock.decisions.budget import Deadlines
from interlock.decisions.decision import Became, ComponentAsked
from interlock.decisions.point import ComponentChoice, choose
from interlock.decisions.reach import Reach, Spent
from interlock.errors import ComponentTooDear, InterlockError, ScopeStopped

_DOMAIN = b"interlock.decisions.compare.1\0"


def is_drawn(key: bytes, share: Fraction) -> bool:
    """Whether a decision is one of those of which all are asked.

    Args:
        key: Of the decision.
        share: Of how many.
    """
    return int.from_bytes(hashlib.sha256(_DOMAIN + key).digest()[:8]) < share * 2**64


async def ask_spared(asked: Asked, asking: Asking, reach: Reach, due: Deadlines) -> None:
    """Ask those who come after the one that sufficed, if the decision is drawn.

    Who cannot be paid or is stopped is not asked, nor anybody after; who fails or is late is on record as such.
    """
    best, steps = asking.best, asked.point.steps
    if best is None or not best.sure or best.choice is None or best.choice not in steps or asked.broken_data:
        return
    share = best.choice.compare
    if not share or not is_drawn(asked.choice_key, share):
        return
    inference = due.inference_from(time.monotonic())
    for choice in steps[steps.index(best.choice) + 1 :]:
        if choice.is_person or not await _ask(asked, asking, reach, due, inference, choice, share):
            return


async def _ask(
    asked: Asked,
    asking: Asking,
    reach: Reach,
    due: Deadlines,
    inference: float,
    choice: ComponentChoice,
    share: Fraction,
) -> bool:
    reference, propensity = choose(choice, asked.choice_key)
    spent, started, why, proposal = Spent(), time.perf_counter(), "", None
    try:
        component = asked.library.component(reference)
        until = due.rules if reference.kind is Kind.RULES else inference
        answer = await reach.answer(component, question_for(asked, component, asking.now), until, spent, asking.cost)
        proposal = weigh(asked, component, choice, propensity, answer, due, asking.now)
    except (ComponentTooDear, ScopeStopped):
        return False
    except InterlockError as cause:
        component, why = None, type(cause).__name__
    asking.cost += spent.cost
    asking.attempts.append(
        ComponentAsked(
            component=str(component.ref if component else reference),
            digest=component.digest.hex() if component else "",
            propensity=str(share * propensity),
            became=Became.COMPARED,
            why=why,
            confidence=proposal.answer.confidence if proposal else None,
            took_us=round((time.perf_counter() - started) * 1e6),
            cpu_us=spent.cpu_us,
            cost=spent.cost,
            usage=spent.usage,
        )
    )
    if proposal is not None:
        asking.heard[len(asking.attempts) - 1] = proposal
    return True
