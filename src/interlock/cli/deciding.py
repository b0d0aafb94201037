"""Deciding a table from the command line: what is ordered, how far it is, and what became of it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from interlock.batch.files import Form, form_of
from interlock.batch.job import Job, Progress
from interlock.batch.open import open_table
from interlock.batch.processes import Hiring
from interlock.batch.record import Order
from interlock.batch.rows import Reading
from interlock.batch.run import decide_table
from interlock.batch.tally import Tally
from interlock.cases.in_line import find_point
from interlock.cli.options import As, Json, commands, flags_of, who_acts
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
_Told = Callable[[Progress], None]


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
    processes: Annotated[
        int, typer.Option(min=0, max=64, metavar="N", help="0: one for each processor, where the table is long.")
    ] = 0,
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
    _refuse_one_place(table, out, refused, report)
    column, _, currency = exposure.strip().partition(" ")
    left = frozenset(leave_out or ())
    reading = Reading(contract=None, run=_run(run), key=key, exposure=column, currency=currency.strip(), leave_out=left)

    async def work(node: Node) -> Tally:
        named = find_point(node.registry, point, where="POINT")
        if column and named.point.exposure:
            place = ".".join((named.point.exposure.root, *named.point.exposure.path))
            what, todo = f"{point} reads the money at stake from {place}", "leave the option out: its file says where"
            raise Refused(what, where="--exposure", todo=todo)
        library = named.registered.library.for_tenant(node.tenant)
        contract = library.contract(named.point.input) if named.point.input else None
        source = open_table(table, replace(reading, contract=contract), url=url)
        order = Order(
            tenant=str(node.tenant), point=point, table=source.identity, run=source.reading.run, key=key,
            exposure=column, currency=currency.strip(), leave_out=tuple(sorted(left)), rejects=str(refused),
        )  # fmt: skip
        with _progress(screen) as told:
            job = Job(
                tenant=node.tenant, named=named, table=source, order=order, out=out, out_form=forms[0],
                rejects=refused, rejects_form=forms[1], caller=caller, patience=most, told=told,
                hiring=_hiring(context, processes),
            )  # fmt: skip
            async with node.sealing():  # it may take hours
                return await decide_table(job, node.tools.decider)

    tally = with_node(context, work, workflows=True, who=caller, act="decision.ask")
    document = {
        "point": point,
        "out": str(out),
        "rejects": str(refused) if tally.rejected else None,
        **tally.document(),
    }
    _tell(screen, out, refused, tally, document)
    if report:
        _write_report(report, document)
    if tally.broken or tally.rejected:
        raise typer.Exit(WHOLE_BROKEN if tally.broken else SOME_REJECTED)


def _hiring(context: typer.Context, processes: int) -> Hiring | None:
    """Which processes decide beside this one, which reads and writes."""
    count = processes or len(os.sched_getaffinity(0))
    command = (sys.executable, "-P", "-m", "interlock.cli.table_process")
    flags = flags_of(context)
    return Hiring(command=command, flags=flags, count=count, at_once=bool(processes)) if count > 1 else None


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


def _refuse_one_place(table: str, out: Path, rejects: Path, report: Path | None) -> None:
    """See that no file is written over another, before anything is decided."""
    written = {"--out": out, "--rejects": rejects} | ({"--report": report} if report else {})
    taken = {Path(table).resolve(): "--in"}
    for option, path in written.items():
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise Refused(f"{other} and {option} are one file", where=option, todo="name another one")
        if path.is_dir():
            raise Refused("it is a folder", where=f"{option} {path}", todo="name a file")
        if not path.absolute().parent.is_dir():
            raise Refused("there is no such folder", where=str(path.absolute().parent), todo="make it")


def _write_report(path: Path, document: object) -> None:
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    except OSError as cause:
        what = f"every row is settled, and the report cannot be written: {cause.strerror}"
        todo = "mend that and run the same command again: nothing is decided twice"
        raise Refused(what, where=f"--report {path}", todo=todo) from cause


@contextlib.contextmanager
def _progress(screen: Screen) -> Generator[_Told]:
    """A bar where a person watches; else a line now and then, on standard error."""
    if not screen.live:
        yield _lines(screen)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns, console=screen.err, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def told(progress: Progress) -> None:
            bar.update(task, total=progress.total, completed=progress.done, description=_words(progress))

        yield told


def _lines(screen: Screen) -> _Told:
    last = [time.monotonic(), ""]

    def told(progress: Progress) -> None:
        news = progress.waiting and progress.waiting != last[1]
        if news or time.monotonic() - float(last[0]) > _LINE_S:
            last[:] = [time.monotonic(), progress.waiting]
            screen.note(_words(progress))

    return told


def _words(progress: Progress) -> str:
    tally = progress.tally
    text = f"{tally.rows:,} rows, {tally.rejected:,} refused, {tally.rate:,.0f}/s"
    return f"{text}; waiting: {progress.waiting}" if progress.waiting else text


def _tell(screen: Screen, out: Path, rejects: Path, tally: Tally, document: dict[str, Any]) -> None:
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
