"""What those answered whose answers were not taken: kept with the decision, so that they can be judged, too. Pure.

When it becomes known what was right, it is known of each of them whether it had been. From that follows which step of a
cascade may answer alone, and what a cascade saves and loses.
"""

from __future__ import annotations

from msgspec import UNSET, structs

from interlock.autonomy.truth import states_otherwise
from interlock.decisions.ask import Asking, Proposal
from interlock.decisions.asked import Asked
from interlock.decisions.decision import ComponentAsked


def keep_passed_over(asked: Asked, asking: Asking) -> None:
    """Note with each attempt what was answered, where another one's answer was taken.

    Args:
        asked: What was asked; at a point that does not declare its autonomy nothing is kept.
        asking: The course, once it is over.
    """
    best, terms = asking.best, asked.point.autonomy
    if best is None or terms is None:
        return
    for at, proposal in asking.heard.items():
        if proposal is not best:
            asking.attempts[at] = _noted(asked, asking.attempts[at], proposal, best, terms.outcome.fields)


def _noted(
    asked: Asked, attempt: ComponentAsked, proposal: Proposal, best: Proposal, fields: tuple[str, ...]
) -> ComponentAsked:
    contract = asked.library.contract(asked.point.output)
    mine, taken = proposal.answer.output, best.answer.output
    alike = not states_otherwise(mine, taken, contract.record, fields or tuple({**mine, **taken}))
    plain = asked.veil is None and contract.personal is None
    other = proposal.exposure != best.exposure
    return structs.replace(
        attempt,
        alike=alike,
        output=mine if plain and not alike else UNSET,
        exposure=(str(proposal.exposure) if proposal.exposure is not None else "") if other else UNSET,
    )
