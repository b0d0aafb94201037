"""What tests of taking back share: a workflow's file with undos, a connector that refunds, and what the book says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from tests.pg.stage import DOSSIER, REFUNDS, Stage, payments

from interlock.cases.cancel import Cancelling, cancel_case
from interlock.cases.registry import Registered, register
from interlock.cases.workflow import Body, workflow
from interlock.connector_settings import ConnectorSettings
from interlock.oversight.exception import CaseException
from interlock.oversight.store import LIST_EXCEPTIONS
from interlock.sim import Entry, SimulatedProvider

_FILE = """\
workflow: {name}
contract: refund-request@1
{dossier}
{more}
decisions:
  approve:
    components: [rules:approve-refund@1, person]
    input: refund-request@1
    output: refund-decision@1
    review: ["exposure >= 100 EUR"]
actions:
  pay:
    connector: {connector}
    domain: payments.refund
    limits: {{each: 1000 EUR, per_case: 1000 EUR}}
    timeout: 2s
    attempts: 3
    undo: refund
  refund:
    connector: {undo_connector}
    domain: payments.refund
    limits: {{{undo_limits}}}
    timeout: 2s
    attempts: {undo_attempts}
  tell:
    connector: payments
    domain: payments.tell
    limits: {{rate: 1000/s}}
    timeout: 2s
    undo: {{none: what was said is said}}
"""


def undoable(
    body: Body,
    folder: Path,
    *,
    name: str = "",
    more: str = "",
    undo_attempts: int = 3,
    undo_limits: str = "each: 1000 EUR",
    version: str = "1.0.0",
    connector: str = "payments",
    undo_connector: str = "",
) -> Registered:
    """A workflow whose payments are taken back by refunds."""
    known = name or getattr(body, "__name__", "flow")
    file = folder / f"{known}.workflow.yaml"
    text = _FILE.format(
        name=known, dossier=DOSSIER, more=more, undo_attempts=undo_attempts, undo_limits=undo_limits,
        connector=connector, undo_connector=undo_connector or connector,
    )  # fmt: skip
    file.write_text(text)
    return register(workflow(known, version=version, file=file)(body), (REFUNDS,))


def refunding(url: str, **abilities: Any) -> ConnectorSettings:
    """The connector that pays, with a refund for each payment and a message that is a payment of one cent."""
    settings = payments(url, **abilities)
    pay: dict[str, Any] = settings.operations["pay"]
    pending = {"field": "state", "is": "pending"}
    refund: dict[str, Any] = {"method": "POST", "path": "/payments/{undoes.response.id}/refund", "pending": pending}
    if settings.can_look_up:
        match = {"payment": "{undoes.response.id}"}
        refund["look_up"] = {"path": "/refunds?key={key}", "match": match, "pending": pending}
    tell = {**pay, "body": {"to": "{to}", "amount": "0.01", "currency": "EUR", "reference": "told"}}
    if "look_up" in tell:
        tell["look_up"] = {**tell["look_up"], "match": {"to": "to"}}
    return msgspec.structs.replace(settings, operations={"pay": pay, "refund": refund, "tell": tell})


def took_effect(provider: SimulatedProvider, key: str) -> list[Entry]:
    """The payments of a case and their refunds, in the order of the book."""
    return [entry for entry in provider.book() if f"/{key}" in entry.key and entry.state in ("settled", "refunded")]


def story(provider: SimulatedProvider, key: str) -> list[str]:
    """The same in words: which payment, by the end of its key, and which refund."""
    return [f"{entry.kind} {entry.key.rpartition('/')[2]}" for entry in took_effect(provider, key)]


async def cancel(on: Stage, case_id: Any, *, who: str = "rosa", why: str = "it was a mistake") -> Cancelling:
    """Cancel a case."""
    return await cancel_case(on.node.database, on.node.writer, on.node.tenant, case_id, who=who, why=why)


async def open_exceptions(on: Stage) -> list[CaseException]:
    """Those that wait for a person, the highest priority first."""
    async with on.node.database.tenant(on.node.tenant) as connection:
        return await LIST_EXCEPTIONS.all(connection, {"most": 1000})
