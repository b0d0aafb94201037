"""Deciding a table from the command line: what is ordered, how far it is, and what became of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from interlock.batch import run as runs
from interlock.batch.files import Form, form_of
from interlock.batch.open import open_table
from interlock.batch.record import Order
from interlock.batch.rows import Reading
from interlock.batch.tally import Tally
from interlock.cases.in_line import find_point
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.node import Node

app = commands()
SOME_REJECTED = 3
"""The exit code where every row is settled, and some were refused."""
WHOLE_BROKEN = 8
"""The exit code where every row is settled, and all together break the contract."""
_LINE_S = 10.0
"""How often a line says how far it is, where no terminal shows a bar."""
_LONGEST_RUN = 60
_Told = Callable[[runs.Progress], None]


@app.command()
def decide(
    context: typer.Context,
    point: Annotated[str, typer.Argument(help="The decision point: WORKFLOW.POINT.")],
    *,
    table: Annotated[str, typer.Option("--in", metavar="FILE", help=".csv, .tsv, .jsonl, .parquet, or sql:SELECT ...")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where decisions go: .parquet, .csv or .jsonl.")],
    rejects: Annotated[Path | None, typer.Option(metavar="FILE", help="Where refused rows go: .jsonl or .csv.")] = None,
    key: Annotated[str, typer.Option(metavar="COLUMN", help="The column of keys; else the file and row.")] = "",
    exposure: Annotated[
        str, typer.Option(metavar="COLUMN", help='Money at stake: "COLUMN", or "COLUMN EUR" for plain amounts.')
    ] = "",
    leave_out: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="A column to leave out.")] = None,
    run: Annotated[str, typer.Option(metavar="NAME", help="Decide the same file anew, under a name.")] = "",
    patience: Annotated[str, typer.Option(metavar="DURATION", help="The longest wait for people or a stop.")] = "10m",
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report there, as JSON.")] = None,
    database_url_from: Annotated[str, typer.Option(metavar="VARIABLE", help="It holds the URL for sql:.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Decide every row of a table through one decision point.

    Killed or interrupted, the same command goes on where it was: no row is decided twice. What is refused stands in the
    file of rejects beside every reason. Exit code 3: some rows were refused. Exit code 8: the table as a whole breaks
    its contract.
    """
    screen, caller = Screen(as_json=as_json), who_acts(who)
    most, url = parse_duration(patience), _url(database_url_from)
    refused = rejects or out.with_name(f"{out.stem}.rejects.jsonl")
    forms = form_of(out, option="--out"), form_of(refused, option="--rejects", among=(Form.JSONL, Form.CSV))
    _refuse_one_place(table, out, refused)
    column, _, currency = exposure.strip().partition(" ")
    left = frozenset(leave_out or ())
    reading = Reading(contract=None, run=_run(run), key=key, exposure=column, currency=currency.strip(), leave_out=left)

    async def work(node: Node) -> Tally:
        named = find_point(node.registry, point, where="POINT")
        library = named.registered.library.for_tenant(node.tenant)
        contract = library.contract(named.point.input) if named.point.input else None
        source = open_table(table, replace(reading, contract=contract), url=url)
        order = Order(
            tenant=str(node.tenant), point=point, table=source.identity, run=source.reading.run, key=key,
            exposure=column, currency=currency.strip(), leave_out=tuple(sorted(left)), rejects=str(refused),
        )  # fmt: skip
        with _progress(screen) as told:
            job = runs.Job(
                tenant=node.tenant, named=named, table=source, order=order, out=out, out_form=forms[0],
                rejects=refused, rejects_form=forms[1], caller=caller, patience=most, told=told,
            )  # fmt: skip
            return await runs.decide_table(job, node.tools.decider)

    tally = with_node(context, work, workflows=True)
    _tell(screen, point, out, refused, tally, report)
    if tally.broken or tally.rejected:
        raise typer.Exit(WHOLE_BROKEN if tally.broken else SOME_REJECTED)


def _url(variable: str) -> str:
    if not variable:
        return ""
    url = os.environ.get(variable, "")
    if not url:
        raise Refused(f"{variable} is not set", where="--database-url-from", todo="let it hold a postgresql:// URL")
    return url


def _run(name: str) -> str:
    if len(name) > _LONGEST_RUN or not name.isprintable() or " " in name:
        todo = f"use at most {_LONGEST_RUN} printable characters without spaces, as in 2026-11"
        raise Refused(f"{name[:60]!r} is no name of a run", where="--run", todo=todo)
    return name


def _refuse_one_place(table: str, out: Path, rejects: Path) -> None:
    """See that no file is written over another."""
    places = [Path(table).absolute(), out.absolute(), rejects.absolute()]
    if len(set(places)) != len(places):
        raise Refused("two of --in, --out and --rejects are one file", where="--out", todo="name three")
    for path in (out, rejects):
        if not path.absolute().parent.is_dir():
            raise Refused("there is no such folder", where=str(path.absolute().parent), todo="make it")


@contextlib.contextmanager
def _progress(screen: Screen) -> Generator[_Told]:
    """A bar where a person watches; else a line now and then, on standard error."""
    if not screen.live:
        yield _lines(screen)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen.err, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def told(progress: runs.Progress) -> None:
            bar.update(task, total=progress.total, completed=progress.done, description=_words(progress))

        yield told


def _lines(screen: Screen) -> _Told:
    last = [time.monotonic(), ""]

    def told(progress: runs.Progress) -> None:
        news = progress.waiting and progress.waiting != last[1]
        if news or time.monotonic() - float(last[0]) > _LINE_S:
            last[:] = [time.monotonic(), progress.waiting]
            screen.note(_words(progress))

    return told


def _words(progress: runs.Progress) -> str:
    tally = progress.tally
    text = f"{tally.rows:,} rows, {tally.rejected:,} refused, {tally.rate:,.0f}/s"
    return f"{text}; waiting: {progress.waiting}" if progress.waiting else text


def _tell(screen: Screen, point: str, out: Path, rejects: Path, tally: Tally, report: Path | None) -> None:
    document = {
        "point": point,
        "out": str(out),
        "rejects": str(rejects) if tally.rejected else None,
        **tally.document(),
    }
    if report:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    if screen.as_json:
        screen.document(document)
        return
    screen.line(
        f"{tally.rows:,} rows: {tally.decided:,} decided ({tally.known:,} known before), {tally.rejected:,} refused, "
        f"{tally.reviews:,} reviews opened."
    )
    rows = [("route", name, count) for name, count in sorted(tally.routes.items())]
    rows += [("component", name, count) for name, count in sorted(tally.components.items())]
    rows += [("refused by rule", name, count) for name, count in sorted(tally.rules.items())]
    screen.table(("what", "which", "rows"), rows, none="No row.")
    money = [
        (route, f"{amount} {currency}")
        for currency, routes in tally.amounts().items()
        for route, amount in routes.items()
    ]
    if money:
        screen.table(("route", "at stake"), money, none="")
    if tally.broken:
        screen.line("The table as a whole breaks its contract; its rows are decided all the same:", style="red")
        screen.table(("field", "rule", "what"), [(one.where, one.rule, one.what) for one in tally.broken], none="")
    screen.line(f"{tally.seconds:,.1f} s, {tally.rate:,.0f} decisions/s; the answers cost {tally.cost:f} USD.")
    screen.line(f"Decisions: {out}")
    if tally.rejected:
        screen.line(f"Refused rows, each beside its reasons: {rejects}", style="yellow")
