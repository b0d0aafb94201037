"""The step at which workflow code asks for a person: the case becomes an exception, and their answer is its result."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.cases.held import CaseStuck
from interlock.cases.journal import Place, StepState
from interlock.cases.recording import Recording
from interlock.cases.requests import Ask
from interlock.db.text import storable
from interlock.db.work import Stamp, Write
from interlock.errors import WorkflowMisuse


def asking(steps: Recording, request: Ask, place: Place) -> CaseStuck:
    """What stops the case until somebody answers.

    The pending step and the exception are one commit. An answer makes the step a done one, so that a case comes here
    again with the step still pending only if its exception was ended in another way; then it is asked again.

    Raises:
        WorkflowMisuse: the workflow's file names no contract of an answer to this kind.
    """
    contract = steps.held.declaration.answers.get(request.name)
    if contract is None:
        known = ", ".join(sorted(steps.held.declaration.answers)) or "none"
        raise WorkflowMisuse(
            f"the workflow's file declares no exception {request.name!r} with an answer", todo=f"it declares {known}"
        )

    def build(stamp: Stamp) -> Sequence[Write]:
        return [
            steps.row(request, place, stamp, StepState.PENDING),
            steps.entry(stamp, "step.pending", place, name=request.name),
        ]

    steps.note_exposure(request.exposure)
    what = storable(request.what)
    return CaseStuck(request.name, what, writes=build, place=place, asks=contract, group=request.group)
