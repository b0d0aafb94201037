"""The rows of lineage, and what it reads of others' rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from interlock.db.queries import load_queries


class Whose(msgspec.Struct, frozen=True, kw_only=True):
    """What an id is: ``case``, ``decision`` or ``action``; and its case, if it has one."""

    kind: str
    case_id: UUID | None


class EntryBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an entry: canonical JSON."""

    subject: UUID
    body: bytes


class PublicationUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A published version: rules or a contract, with who published it and when."""

    id: UUID
    kind: str
    name: str
    version: str
    digest: bytes
    author: str
    at: datetime


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """How many leaves were counted, and how many are left."""

    followed: int
    behind: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a source influenced, of one currency; empty: where nothing was said to be at stake."""

    currency: str
    decisions: int
    cases: int
    exposure_sum: Decimal


class ActionMoney(msgspec.Struct, frozen=True, kw_only=True):
    """The actions behind a source, of one currency: how many, and their money in minor units."""

    currency: str
    pending: int
    pending_sum: Decimal
    done: int
    done_sum: Decimal
    undone: int
    undone_sum: Decimal
    failed: int


class InfluencedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at a leaf: a decision, or a case as it was received."""

    index: int
    kind: str
    subject: UUID
    case_id: UUID | None
    at: datetime
    workflow: str | None
    point: str | None
    component: str | None
    route: str | None
    exposure_minor: int | None
    currency: str | None


class Fed(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf on its way to others, with whose it is; of no tenant, or without its entry, it is told to nobody."""

    index: int
    tenant: UUID | None
    tenant_name: str | None
    kind: str | None
    subject: UUID | None
    case_id: UUID | None
    at: datetime | None


class FedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a tenant, of a kind that is told to others."""

    kind: str
    subject: UUID
    case_id: UUID | None
    at: datetime


class SpanEntry(FedEntry, frozen=True, kw_only=True):
    """The same, with its id: where the next page goes on."""

    id: UUID


class CaseTold(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a case."""

    id: UUID
    workflow: str
    version: str
    code: UUID
    state: str
    caller: str
    exposure_minor: int | None
    currency: str | None
    created_at: datetime
    changed_at: datetime


class ActionTold(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an action."""

    id: UUID
    case_id: UUID
    decision_id: UUID | None
    workflow: str
    name: str
    connector: str
    domain: str
    state: str
    exposure_minor: int | None
    currency: str | None
    undo_of: UUID | None


_SQL = load_queries(__file__)
WHOSE_ID = _SQL.rows("whose_id", Whose)
ENTRY_BODIES = _SQL.rows("entry_bodies", EntryBody)
RECEIVED_BODY = _SQL.rows("received_body", EntryBody)
ORDER_OF_CASE = _SQL.rows("order_of_case", UUID)
PUBLICATIONS_USED = _SQL.rows("publications_used", PublicationUsed)
FIND_PUBLICATION = _SQL.rows("find_publication", PublicationUsed)
FOLLOW_LINEAGE = _SQL.rows("follow_lineage", Followed)
INFLUENCE_TOTALS = _SQL.rows("influence_totals", Totals)
INFLUENCE_MONEY = _SQL.rows("influence_money", ActionMoney)
INFLUENCE_MEMBERS = _SQL.rows("influence_members", int)
INFLUENCED = _SQL.rows("influenced", InfluencedRow)
READ_CURSOR = _SQL.rows("read_cursor", int)
LEDGER_SIZE = _SQL.rows("ledger_size", int)
BEGIN_CURSOR = _SQL.command("begin_cursor")
MOVE_CURSOR = _SQL.command("move_cursor")
FEED = _SQL.rows("feed", Fed)
TENANT_FEED = _SQL.rows("tenant_feed", SpanEntry)
CASES_TOLD = _SQL.rows("cases_told", CaseTold)
ACTIONS_TOLD = _SQL.rows("actions_told", ActionTold)
