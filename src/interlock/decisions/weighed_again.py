"""A draft whose certificate changed before its commit, held against what is certified now. Pure."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from interlock.autonomy.standing import Standing
from interlock.decisions.ask import Asking, unsure
from interlock.decisions.asked import Asked
from interlock.decisions.certified import held_to_certificate, left_to_person, why_broken_off
from interlock.decisions.decision import Became
from interlock.decisions.draft import Draft
from interlock.decisions.point import needed_confidence
from interlock.decisions.route import choose_route


def weighed_again(draft: Draft, counts: Standing) -> Draft:
    """The same answer, held against what is certified now; nobody is asked again.

    The course of its asking is changed in place: what was spent on it is settled once.

    Args:
        draft: A draft that goes by itself.
        counts: What is certified now.
    """
    asked, asking = structs.replace(draft.asked, certified=counts), draft.asking
    best = asking.best
    if best is None:
        return draft
    held = held_to_certificate(asked, best.component, best.digest, best.answer, best.exposure)
    broken = _why_not_in_turn(asked, asking)
    held = left_to_person(held, broken) if held is not None and broken else held
    needed = needed_confidence(asked.point, best.exposure, best.choice, certified=held.needed if held else None)
    sure = best.sure and needed is not None and best.answer.confidence >= needed
    asking.best = replace(best, held=held, needed=needed, sure=sure)
    became = Became.ANSWERED if sure else Became.UNSURE
    asking.attempts[:] = [
        structs.replace(one, needed=needed, became=became) if one.became is Became.ANSWERED else one
        for one in asking.attempts
    ]
    if not sure:
        asking.shortfall.append(unsure(asking.best))
    routed = choose_route(
        answered=True,
        sure=sure,
        verdicts=draft.verdicts,
        shortfall=asking.shortfall,
        person=asking.person,
        stopped="",
        certified=asking.best.certified,
    )
    return structs.replace(draft, asked=asked, routed=routed)


def _why_not_in_turn(asked: Asked, asking: Asking) -> str:
    """Why nothing is certified now of an answer after those that were passed over before it; empty if something is."""
    taken = next((at for at, one in enumerate(asking.attempts) if one.became is Became.ANSWERED), 0)
    for at, one in asking.heard.items():
        held = held_to_certificate(asked, one.component, one.digest, one.answer, one.exposure) if at < taken else None
        if held is not None and (why := why_broken_off(asked, one.component, one.digest, held)):
            return why
    return ""
