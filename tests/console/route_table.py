"""The console's routes as the application has them, with what each is filled with: a new one cannot be forgotten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar.routes import HTTPRoute

from interlock.console.app import create_site
from interlock.node import Node

SCRIPT = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
NOBODY = UUID(int=0)
_PARAMETER = re.compile(r"{(\w+):(\w+)}")
_NAMED = re.compile(r"{(review_id|shown)}")

FORMS: Mapping[str, Mapping[str, str]] = {
    "/console/autonomy/{name:str}/certify": {"at": "2026-11-01T00:00:00+00:00", "data": "0" * 64, "turn": "0"},
    "/console/autonomy/{name:str}/withdraw": {"why": SCRIPT},
    "/console/bulk": {"resolution": "approve", "reason_approve": "as_proposed", "item": "{review_id} {shown}"},
    "/console/capacity/hold": {"queue": "default", "hold": "yes", "why": SCRIPT},
    "/console/cases/{case_id:uuid}/cancel": {"why": SCRIPT},
    "/console/cases/{case_id:uuid}/take-back": {"why": SCRIPT},
    "/console/decisions/{decision_id:uuid}/outcome": {"proposal": "right", "why": SCRIPT, "shown": "0" * 64},
    "/console/exceptions/groups/{fingerprint:uuid}": {"way": "abandon", "why": SCRIPT, "confirmed": "abandon"},
    "/console/exceptions/{exception_id:uuid}": {"way": "abandon", "why": SCRIPT},
    "/console/me/others": {},
    "/console/me/preferences": {"theme": "dark"},
    "/console/me/sessions/{session:uuid}": {},
    "/console/password": {"present": "x", "password": "eight herons at dusk", "again": "eight herons at dusk"},
    "/console/people": {"name": "eve2", "display": SCRIPT, "email": "", "teams": "", "role": "admin"},
    "/console/people/{person:uuid}": {"display": SCRIPT, "was": "x", "role": "admin"},
    "/console/people/{person:uuid}/disable": {},
    "/console/people/{person:uuid}/enable": {},
    "/console/people/{person:uuid}/password": {},
    "/console/people/{person:uuid}/sign-out": {},
    "/console/personal/{kind:str}/{record_id:uuid}": {"purpose": "support"},
    "/console/practice/begin": {"at": "refund_orders.approve"},
    "/console/practice/give": {"person": "eve3", "at": "refund_orders.approve", "why": SCRIPT},
    "/console/practice/lessons": {"review": "{review_id}", "explanation": SCRIPT},
    "/console/practice/lessons/{review_id:uuid}/withdraw": {},
    "/console/practice/take": {"person": "eve3", "at": "refund_orders.approve", "why": SCRIPT},
    "/console/practice/{attempt_id:uuid}": {"resolution": "approve", "reason_approve": "as_proposed", "note": ""},
    "/console/quality/remark": {"remark": SCRIPT},
    "/console/quarantine/{quarantine_id:uuid}/discard": {"why": SCRIPT},
    "/console/quarantine/{quarantine_id:uuid}/release": {
        "data": '{"customer": "Ana", "amount": "5.00", "days_since_purchase": 3}'
    },
    "/console/queue/next": {"query": ""},
    "/console/queue/views": {"name": SCRIPT[:60], "query": "kind=review"},
    "/console/queue/views/{view:uuid}/forget": {},
    "/console/reviews/{review_id:uuid}/decide": {
        "resolution": "approve", "reason_approve": "as_proposed", "note": "", "confirmed": "", "then": "stay",
        "shown": "{shown}",
    },
    "/console/reviews/{review_id:uuid}/personal": {"purpose": "support"},
    "/console/reviews/{review_id:uuid}/undo": {},
    "/console/sign-in": {"name": "nobody", "password": "x"},
    "/console/sign-out": {},
    "/console/stops": {"scope": "workflow:refund_orders", "why": SCRIPT},
    "/console/stops/terms": {"scope": "workflow:refund_orders", "why": SCRIPT},
    "/console/stops/{stop_id:uuid}/lift": {"why": SCRIPT},
    "/console/tasks/{task_id:uuid}/answer": {"text": SCRIPT},
    "/console/tasks/{task_id:uuid}/ask": {"to": "ana", "question": SCRIPT},
    "/console/tasks/{task_id:uuid}/assign": {"to": "ana", "note": SCRIPT},
    "/console/tasks/{task_id:uuid}/claim": {},
    "/console/tasks/{task_id:uuid}/escalate": {"to": "ana", "why": SCRIPT},
    "/console/tasks/{task_id:uuid}/extend": {},
    "/console/tasks/{task_id:uuid}/note": {"text": SCRIPT},
    "/console/tasks/{task_id:uuid}/release": {},
    "/console/tasks/{task_id:uuid}/snooze": {"length": "1h", "why": SCRIPT},
}  # fmt: skip
"""A good form of every route that changes something, by its path: what is refused is not refused for its form."""


@dataclass(frozen=True, slots=True)
class Way:
    """One method of one route.

    Attributes:
        method: GET or POST.
        path: With the names of its parameters.
        opt: What it says of itself.
    """

    method: str
    path: str
    opt: Mapping[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its ids."""
        return tuple(name for name, kind in _PARAMETER.findall(self.path) if kind == "uuid")

    def fill(self, ids: Mapping[str, object]) -> str:
        """Its address with these ids; what none of them is for is nobody's."""
        return _PARAMETER.sub(lambda found: str(ids.get(found[1], NOBODY if found[2] == "uuid" else "x")), self.path)

    def form(self, ids: Mapping[str, object]) -> dict[str, str]:
        """Its form with these ids."""
        known = {name: str(value) for name, value in ids.items()}
        return {
            name: _NAMED.sub(lambda found: known.get(found[1], "x"), text) for name, text in FORMS[self.path].items()
        }


def ways_of(node: Node) -> list[Way]:
    """Every way into the console, as the application answers it."""
    found: list[Way] = []
    for route in create_site(node).app.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith("/console"):
            for handler in route.route_handlers:
                methods = sorted(set(map(str, handler.http_methods)) - {"OPTIONS", "HEAD"})
                found += [Way(method, route.path, handler.opt) for method in methods]
    return sorted(found, key=lambda way: (way.path, way.method))
