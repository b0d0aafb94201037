"""What a stop or a dead-man term names, and what a decision bears. Pure.

A scope is ``everything`` or ``kind:name``. An action or a decision bears several; a stop that names one of them holds
it. What an action bears stands in ``actions/scopes.py``.
"""

from __future__ import annotations

from collections.abc import Collection

from interlock.errors import Refused

EVERYTHING = "everything"
INSTALLATION = "installation"
"""How people write "everything, in every tenant"."""
TENANT = "tenant"
KINDS = ("workflow", "point", "component", "connector", "action", "domain", "agent")


def check_scope(scope: str) -> str:
    """A scope that can be stopped within a tenant: ``everything`` or ``kind:name``.

    Raises:
        Refused: no such kind, or no name.
    """
    kind, _, name = scope.partition(":")
    if scope != EVERYTHING and (kind not in KINDS or not name.strip()):
        raise Refused(
            f"{scope[:80]!r} is nothing that can be stopped",
            where="scope",
            todo="write everything, workflow:NAME, point:WORKFLOW.POINT, component:REF, connector:NAME, "
            "action:WORKFLOW.NAME, domain:NAME or agent:NAME",
        )
    return scope


def is_of_the_installation(scope: str) -> bool:
    """Whether only an operator of the installation may stop it: ``installation``, or ``tenant:NAME``."""
    return scope == INSTALLATION or scope.startswith(f"{TENANT}:")


def holds(stopped: str, scopes: Collection[str]) -> bool:
    """Whether a stop of one scope holds what bears these: a tenant's stop holds what a stop of everything does."""
    return stopped in scopes or (stopped.startswith(f"{TENANT}:") and EVERYTHING in scopes)


def component_scopes(component: str) -> tuple[str, ...]:
    """By which names a component is stopped: its own, and with a dotted version those of its lines.

    A stop of ``component:rules:approve@1`` holds what ``rules:approve@1.2`` decides.
    """
    scopes = [f"component:{component}"]
    name, mark, version = component.rpartition("@")
    while mark and "." in version:
        version = version.rpartition(".")[0]
        scopes.append(f"component:{name}@{version}")
    return tuple(scopes)


def decision_scopes(*, workflow: str, point: str, component: str, caller: str) -> tuple[str, ...]:
    """What a decision bears.

    Args:
        workflow: Its workflow.
        point: The point's full name, ``workflow.point``.
        component: Whose answer it is or would be.
        caller: Who asks, or who submitted its case; empty if nobody is known.
    """
    agent = (f"agent:{caller}",) if caller else ()
    return (EVERYTHING, f"workflow:{workflow}", f"point:{point}", *component_scopes(component), *agent)
