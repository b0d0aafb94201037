"""By which names an action can be stopped. Pure; the SQL function ``stop_holds_action`` says the same of a row."""

from __future__ import annotations

from interlock.actions.action import Action
from interlock.guards.scope import EVERYTHING


def scopes_of(action: Action) -> tuple[str, ...]:
    """Every scope of which a stop holds the action.

    An action that rests on a decision is held with the decision's point and component. INVARIANT: what takes an effect
    back is held only by a stop that names that very action or its connector, so that whoever stops everything does not
    also stop the undoing of it.
    """
    own = (f"action:{action.workflow}.{action.name}", f"connector:{action.connector}")
    if action.undo_of is not None:
        return own
    found = [EVERYTHING, f"workflow:{action.workflow}", *own, f"domain:{action.domain}"]
    if action.caller:
        found.append(f"agent:{action.caller}")
    if action.point:
        found.append(f"point:{action.workflow}.{action.point}")
    if action.component:
        found.append(f"component:{action.component}")
    return tuple(found)
