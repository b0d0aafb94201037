"""What becomes of a decision that needs a person while no person can look at it. Pure.

INVARIANT: where nobody can look, nothing goes by itself that would not have gone by itself anyway: it is held, or it is
no. There is no third way, and no component is asked to stand in for a person. A point that declares its autonomy is
always held: a no, too, is a decision that its certificate would have to allow. So is one of the control group, which
a person takes.
"""

from __future__ import annotations

import msgspec

from interlock.decisions.asked import Deferred
from interlock.decisions.decision import Reason, Route
from interlock.decisions.draft import Draft
from interlock.decisions.route import Routed

CODE = "queue-full"


def refused_when_full(draft: Draft, deferred: Deferred) -> Draft | None:
    """The same decision as a no, where its queue is full and its file says so; None: it is held.

    Args:
        draft: What needs a person.
        deferred: Why it cannot be decided now.
    """
    full = draft.asked.point.queue.full
    if not full.reject or deferred.code != CODE or deferred.held_by is not None:
        return None
    if (
        draft.asked.is_control
        or draft.routed.route is not Route.REVIEW
        or draft.asking.stopped
        or draft.asked.point.autonomy is not None
    ):
        return None
    reason = Reason(code="queue_full", what=f"{deferred.why}; its file says no then")
    return msgspec.structs.replace(draft, routed=Routed(Route.REJECT, (*draft.routed.reasons, reason)))
