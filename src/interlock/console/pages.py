"""The routes of the pages on which people look into cases, decisions, actions, data, rules, stops and the ledger."""

from __future__ import annotations

from interlock.console.actions import ROUTES as ACTIONS
from interlock.console.breaks import ROUTES as BREAKS
from interlock.console.case import ROUTES as CASE
from interlock.console.cases import ROUTES as CASES
from interlock.console.contracts import ROUTES as CONTRACTS
from interlock.console.decision import ROUTES as DECISION
from interlock.console.decisions import ROUTES as DECISIONS
from interlock.console.in_ledger import ROUTES as IN_LEDGER
from interlock.console.ledger import ROUTES as LEDGER
from interlock.console.overview import ROUTES as OVERVIEW
from interlock.console.personal import ROUTES as PERSONAL
from interlock.console.quarantine import ROUTES as QUARANTINE
from interlock.console.rules import ROUTES as RULES
from interlock.console.stops import ROUTES as STOPS
from interlock.console.value import ROUTES as VALUE
from interlock.console.workflows import ROUTES as WORKFLOWS

ROUTES = (
    *OVERVIEW, *WORKFLOWS, *CASES, *CASE, *DECISIONS, *DECISION, *ACTIONS, *QUARANTINE, *CONTRACTS, *RULES, *STOPS,
    *LEDGER, *IN_LEDGER, *PERSONAL, *BREAKS, *VALUE,
)  # fmt: skip
"""All of them."""
