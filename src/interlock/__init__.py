"""Interlock: the production control plane for AI decisions.

The face of a workflow: ``from interlock import Case, Money, workflow``. It is loaded when it is asked for, so that
small tools of this package start quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.cases.case import Case
    from interlock.cases.requests import Decided, Fact
    from interlock.cases.workflow import workflow
    from interlock.client import AsyncClient, Client
    from interlock.errors import (
        ActionFailed,
        CaseFailed,
        ContractViolated,
        DecisionRejected,
        EventLate,
        InterlockError,
        StepFailed,
    )
    from interlock.money import Money

__all__ = [
    "ActionFailed",
    "AsyncClient",
    "Case",
    "CaseFailed",
    "Client",
    "ContractViolated",
    "Decided",
    "DecisionRejected",
    "EventLate",
    "Fact",
    "InterlockError",
    "Money",
    "StepFailed",
    "workflow",
]

_HOMES = {
    "AsyncClient": "interlock.client",
    "Client": "interlock.client",
    "Case": "interlock.cases.case",
    "Decided": "interlock.cases.requests",
    "Fact": "interlock.cases.requests",
    "workflow": "interlock.cases.workflow",
    "Money": "interlock.money",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'interlock' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "interlock.errors")), name)
