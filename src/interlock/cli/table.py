"""Every command: its name, the module that holds it, and its summary.

A module has an ``app``, made by ``interlock.cli.options.commands``, which holds a command or a group of that name. The
summary is the first line of its docstring (a test compares them); it stands here so that ``--help`` imports no module.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is and what it does, in a line."""

    module: str
    summary: str


TABLE: Mapping[str, Entry] = MappingProxyType(
    {
        "demo": Entry(
            "demo.command",
            "Run a workflow end to end: receipts paid once, or a month reconciled; the books of both sides must agree.",
        ),
        "up": Entry("up", "Run the API, and workers in processes of their own, until SIGTERM or Ctrl-C."),
        "stream": Entry("stream", "Run one stream of the settings in this process, until SIGTERM or Ctrl-C."),
        "streams": Entry(
            "streams", "Show how the streams stand: lag, under way, rate, quarantined, and what they wait for."
        ),
        "migrate": Entry("migrate", "Bring the database to the schema that this version needs."),
        "doctor": Entry("doctor", "Check settings, database, workers, workflows and connectors."),
        "submit": Entry("submit", "Submit many cases from a file of JSON or JSON lines."),
        "decide": Entry("deciding", "Decide every row of a table through one decision point."),
        "reconcile": Entry(
            "reconcile", "Reconciliation: take statements in, match them, explain what is open, close to the cent."
        ),
        "cases": Entry("cases", "List cases, the newest first."),
        "case": Entry("cases", "Show one case with everything that is recorded of it."),
        "summary": Entry("cases", "Count cases by workflow, state and conclusion, with the money in them."),
        "recall": Entry(
            "recall", "Recall what was decided by something wrong: list it, stop it, take it back, decide it anew."
        ),
        "lineage": Entry(
            "lineage",
            "Trace an action to its sources, a source to all that it influenced; export both as OpenLineage events.",
        ),
        "explain": Entry(
            "explain", "Explain a case or a decision: what happened, why, and what would have changed it."
        ),
        "find": Entry("find", "Find decisions by field, version, person, amount and time; all conditions must hold."),
        "replay": Entry(
            "replay", "Make recorded decisions again with the versions that made them, and compare each stage."
        ),
        "backtest": Entry(
            "backtest", "Try another model, rules, threshold or certificate on decisions whose outcomes are known."
        ),
        "work": Entry("work", "List what needs a person's decision in its order, or take the next of it."),
        "reviews": Entry("reviews", "List the reviews that wait, the most expected loss first."),
        "review": Entry("reviews", "Show one review: why, evidence, proposal and choices."),
        "capacity": Entry(
            "capacity",
            "Show what waits, who works, when that breaks its promise and whom it needs; hold or relieve a queue.",
        ),
        "practice": Entry("practice", "Practice: who may decide by it, and what is practised on."),
        "autonomy": Entry("autonomy", "How much may be decided without a person, and what that rests on."),
        "quality": Entry("quality", "Quality of oversight: known cases, and the figures of those who decide."),
        "claim": Entry("reviews", "Take a review to work on it."),
        "release": Entry("reviews", "Give a claimed review back to the queue."),
        "extend": Entry("tasks", "Keep your claim of a review or an exception for longer."),
        "snooze": Entry("tasks", "Put a review or an exception off until a time; its deadline stays."),
        "wake": Entry("tasks", "Let what was put off wait in the queue again."),
        "assign": Entry("tasks", "Give a review or an exception to one person."),
        "ask": Entry("tasks", "Ask somebody about a review or an exception; it is parked until they answer."),
        "answer": Entry("tasks", "Answer what was asked about a review or an exception."),
        "escalate": Entry("tasks", "Hand a review or an exception up: to a person who leads, or to a team."),
        "note": Entry("tasks", "Leave a note at a review or an exception."),
        "undo": Entry("tasks", "Take your verdict on a review back while it is held."),
        "bulk": Entry("tasks", "Say the same of several reviews that are alike."),
        "resolve": Entry("resolve", "Decide a review: approve it, change it or reject it."),
        "exceptions": Entry("exceptions", "List the open exceptions, the highest priority first."),
        "exception": Entry("exceptions", "Show one exception with its captured state."),
        "resolve-exception": Entry("exceptions", "Resolve an exception; its case goes on or is cancelled."),
        "quarantine": Entry("quarantine", "Data that broke their contract: list, show, mend, release, discard them."),
        "data": Entry("data", "The data that decisions rest on: how fresh and complete they are."),
        "limits": Entry(
            "limits", "Show what each limit holds now: used, reserved, left, and when there is room again."
        ),
        "outcomes": Entry("outcomes", "What became of decisions: add, show, list what is missing, settle."),
        "costs": Entry("costs", "Show what decisions cost: money, tokens, processor time and the time of people."),
        "value": Entry(
            "value",
            "Show what a workflow's work is worth, costs and loses, against what was before.",
        ),
        "cascade": Entry("cascade", "Cascades of components: tune their thresholds, and see what they save and lose."),
        "ledger": Entry("ledger", "The ledger: how it stands, proofs for an auditor, its audit and its keys."),
        "stop": Entry("stops", "Stop a scope: nothing in it is dispatched any more."),
        "stops": Entry("stops", "List the stops in force, or show one with the calls that are still under way."),
        "resume": Entry("stops", "Lift a stop, or every stop of a scope; what it held goes on within a second."),
        "deadman": Entry(
            "dead_man", "Let a scope stop by itself unless it is authorized in time; end such a term; list them."
        ),
        "authorize": Entry("dead_man", "Authorize a scope that has a dead-man term for another term, from now."),
        "connectors": Entry("connectors", "List the connectors: circuit, failures, what is under way and what waits."),
        "circuit": Entry("connectors", "The circuit breaker of a connector: open and close it by hand."),
        "features": Entry("features", "Features: load their values, and see one as it was known at a moment."),
        "subject": Entry("subject", "One person's data as a whole: show, export, erase and hold them; renew the keys."),
        "notices": Entry("notices", "Notices: list what people were told of, try a channel, send again."),
        "policies": Entry("policies", "Who may do what: show the policies, check them, test them, ask them."),
        "keys": Entry("keys", "API keys: add, list and revoke them."),
        "people": Entry("people", "People: add, list and change them, their passwords and sessions."),
        "tenants": Entry("tenants", "Tenants: add and list them."),
        "workflow": Entry("check", "Workflow files: check one before it is used."),
        "contract": Entry("check", "Contract files: check one before it is used."),
        "rules": Entry("rules", "Rules: check and test files, publish versions, compare and revert them."),
        "contracts": Entry(
            "contracts", "Published contracts: check what a version breaks, publish, list and show them."
        ),
        "publish": Entry(
            "publish", "Publish rules and contracts, contracts first; what is published already is passed over."
        ),
        "evaluate": Entry("evaluate", "Measure a pack against labelled data."),
    }
)
