"""Both forms of the demo, from the first file to the report."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from interlock.api.app import create_app
from interlock.api.keys import make_key
from interlock.api.serve import serving
from interlock.cli.demo.reconciling.course import Course, Tell, crew, matches_with_members
from interlock.cli.demo.reconciling.payments import Payments, content_key
from interlock.cli.demo.reconciling.report import (
    CloseShown,
    OpenGroup,
    RecallShown,
    ReconciliationReport,
    goals_of,
    peak_memory,
    processor_time,
)
from interlock.cli.demo.reconciling.reviewer import MatchReviewer
from interlock.cli.demo.reconciling.truth import candidate_recall, score, score_part, signatures_of, signed
from interlock.client import Client
from interlock.config import Settings
from interlock.errors import NotFound
from interlock.money import Money
from interlock.node import Node, open_node
from interlock.packs.reconciliation.breaks.store import COUNT_BREAKS
from interlock.packs.reconciliation.closing.close import Period, close, leaf_of, report_on
from interlock.packs.reconciliation.generated import HandedFile, make_files, make_month
from interlock.packs.reconciliation.generated.files import covered_until
from interlock.packs.reconciliation.in_force import recall_statement
from interlock.sim import SimulatedBooks

WAVES = 3
"""In how many pieces the files come."""
RECALLED = "bank-4.xml"
"""The statement that is taken back, once everything is booked, and handed in again."""
_SEAL_WITHIN_S = 10.0
_MONTH_AGO = timedelta(weeks=14)
"""How long ago the made-up month began: what is open in it is due."""


async def run_month(
    settings: Settings, books: SimulatedBooks, *, count: int, seed: int, today: date, tell: Tell
) -> ReconciliationReport:
    """Reconcile a made-up month: files out of order, in pieces and twice, reviews, a recall.

    Args:
        settings: Written for the demo, with the reconciliation ``month``.
        books: Running.
        count: How many entries are expected.
        seed: Of the month and the order.
        today: The month lies some weeks before it.
        tell: Is told in a sentence what happens.
    """
    began = time.monotonic()
    month = make_month(seed, count, _monday(today - _MONTH_AGO))
    files, signatures = make_files(month), signatures_of(month)
    waves = in_waves(files, seed)
    async with open_node(settings) as node, node.sealing(), serving(create_app(node), "127.0.0.1", 0) as url:
        key = await make_key(node.database, node.writer, node.tenant, name="reviewer", scopes=["read", "review"])
        course = Course(node, books, "month", tell)
        async with crew(tell, node=node):
            tell(f"PostgreSQL, the books ({books.url}), the API ({url}) and two workers are up")
            for number, wave in enumerate(waves, 1):
                await course.hand_in(wave)
                figures = await course.settle()
                tell(f"wave {number}: {len(wave)} files in, {figures.target} matches, {figures.breaks.target} breaks")
            matched_s = round(time.monotonic() - began, 1)
            with Client(url, key) as client:
                reviewer = MatchReviewer(client, frozenset(signatures["signature"].to_list()))
                await _review(course, reviewer)
            recall = await _recall(course, {file.name: file for file in files})
            closes = await _close(course, covered_until(month.first_day))
        return await _report(
            course, "a made-up month", signatures, None, began, matched_s, recall=recall, closes=closes,
            reviewed=(reviewer.approved, reviewer.refused, reviewer.left),
        )  # fmt: skip


async def run_payments(
    settings: Settings, books: SimulatedBooks, payments: Payments, *, seed: int, tell: Tell
) -> ReconciliationReport:
    """Reconcile real payments, and score what came of it.

    Args:
        settings: Written for the demo, with the reconciliation ``payments``.
        books: Running.
        payments: What is handed in, and the truth.
        seed: Of the order.
        tell: Is told in a sentence what happens.
    """
    files = list(payments.files)
    random.Random(seed).shuffle(files)  # noqa: S311 - an order, no secret
    async with open_node(settings) as node, node.sealing():
        course = Course(node, books, "payments", tell)
        async with crew(tell, node=node):
            tell(f"PostgreSQL, the books ({books.url}) and two workers are up")
            began = time.monotonic()
            await course.hand_in(files)
            taken_s = time.monotonic() - began
            tell(f"{len(files)} files are in after {taken_s:.1f} s")
            figures = await course.settle()
            matched_s = round(time.monotonic() - began, 1)
            tell(f"{figures.target:,} matches after {matched_s} s; the last round: {figures.solver}")
            await course.hand_in(files)
        return await _report(course, "payments", payments.signatures, payments.held_out, began, matched_s)


def in_waves(files: Sequence[HandedFile], seed: int) -> list[list[HandedFile]]:
    """Files out of order and in pieces; the last piece brings a third of what came before once more."""
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    order = list(files)
    chance.shuffle(order)
    waves = [order[place::WAVES] for place in range(WAVES)]
    waves[-1] += chance.sample(order, len(order) // 3)
    return waves


async def _review(course: Course, reviewer: MatchReviewer) -> None:
    """Let the reviewer answer until nothing new is asked."""
    keys = dict((await _keyed(course)).select("id", "key").iter_rows())
    while await asyncio.to_thread(reviewer.work, keys):
        await course.settle()
    course.tell(
        f"the reviewer approved {reviewer.approved} and refused {reviewer.refused} matches through the API, "
        f"and left {reviewer.left} for you"
    )


async def _recall(course: Course, files: dict[str, HandedFile]) -> RecallShown | None:
    """Take a statement back once it is booked, let all that rests on it be undone, and hand it in again."""
    taken = course.handed.taken.get(RECALLED)
    if taken is None:
        return None
    statement = taken.statements[0]
    before = await course.standing()
    await recall_statement(
        course.node.database, course.node.tenant, statement.id, who="demo", why="the bank says it was another's"
    )
    await course.settle()
    without = await course.standing()
    await course.hand_in([files[RECALLED]])
    await course.settle()
    after = await course.standing()
    undone = before.join(without, on="id", how="anti").height
    again = after.join(without, on="id", how="anti").height
    course.tell(f"{RECALLED} was recalled: {undone} matches were undone; handed in again, {again} were made anew")
    return RecallShown(statement=RECALLED, entries=statement.entries, taken_back=undone, made_again=again)


async def _close(course: Course, until: date) -> list[CloseShown]:
    """Sign off every account that has statements; what is open goes on by name."""
    node, closes = course.node, list[CloseShown]()
    for account in sorted({one for pair in course.terms.links for one in pair}):
        period = Period(course.terms.name, account, until)
        try:
            kinds = sorted({one.kind for one in (await report_on(node.database, node.tenant, period)).unready})
        except NotFound:
            continue
        done = await close(node, period, who="demo", why="the month is over", carry_over=kinds)
        leaf = await leaf_of(node.database, node.tenant, done.entry, patience_s=_SEAL_WITHIN_S)
        carried = len(done.report.carried_over)
        closes.append(CloseShown(account=account, close=str(done.id), carried_over=carried, leaf=leaf))
    course.tell(f"{len(closes)} accounts are closed until {until}")
    return closes


async def _report(
    course: Course,
    data: str,
    signatures: pl.DataFrame,
    held_out: pl.DataFrame | None,
    began: float,
    matched_s: float,
    *,
    reviewed: tuple[int, int, int] = (0, 0, 0),
    recall: RecallShown | None = None,
    closes: Sequence[CloseShown] = (),
) -> ReconciliationReport:
    entries = await _keyed(course)
    standing, members = await course.standing(), await course.members()
    matches = signed(matches_with_members(standing, members, entries), entries)
    target = _target(course, entries)
    scored = score(matches, target, signatures)
    on_half = score_part(matches, target, held_out) if held_out is not None else None
    looked_at = candidate_recall(entries, held_out, course.terms) if held_out is not None else None
    matched = members.join(standing.select(match="id"), on="match", how="semi")["entry"].n_unique()
    handed = course.handed
    statements = [one for taken in handed.taken.values() for one in taken.statements]
    return ReconciliationReport(
        data=data,
        expected=int((entries["side"] == "expected").sum()),
        actual=int((entries["side"] == "actual").sum()),
        files=len(handed.taken),
        known=handed.known,
        refused=handed.refused,
        broken=sum(one.broken for one in statements),
        held=sum(one.state == "held" for one in statements),
        score=scored,
        held_out=on_half,
        candidate_recall=looked_at,
        reviewed=reviewed,
        waiting=standing.filter((pl.col("state") == "asked") & ~pl.col("sure")).height,
        open=await _open(course.node, course.terms.name),
        open_entries=entries.height - matched,
        recall=recall,
        closes=tuple(closes),
        balance=await course.hold_against_books(),
        faults=(await asyncio.to_thread(course.books.faults)).injected,
        matched_s=matched_s,
        seconds=round(time.monotonic() - began, 1),
        processor_s=processor_time(),
        memory_mb=peak_memory(),
        goals=goals_of(scored, on_half, looked_at, matched_s),
    )


async def _keyed(course: Course) -> pl.DataFrame:
    """All entries in force with the ``key`` by which the truth knows them."""
    entries = await course.entries()
    named = pl.when(pl.col("bank_reference") != "").then("bank_reference").otherwise("reference")
    if course.terms.name == "payments":
        named = content_key(pl.col("minor"))
        entries = entries.with_columns(transaction_date="value_on")
    return entries.with_columns(key=named)


def _target(course: Course, entries: pl.DataFrame) -> pl.DataFrame:
    """The last round's target, with signatures."""
    found = course.rounds.target
    if found is None:
        return pl.DataFrame(schema={"signature": pl.String()})
    return signed(found.matches.select("expected", "actual", match="members"), entries)


async def _open(node: Node, reconciliation: str) -> tuple[OpenGroup, ...]:
    async with node.database.tenant(node.tenant) as connection:
        every = {"reconciliation": reconciliation, "due": False, "cause": None, "state": None, "account": None}
        found = await COUNT_BREAKS.all(connection, every)
    return tuple(
        OpenGroup(
            cause=one.cause,
            state=one.state,
            breaks=one.breaks,
            money=str(Money.of_minor(int(one.minor), one.currency)),
        )
        for one in found
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
