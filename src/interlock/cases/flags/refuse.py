"""Refuses what workflow code would ask of OpenFeature itself: the answer would be on no record, and another on replay.

OpenFeature asks for the context of the transaction at the beginning of every evaluation, before anything of a provider
runs. Whoever sets a propagator of their own in this process takes its place; the check of the workflow's code stays.
"""

from __future__ import annotations

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.transaction_context import ContextVarsTransactionContextPropagator

from interlock.cases.guard import workflow_here
from interlock.errors import WorkflowMisuse


class NotInWorkflows(ContextVarsTransactionContextPropagator):
    """OpenFeature's own propagator, outside of workflows."""

    def get_transaction_context(self) -> EvaluationContext:
        """The context of the transaction.

        Raises:
            WorkflowMisuse: workflow code evaluates a flag.
        """
        name = workflow_here()
        if name:
            raise WorkflowMisuse(
                f"the workflow {name} evaluated a flag past its journal", todo="await case.flag(name, default)"
            )
        return super().get_transaction_context()


def refuse_in_workflows() -> None:
    """Have OpenFeature refuse what workflow code asks of it. Once a process."""
    api.set_transaction_context_propagator(NotInWorkflows())
