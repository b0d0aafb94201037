"""The terms on which a workflow may act: where to, up to what, for how long, and how to take it back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import msgspec

from interlock.actions.failure import ErrorRule, FailureClass, Retry
from interlock.guards.limits import CaseBudget, Limits, OverLimit

TIMEOUT = timedelta(seconds=10)
"""How long one attempt may take where the file does not say."""
ATTEMPTS = 8
"""How many attempts are made where the file does not say."""
DEADLINE = timedelta(hours=24)
"""How long after it was intended an action may still begin where the file does not say."""


class ActionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow's file says about one action.

    Attributes:
        name: Its name in the file, by which the workflow's code asks for it.
        connector: The name of the connector in the settings that carries it out.
        domain: What it does, as stops and certificates name it: ``payments.reimburse``.
        limits: How much and how often; at least one limit is set.
        over_limit: What becomes of an action that would pass a limit that will have room again.
        budget: What one case of the workflow may use up, over all its actions.
        timeout: How long one attempt may take, from connecting to the last byte of the answer.
        attempts: How many attempts are made, the first included, while failures are transient.
        retry: The pauses between attempts; None: the usual ones.
        errors: How errors are taken, by the connector's code for them, where not as the connector says.
        deadline: How long after it was intended the action may still begin.
        undo: The name of the action that takes this one back; empty if there is none.
        rests_on: The decision point whose decision must be named when it is asked for; empty: none need be.
        purpose: For what it sends personal data; empty: what it sends may hold none.
        no_undo: Why there is none; empty if ``undo`` is set or if this action is itself the undoing of another.
    """

    name: str
    connector: str
    domain: str
    limits: Limits
    over_limit: OverLimit = OverLimit.FAIL
    budget: CaseBudget = CaseBudget()
    timeout: timedelta = TIMEOUT
    attempts: int = ATTEMPTS
    retry: Retry | None = None
    errors: Mapping[str, ErrorRule] = MappingProxyType({})
    deadline: timedelta = DEADLINE
    undo: str = ""
    rests_on: str = ""
    purpose: str = ""
    no_undo: str = ""

    def through(self, connector: str) -> ActionTerms:
        """These terms for an action that is on record with a connector, whichever the file in force names by now.

        INVARIANT: a request, its lost answer, its repetition and its stops belong to one outside system. What the file
        says about the errors of another one is not believed of this one, save that they leave a doubt.
        """
        if connector == self.connector:
            return self
        careful = {code: rule for code, rule in self.errors.items() if rule.taken_as is FailureClass.IN_DOUBT}
        return msgspec.structs.replace(self, connector=connector, errors=careful)
