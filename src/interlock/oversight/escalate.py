"""Escalating: measure what the workflows' files tolerate, and do what they say. No person is needed, and none is asked.

Every process that carries workflows calls ``escalate`` every few seconds. INVARIANT: a rule fires once however many
processes measure at the same time and wherever one of them dies: its stop, its new state, its entry and the key of its
turn are one commit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from interlock.db.database import SET_TENANT, Database
from interlock.db.gates import TakesKey, key_digest
from interlock.db.queries import encode_rows, load_queries
from interlock.db.work import Stamp, Unit, Write
from interlock.db.writer import Writer
from interlock.errors import InterlockError, StateConflict
from interlock.guards.gate import STOPS_BY_ITSELF
from interlock.guards.stops import stop
from interlock.ledger.ledger import first_entry, further_entry
from interlock.oversight.escalation import (
    Escalated,
    EscalationRule,
    EscalationState,
    Response,
    next_state,
)

log = logging.getLogger("interlock.escalation")


class MeasuredRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as SQL measures it; ``seconds`` and ``sample`` are 0 where its measure has none."""

    id: UUID
    workflow: str
    measure: str
    seconds: float
    sample: int


class MeasuredValue(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule measures now; None: too little is known."""

    id: UUID
    value: int | None


class EscalatedRow(Escalated, frozen=True, kw_only=True):
    """Where a rule stands: fields as in ``Escalated``."""

    id: UUID


class NewTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's new state."""

    id: UUID
    tenant: UUID
    workflow: str
    rule: str
    turn: int
    state: EscalationState
    value: int
    stop: UUID | None
    changed_at: datetime


_SQL = load_queries(__file__)
TRY_TO_ESCALATE = _SQL.rows("try_to_escalate", bool)
TENANTS_OF_WORKFLOWS = _SQL.rows("tenants_of_workflows", UUID)
MEASURED = _SQL.rows("measured", MeasuredValue)
ESCALATED = _SQL.rows("escalated", EscalatedRow)
TURN_ESCALATIONS = _SQL.bulk("turn_escalations", NewTurn, distinct=("id",))


@dataclass(frozen=True, slots=True)
class Turn:
    """A rule that is to change its state in a tenant.

    Attributes:
        tenant: Where.
        rule: Which.
        last: Where it stood when it was measured; None: it never fired.
        state: Its new state.
        value: What was measured; 0 where nothing could be.
    """

    tenant: UUID
    rule: EscalationRule
    last: Escalated | None
    state: EscalationState
    value: int

    @property
    def number(self) -> int:
        """Which turn of the rule it is, from 1."""
        return self.last.turn + 1 if self.last else 1

    @property
    def why(self) -> str:
        """Which rule of which file, and what was measured, in a sentence."""
        return f"{self.rule.workflow} has {self.rule.when} in its file, and it was {self.rule.shown(self.value)}"


async def escalate(database: Database, writer: Writer, rules: Sequence[EscalationRule]) -> int:
    """Measure every rule in every tenant once, and do what follows; how many turns were taken.

    Args:
        database: To measure.
        writer: For the commits.
        rules: Those of the workflows' files in force.
    """
    taken = 0
    for turn in await measure(database, rules):
        try:
            taken += await take_turn(database, writer, turn)
        except InterlockError as cause:  # the other tenants' and workflows' turns do not wait for this one's
            log.warning("%s, and nothing could be done about it yet: %s", turn.why, cause)
    return taken


async def measure(database: Database, rules: Sequence[EscalationRule]) -> list[Turn]:
    """The rules that are to change their state; none where another process is measuring at this moment."""
    found: list[Turn] = []
    names = sorted({rule.workflow for rule in rules})
    async with database.installation() as connection, connection.transaction():
        if not await TRY_TO_ESCALATE.one(connection):
            return []
        for tenant in await TENANTS_OF_WORKFLOWS.all(connection, {"workflows": names}):
            await SET_TENANT.all(connection, {"tenant": str(tenant)})
            known = {rule.id_in(tenant): rule for rule in rules}
            asked = encode_rows(measured_rule(identifier, rule) for identifier, rule in known.items())
            values = {row.id: row.value for row in await MEASURED.all(connection, {"rules": asked})}
            stand = {row.id: row for row in await ESCALATED.all(connection, {"ids": list(known)})}
            for identifier, rule in known.items():
                value, last = values[identifier], stand.get(identifier)
                if state := next_state(rule, value, last):
                    found.append(Turn(tenant, rule, last, state, value or 0))
    return found


async def take_turn(database: Database, writer: Writer, turn: Turn) -> bool:
    """Change a rule's state and do what that means; False: another process was faster.

    A stop is in force for every dispatch that begins after this returns, on any worker, whether or not anybody hears
    of it.
    """
    key = f"{turn.rule.id_in(turn.tenant)}/{turn.number}"
    conditions = (TakesKey(key_digest(turn.tenant, "escalation", key), payload=UUID(int=0)),)
    if turn.state is EscalationState.FIRED and turn.rule.do is not Response.NOTIFY:
        until = database.clock.now() + turn.rule.pause if turn.rule.pause else None
        try:
            made = await stop(
                database,
                writer,
                turn.tenant,
                scope=f"workflow:{turn.rule.workflow}",
                who=STOPS_BY_ITSELF,
                why=turn.why,
                until=until,
                conditions=conditions,
                beside=lambda stamp, stop_id: _fired(turn, stamp, stop_id),
            )
        except StateConflict:
            return False
        log.warning("%s: stop %s until %s", turn.why, made.id, until or "somebody resumes it")
        return True
    return await _note(writer, turn, conditions)


async def _note(writer: Writer, turn: Turn, conditions: tuple[TakesKey, ...]) -> bool:
    """Record a turn that stops nothing."""

    def build(stamp: Stamp) -> Sequence[Write]:
        entry = first_entry(
            stamp, turn.tenant, f"escalation.{turn.state}", subject=turn.rule.id_in(turn.tenant), **_facts(turn)
        )
        return [_row(turn, stamp, None), entry]

    if await writer.write(Unit(turn.tenant, build, conditions)):
        return False
    if turn.state is EscalationState.FIRED:
        log.warning("%s", turn.why)
    else:
        log.info("escalation %s: %s", turn.state, turn.why)
    return True


def measured_rule(identifier: UUID, rule: EscalationRule) -> MeasuredRule:
    """A rule as the statement ``measured`` takes it."""
    return MeasuredRule(
        id=identifier,
        workflow=rule.workflow,
        measure=rule.measure,
        seconds=rule.window.total_seconds() if rule.window else 0.0,
        sample=rule.sample or 0,
    )


def _fired(turn: Turn, stamp: Stamp, stop_id: UUID) -> Sequence[Write]:
    rule = turn.rule.id_in(turn.tenant)
    entry = further_entry(stamp, turn.tenant, "escalation.fired", subject=rule, stop=stop_id, **_facts(turn))
    return [_row(turn, stamp, stop_id), entry]


def _row(turn: Turn, stamp: Stamp, stop_id: UUID | None) -> Write:
    row = NewTurn(
        id=turn.rule.id_in(turn.tenant),
        tenant=turn.tenant,
        workflow=turn.rule.workflow,
        rule=turn.rule.said,
        turn=turn.number,
        state=turn.state,
        value=turn.value,
        stop=stop_id,
        changed_at=stamp.now,
    )
    return Write(TURN_ESCALATIONS, row)


def _facts(turn: Turn) -> dict[str, Any]:
    """What the ledger keeps of a turn."""
    return {
        "workflow": turn.rule.workflow,
        "rule": turn.rule.said,
        "value": turn.rule.shown(turn.value),
        "turn": turn.number,
    }
