"""The report of an account on the command line, its close, and the closes that were signed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any

import msgspec
import typer

from interlock.cli.options import As, Json, Limit, Why, who_acts
from interlock.cli.reconcile_breaks import Name
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, require, with_node
from interlock.errors import Refused
from interlock.node import Node
from interlock.packs.reconciliation.closing.close import Closed, Period, Reported, close, leaf_of, report_on
from interlock.packs.reconciliation.closing.document import FLOWS, document, unready_document
from interlock.packs.reconciliation.closing.report import Report
from interlock.packs.reconciliation.closing.store import LIST_CLOSES, CloseRow
from interlock.packs.reconciliation.configured import settings_of

Account = Annotated[str, typer.Option("--account", metavar="ACCOUNT", help="The account, as its statements name it.")]
Until = Annotated[str, typer.Option("--until", metavar="DAY", help="The last day, as 2026-01-31.")]
SEAL_WITHIN_S = 30.0
"""How long a close waits for the checkpoint that covers it."""
_MOST_SHOWN = 20


def report(
    context: typer.Context,
    name: Name = "",
    *,
    account: Account,
    until: Until,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the sums as CSV.")] = False,
    as_json: Json = False,
) -> None:
    """Report what an account came to since its last close: opening, received, settled, open, tied to the cent."""
    screen = Screen(as_json=as_json)
    period = _period(context, name, account, until)

    async def read(node: Node) -> Reported:
        return await report_on(node.database, node.tenant, period)

    found = with_node(context, read)
    if as_json:
        screen.document(
            {"report": document(found.report), "not_done": [unready_document(one) for one in found.unready]}
        )
    if as_csv:
        typer.echo(csv_of(found.report), nl=False)
        return
    _show(screen, found.report)
    for one in found.unready[:_MOST_SHOWN]:
        screen.line(f"not done: {one.kind} {one.id}: {one.what}")
    if len(found.unready) > _MOST_SHOWN:
        screen.line(f"not done: {len(found.unready) - _MOST_SHOWN} more")


def close_account(
    context: typer.Context,
    name: Name = "",
    *,
    account: Account,
    until: Until,
    why: Why,
    carry_over: Annotated[
        list[str] | None,
        typer.Option(
            "--carry-over", metavar="ID|KIND", help="What is not done and goes on; all of a kind by its name."
        ),
    ] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Do the close of this day again.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=600, help="Seconds to wait for the seal.")
    ] = SEAL_WITHIN_S,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Sign an account off until a day: the report is kept as it is, entered into the ledger and sealed."""
    screen, signer = Screen(as_json=as_json), who_acts(who)
    period = _period(context, name, account, until)

    async def sign(node: Node) -> tuple[Closed, int | None]:
        verdict = require(node, signer, "close")
        done = await close(
            node, period, who=signer, why=why, carry_over=carry_over or (), reopen=reopen, verdict=verdict
        )
        return done, await leaf_of(node.database, node.tenant, done.entry, patience_s=wait)

    done, leaf = with_node(context, sign)
    if as_json:
        told = {"close": done.id, "digest": done.digest.hex(), "entry": done.entry, "leaf": leaf}
        screen.document({**told, "report": document(done.report)})
    _show(screen, done.report)
    screen.line(f"closed by {signer}: {done.id}, SHA-256 {done.digest.hex()}")
    if leaf is None:
        screen.line("It is not sealed yet: a running `interlock up` does that, with `key` of [ledger].")
    else:
        screen.line(f"Sealed as leaf {leaf}. The proof: interlock ledger prove {done.id}")


def closes(
    context: typer.Context,
    name: Name = "",
    *,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCOUNT", help="Only those of an account.")
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List what was closed, by whom, and what was done again."""
    screen = Screen(as_json=as_json)
    mine = settings_of(load_settings(context), name)

    async def read(node: Node) -> list[CloseRow]:
        async with node.database.tenant(node.tenant) as connection:
            asked = {"reconciliation": mine.name, "account": account, "most": limit}
            return await LIST_CLOSES.all(connection, asked)

    found = with_node(context, read)
    if as_json:
        screen.document({"closes": [close_document(one) for one in found]})
    screen.table(
        ("close", "account", "from", "until", "state", "signed by", "at", "why", "SHA-256"),
        (
            (c.id, c.account, c.first_day or "", c.until, c.state, c.signed_by, minute(c.closed_at), c.why,
             c.digest.hex())
            for c in found
        ),
        none=f"{mine.name} has no closes.",
        stacked=True,
    )  # fmt: skip


def close_document(one: CloseRow) -> dict[str, Any]:
    """A close as programs read it, with its report as it was signed."""
    return {
        "id": one.id,
        "account": one.account,
        "first_day": one.first_day,
        "until": one.until,
        "state": one.state,
        "signed_by": one.signed_by,
        "closed_at": one.closed_at,
        "why": one.why,
        "digest": one.digest.hex(),
        "follows": one.follows,
        "reopened_by": one.reopened_by,
        "reopened_at": one.reopened_at,
        "reopened_why": one.reopened_why,
        "report": msgspec.Raw(one.report),
    }


def csv_of(found: Report) -> str:
    """The sums of a report as CSV: side, currency, what, entries, amount."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(("side", "currency", "what", "entries", "amount"))
    writer.writerows(_rows(found))
    return written.getvalue()


def _rows(found: Report) -> Iterator[Sequence[object]]:
    for line in document(found)["lines"]:
        for what in FLOWS:
            yield line["side"], line["currency"], what, line[what]["entries"], line[what]["amount"].split(" ")[0]
        for part in line["open"]:
            what = f"open: {part['why']}, {part['age']}"
            yield line["side"], line["currency"], what, part["entries"], part["amount"].split(" ")[0]


def _period(context: typer.Context, name: str, account: str, until: str) -> Period:
    try:
        day = date.fromisoformat(until)
    except ValueError as cause:
        raise Refused(f"{until[:60]!r} is no day", where="--until", todo="write it as 2026-01-31") from cause
    return Period(settings_of(load_settings(context), name).name, account, day)


def _show(screen: Screen, found: Report) -> None:
    since = f"from {found.first_day} " if found.first_day else ""
    screen.line(f"{found.reconciliation}, account {found.account}, {since}until {found.until}")
    told = document(found)
    for currency in sorted({line["currency"] for line in told["lines"]}):
        sides = [line for line in told["lines"] if line["currency"] == currency]
        screen.table(
            (currency, *(line["side"] for line in sides)),
            (
                (what.replace("_", " "), *(f"{line[what]['amount']} ({line[what]['entries']})" for line in sides))
                for what in FLOWS
            ),
            none="",
        )
    if not told["lines"]:
        screen.line("Nothing is known of this account until that day.")
    for line in told["lines"]:
        for part in line["open"]:
            screen.line(
                f"open, {line['side']}: {part['amount']} in {part['entries']} entries: {part['why']}, {part['age']}"
            )
    for one in told["differences"]:
        fees = f"of it as fees {one['fees']}, {one['fees_total']} in all"
        screen.line(f"booked as differences and fees: {one['amount']}, {one['total']} in all; {fees}")
    for one in told["balances"]:
        ends = f"{one['opening'] or 'no balance'} to {one['closing'] or 'no balance'}"
        screen.line(f"statements, {one['side']}: {one['statements']}, from {ends}, entries {one['moved']}")
    for one in told["checks"]:
        screen.line(f"{'ties' if one['holds'] else 'DOES NOT TIE'}: {one['what']}")
    for one in told["carried_over"]:
        screen.line(f"carried over: {one['kind']} {one['id']}: {one['what']}")
