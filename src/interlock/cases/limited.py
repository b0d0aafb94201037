"""What the workflows' files limit, by name, for those who show it."""

from __future__ import annotations

from collections.abc import Iterable

from interlock.cases.declaration import Declaration
from interlock.errors import NotFound
from interlock.guards.standing import Guarded
from interlock.spelling import meant


def limited(declarations: Iterable[Declaration], workflow: str = "") -> list[Guarded]:
    """The limits of every action and the budget of a case.

    Args:
        declarations: The workflows' files.
        workflow: Only of this workflow; empty: of all.

    Raises:
        NotFound: there is no such workflow.
    """
    known = list(declarations)
    if workflow and workflow not in {one.workflow for one in known}:
        names = sorted(one.workflow for one in known)
        todo = meant(workflow, names) if names else "list it in the settings, under workflows"
        raise NotFound(f"there is no workflow {workflow!r} here", where="workflow", todo=todo)
    chosen = [one for one in known if workflow in ("", one.workflow)]
    return [
        guarded
        for one in chosen
        for guarded in (
            Guarded(workflow=one.workflow, budget=one.budget),
            *(Guarded(workflow=one.workflow, action=terms.name, limits=terms.limits) for terms in one.actions.values()),
        )
    ]
