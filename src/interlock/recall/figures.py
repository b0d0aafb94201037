"""What a recall comes to: its cases by state, its money by what becomes of it. Read page by page, in bounded memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from interlock.cases.registry import Registry
from interlock.db.database import Database
from interlock.lineage.influence import amount
from interlock.recall.carry import count_members
from interlock.recall.gather import NIL
from interlock.recall.record import Member, MemberState
from interlock.recall.store import (
    ACTIONS_OF_PAGE,
    CASES_OF_PAGE,
    DECISIONS_OF_PAGE,
    LIST_MEMBERS,
    ActionsOfPage,
)

_PAGE = 5000


class CasesTold(msgspec.Struct, frozen=True, kw_only=True):
    """Cases that are recalled, of one workflow and in one state; ``decision`` is the state of what has no case.

    Attributes:
        workflow: Which workflow.
        state: The state of the case.
        count: How many.
        at_stake: The money in them, by currency.
    """

    workflow: str
    state: str
    count: int
    at_stake: tuple[str, ...]


class MoneyTold(msgspec.Struct, frozen=True, kw_only=True):
    """The actions of recalled cases in one currency, exact.

    Attributes:
        currency: ISO 4217; empty where an action has no amount.
        pending: What actions that have not ended may move.
        standing: What was done and stands.
        taken_back: What was done and taken back.
        kept: Of what stands, what no undo takes back.
        actions_pending: How many have not ended.
        actions_standing: How many stand.
        actions_taken_back: How many were taken back.
        actions_kept: Of those that stand, how many have no undo.
    """

    currency: str
    pending: str
    standing: str
    taken_back: str
    kept: str
    actions_pending: int
    actions_standing: int
    actions_taken_back: int
    actions_kept: int


class KeptTold(msgspec.Struct, frozen=True, kw_only=True):
    """Actions that were done and that no undo takes back.

    Attributes:
        action: ``workflow.name``.
        count: How many.
        amount: The money in them.
        why: What the workflow's file says; or that it does not say.
    """

    action: str
    count: int
    amount: str
    why: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a recall comes to now.

    Attributes:
        members: How many cases, and decisions without one, are in which state of the recall.
        exceptions: How many of them wait for a person.
        cases: The cases by workflow and state.
        money: What their actions did, by currency.
        kept: What cannot be taken back.
    """

    members: dict[str, int]
    exceptions: int
    cases: tuple[CasesTold, ...]
    money: tuple[MoneyTold, ...]
    kept: tuple[KeptTold, ...]


async def read_figures(database: Database, registry: Registry, tenant: UUID, recall: UUID) -> Figures:
    """What a recall comes to now.

    Args:
        database: Where it is.
        registry: The workflows, whose files say what can be undone.
        tenant: Whose.
        recall: Which.
    """
    sums = _Sums(registry)
    after = NIL
    while True:
        async with database.tenant(tenant) as connection:
            page = await LIST_MEMBERS.all(connection, {"recall": recall, "after": after, "most": _PAGE})
            await sums.add(connection, page)
        if len(page) < _PAGE:
            break
        after = page[-1].member
    counts = await count_members(database, tenant, recall)
    return sums.told({str(one.state): one.members for one in counts}, sum(one.exceptions for one in counts))


async def list_members(
    database: Database, tenant: UUID, recall: UUID, *, after: UUID | None = None, most: int = 50
) -> list[Member]:
    """The members of a recall, by id."""
    async with database.tenant(tenant) as connection:
        return await LIST_MEMBERS.all(connection, {"recall": recall, "after": after or NIL, "most": most})


class _Sums:
    """Sums over the pages, by few keys."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cases: dict[tuple[str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
        self._actions: dict[tuple[str, str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])

    async def add(self, connection: AsyncConnection[Any], page: list[Member]) -> None:
        cases = [one.member for one in page if one.is_case]
        others = [one.member for one in page if not one.is_case]
        for row in await CASES_OF_PAGE.all(connection, {"ids": cases}) if cases else ():
            self._count(self._cases, (row.workflow, row.state, row.currency), row.cases, row.minor)
        for one in await DECISIONS_OF_PAGE.all(connection, {"ids": others}) if others else ():
            self._count(self._cases, (one.workflow, "decision", one.currency), one.decisions, one.minor)
        for act in await ACTIONS_OF_PAGE.all(connection, {"ids": cases}) if cases else ():
            self._count(self._actions, (act.workflow, act.name, act.currency, _place(act)), act.actions, act.minor)

    @staticmethod
    def _count(sums: dict[Any, list[Decimal]], key: tuple[str, ...], count: int, minor: Decimal) -> None:
        sums[key][0] += count
        sums[key][1] += minor

    def told(self, members: dict[str, int], exceptions: int) -> Figures:
        return Figures(
            members={str(state): members.get(state, 0) for state in MemberState},
            exceptions=exceptions,
            cases=tuple(self._cases_told()),
            money=tuple(self._money()),
            kept=tuple(self._kept()),
        )

    def _cases_told(self) -> Iterable[CasesTold]:
        for workflow, state in sorted({key[:2] for key in self._cases}):
            mine = {key[2]: value for key, value in self._cases.items() if key[:2] == (workflow, state)}
            yield CasesTold(
                workflow=workflow,
                state=state,
                count=int(sum(value[0] for value in mine.values())),
                at_stake=tuple(amount(value[1], currency) for currency, value in sorted(mine.items()) if currency),
            )

    def _money(self) -> Iterable[MoneyTold]:
        for currency in sorted({key[2] for key in self._actions}):
            pending = self._sum(currency, lambda key: key[3] == "pending")
            standing = self._sum(currency, lambda key: key[3] == "done")
            undone = self._sum(currency, lambda key: key[3] == "undone")
            kept = self._sum(currency, lambda key: key[3] == "done" and self._why_kept(key[0], key[1]) is not None)
            yield MoneyTold(
                currency=currency,
                pending=amount(pending[1], currency),
                standing=amount(standing[1], currency),
                taken_back=amount(undone[1], currency),
                kept=amount(kept[1], currency),
                actions_pending=int(pending[0]),
                actions_standing=int(standing[0]),
                actions_taken_back=int(undone[0]),
                actions_kept=int(kept[0]),
            )

    def _sum(self, currency: str, takes: Callable[[tuple[str, str, str, str]], bool]) -> tuple[Decimal, Decimal]:
        mine = [value for key, value in self._actions.items() if key[2] == currency and takes(key)]
        return sum((one[0] for one in mine), Decimal(0)), sum((one[1] for one in mine), Decimal(0))

    def _kept(self) -> Iterable[KeptTold]:
        for (workflow, name, currency, place), value in sorted(self._actions.items()):
            why = self._why_kept(workflow, name) if place == "done" else None
            if why is not None:
                yield KeptTold(
                    action=f"{workflow}.{name}", count=int(value[0]), amount=amount(value[1], currency), why=why
                )

    def _why_kept(self, workflow: str, name: str) -> str | None:
        """Why an action that was done stays; None: it is taken back."""
        registered = self._registry.find(workflow)
        if registered is None:
            return None  # whoever carries it knows; here nothing is said that may be wrong
        terms = registered.declaration.actions.get(name)
        if terms is None:
            return "the workflow's file does not declare it any more: a person takes it back"
        return None if terms.undo else terms.no_undo or "the workflow's file declares no undo"


def _place(row: ActionsOfPage) -> str:
    return row.place
