"""Reading facts: once as a step, when a decision is to rest on them, and anew before an action begins because of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from interlock.actions.action import Action
from interlock.actions.connector import FactReader, Read, Unknown
from interlock.actions.outcome import Finished, Later, give_up
from interlock.actions.stale import Assumed, Change, Stale, assumed_of, is_same, stale
from interlock.cases.driver import decode
from interlock.cases.fact_entry import FactTerms
from interlock.cases.held import CaseStuck, Held, Tools
from interlock.cases.journal import encode
from interlock.cases.requests import Fact
from interlock.errors import WorkflowMisuse

LARGEST_FACT = 100_000
"""Bytes of a fact's value. A fact is a state to compare, not a document."""

_ROOM_TO_ANSWER_S = 0.5
_LEAST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class FactRead:
    """A fact as it is now.

    Attributes:
        value: JSON.
        read_at: When the reading began, UTC.
    """

    value: Any
    read_at: datetime


async def read_fact(held: Held, tools: Tools, name: str, parameters: Mapping[str, Any]) -> FactRead | Later:
    """Read a fact through its connector, within its deadline.

    Raises:
        WorkflowMisuse: the workflow's file declares no such fact.
        CaseStuck: the settings have no connector that could read it, or what it read is no JSON of a fact's size.
    """
    terms = held.declaration.facts.get(name)
    if terms is None:
        known = ", ".join(sorted(held.declaration.facts)) or "none"
        raise WorkflowMisuse(f"the workflow's file declares no fact {name!r}", todo=f"it declares {known}")
    reader, boundaries = _reader(tools, terms), tools.dispatcher.boundaries
    async with boundaries.reading(terms.connector) as busy:
        read_at = tools.database.clock.now()
        refusal = busy or await boundaries.may_ask(terms.connector, terms.timeout, read_at)
        if refusal:
            return _later(tools, name, refusal.what, refusal.until)
        found = await _ask(reader, terms, parameters, read_at)
    await boundaries.note(terms.connector, found, read_at)
    if not isinstance(found, Read):
        return _later(tools, name, found.what)
    return FactRead(_as_json(name, found.value), read_at)


async def _ask(
    reader: FactReader, terms: FactTerms, parameters: Mapping[str, Any], read_at: datetime
) -> Read | Unknown:
    """Make the outside call, within its deadline. Whatever the connector does, the fact is read or not known."""
    try:
        async with asyncio.timeout(terms.timeout.total_seconds() + _ROOM_TO_ANSWER_S):
            return await reader.read_fact(terms.read, parameters, read_at + terms.timeout)
    except TimeoutError:
        return Unknown("no answer within its time")
    except Exception as cause:  # noqa: BLE001 - whatever a connector raises, the fact is not known now
        return Unknown(f"{type(cause).__name__}: {cause}")


async def recheck(held: Held, tools: Tools, action: Action) -> Stale | Later | Finished | None:
    """Read anew what an action's decision assumed: see ``interlock.actions.stale.Recheck``.

    INVARIANT: an action whose facts cannot be read does not begin.
    """
    assumed = assumed_of(action.facts)
    if not assumed:
        return None
    read = await asyncio.gather(*(read_fact(held, tools, fact.name, fact.parameters) for fact in assumed))
    changes: list[Change] = []
    later: list[Later] = []
    for fact, now in zip(assumed, read, strict=True):
        if isinstance(now, Later):
            later.append(now)
        elif not is_same(fact.value, now.value, held.declaration.facts[fact.name].tolerance):
            changes.append(Change(fact=fact, now=now.value))
    if changes:
        return stale(action, held.holder, "; ".join(map(str, changes)), tuple(changes))
    if later and tools.database.clock.now() > action.deadline:
        why = f"the time in which {action.name} may begin ended at {action.deadline:%Y-%m-%d %H:%M} UTC, and "
        return give_up(action, held.holder, why + later[0].why, doubtful=False)
    return later[0] if later else None


def as_fact(name: str, parameters: Mapping[str, Any], read: FactRead, place: str) -> Fact:
    """A fact as workflow code sees it: at first the same as on replay."""
    return Fact(name, decode(encode(parameters)), read.value, read.read_at, place)


def facts_of(held: Held, point: str, facts: Sequence[Fact]) -> bytes | None:
    """The facts that a decision assumes, as they are kept with it.

    Raises:
        WorkflowMisuse: one of them is none that this case read.
    """
    for fact in facts:
        if not isinstance(fact, Fact) or fact.name not in held.declaration.facts:  # pyright: ignore[reportUnnecessaryIsInstance] - workflow code is not type-checked
            raise WorkflowMisuse(
                f"{point} assumes what is no fact of this workflow", todo='pass what "await case.fact(...)" gave'
            )
    kept = [
        Assumed(
            name=fact.name,
            parameters=dict(fact.parameters),
            value=fact.value,
            read_at=fact.read_at,
            place=fact.place,
        )
        for fact in facts
    ]
    return encode(kept) if kept else None


def _reader(tools: Tools, terms: FactTerms) -> FactReader:
    connector = tools.connectors.get(terms.connector)
    if connector is None:
        raise CaseStuck(
            "connector-missing",
            f"the settings have no connector {terms.connector!r}, which the fact {terms.name} is read through",
        )
    if not isinstance(connector, FactReader):
        raise CaseStuck("fact-unreadable", f"the connector {terms.connector} reads no facts; {terms.name} needs it to")
    return connector


def _later(tools: Tools, name: str, why: str, until: datetime | None = None) -> Later:
    pause = timedelta(seconds=random.uniform(_LEAST_PAUSE_S, _LONGEST_PAUSE_S))  # noqa: S311 - jitter
    return Later(until or tools.database.clock.now() + pause, f"the fact {name} cannot be read now: {why}")


def _as_json(name: str, value: Any) -> Any:
    """A value as JSON and back, so that it is the same at first as on replay."""
    try:
        data = encode(value)
    except WorkflowMisuse as cause:
        raise CaseStuck("fact-unreadable", f"the fact {name}: {cause.what}") from cause
    if len(data) > LARGEST_FACT:
        raise CaseStuck("fact-unreadable", f"the fact {name} has {len(data)} bytes; at most {LARGEST_FACT} may be read")
    return decode(data)
