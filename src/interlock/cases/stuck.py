"""The exception that a case becomes when it cannot go on: with all that a person needs to decide. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from interlock.actions.action import Action, dead_at, last_sending
from interlock.cases.held import CaseStuck, Held, Tools
from interlock.cases.journal import Place, encode
from interlock.db.gates import short_digest
from interlock.db.text import storable
from interlock.db.work import Stamp
from interlock.oversight.review import WITHIN, urgency_of
from interlock.oversight.store import NewException

_IDS = re.compile(r"\b[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b")
_NUMBERS = re.compile(r"[0-9]+")
_LONGEST_WHAT = 2000
_LONGEST_TRACE = 8000


def exception_of(
    held: Held,
    tools: Tools,
    stamp: Stamp,
    kind: str,
    what: str,
    *,
    trace: str = "",
    place: Place | None = None,
    stuck: CaseStuck | None = None,
) -> NewException:
    """The row of an exception.

    Args:
        held: The case.
        tools: With the connectors, whose abilities say from when on it is safe to decide.
        stamp: Of the commit.
        kind: What kind of fact it is.
        what: What happened, in a sentence.
        trace: Where in the workflow's code, if it was there.
        place: The step at which the case stopped, if it was at one.
        stuck: What stopped it, if it was no error of the workflow's code.
    """
    case, declaration = held.case, held.declaration
    route = declaration.route_of(kind, case.input, held.exposure)
    action = stuck.action if stuck else None
    detail: dict[str, Any] = {"version": case.version, "run": case.run, "trace": storable(trace)[-_LONGEST_TRACE:]}
    if stuck and stuck.asks:
        detail |= {"asks": stuck.asks, "group": storable(stuck.group)}
    if action:
        detail |= {"action": _told(action), "safe_at": _safe_at(action, tools)}
    return NewException(
        id=stamp.new_id(),
        tenant=case.tenant,
        case_id=case.id,
        workflow=case.workflow,
        kind=kind,
        fingerprint=short_digest(case.workflow.encode(), kind.encode(), _cause(what, stuck)),
        priority=stuck.priority if stuck else 1,
        what=what[:_LONGEST_WHAT],
        detail=encode(detail),
        owner=route.owner if route else declaration.dossier.owner,
        urgency=urgency_of(held.exposure, None),
        due_at=stamp.now + (route.due if route and route.due else WITHIN),
        team=route.team if route else None,
        exposure_minor=held.exposure.minor if held.exposure else None,
        currency=held.exposure.currency if held.exposure else None,
        created_at=stamp.now,
        run=case.run,
        scope=place.scope if place else None,
        ordinal=place.ordinal if place else None,
        action=action.id if action else None,
    )


def _safe_at(action: Action, tools: Tools) -> datetime | None:
    """From when on no request of an action is under way any more; None: none was ever sent."""
    if action.sent_at is None:
        return None
    connector = tools.connectors.get(action.connector)
    return (dead_at(action, connector.abilities) if connector else None) or last_sending(action)


def _told(action: Action) -> dict[str, Any]:
    """What is known of an action, for whoever looks into the other side's own book."""
    return {
        "id": action.id,
        "name": action.name,
        "connector": action.connector,
        "key": action.outside_key,
        "amount": str(action.exposure) if action.exposure else None,
        "attempts": action.attempt,
        "sent_at": action.sent_at,
        "undo_of": action.undo_of,
    }


def _cause(what: str, stuck: CaseStuck | None) -> bytes:
    """What exceptions of one cause have in common: as the workflow's code says it, else the shape of what happened."""
    group = stuck.group if stuck else ""
    return b"group:" + encode(group) if group else _shape(what).encode()


def _shape(what: str) -> str:
    """A message without its numbers and ids, so that exceptions of one cause share a fingerprint."""
    return _NUMBERS.sub("#", _IDS.sub("#", what))[:200]
