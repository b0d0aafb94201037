"""Making recorded decisions again, with the exact versions that made them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from interlock.cases.registry import Registry, load_registry
from interlock.cli.options import As, Json, commands, read_id, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.config import Settings
from interlock.decisions.decide import find_decision
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.node import Node
from interlock.replay.note import note_begun, note_ended, note_replay
from interlock.replay.replay import Replayer
from interlock.replay.restore import Restoring
from interlock.replay.result import Rates, Replay, Stage, Status
from interlock.replay.sample import EPOCH, Wanted, check_wanted, replay_sample
from interlock.setting_forms import Mode

app = commands()
DIFFERENT, NOT_RUN = 1, 3
"""Exit codes: something came out otherwise; nothing did, but something could not be run again."""
_SAMPLE = 200


@app.command()
def replay(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="[ID]", help="A decision.", show_default=False)] = "",
    *,
    since: Annotated[str, typer.Option(metavar="TIME", help="Many: how far back, as in 2h or 30d.")] = "",
    sample: Annotated[int, typer.Option(min=1, help="Of many: how many, each with the same chance.")] = _SAMPLE,
    every: Annotated[bool, typer.Option("--all", help="Of many: all of them.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="What the choice depends on.")] = 0,
    workflow: Annotated[str, typer.Option(help="Of many: only those of a workflow.")] = "",
    point: Annotated[str, typer.Option(help="Of many: only those of a decision point.")] = "",
    installed: Annotated[
        bool, typer.Option("--installed", help="Run with what is installed and in force now instead.")
    ] = False,
    ask_models: Annotated[
        bool, typer.Option("--ask-models", help="Ask language models again; it may cost money.")
    ] = False,
    acts: As = "",
    as_json: Json = False,
) -> None:
    """Make recorded decisions again with the versions that made them, and compare each stage.

    Nothing is written but that you did so, and nobody outside is asked. The exit code is 1 where something is
    different, 3 where nothing is and something could not be run.
    """
    screen = Screen(as_json=as_json)
    if bool(identifier) == bool(since):
        raise Refused("one decision or many?", where="ID", todo="give the id of a decision, or --since 2h")
    who = who_acts(acts)
    if not identifier:
        span = parse_duration(since)

        async def sampled(node: Node) -> Rates:
            now = node.database.clock.now()
            earliest = now - min(span, now - EPOCH)
            wanted = Wanted(earliest, now, None if every else sample, seed, workflow or None, point or None)
            check_wanted(wanted)
            run = await note_begun(node.writer, node.tenant, wanted, who=who)
            async with _replayer(node, installed=installed, ask_models=ask_models) as replayer:
                rates = await replay_sample(node.database, replayer, node.tenant, wanted)
            await note_ended(node.writer, node.tenant, run, rates, who=who)
            return rates

        rates = with_node(context, sampled)
        _tell_rates(screen, rates)
        raise typer.Exit(_code(rates.whole.different, rates.whole.not_run))

    given = read_id(identifier, "a decision")

    async def one(node: Node) -> Replay:
        decision = await find_decision(node.database, node.tenant, given)
        async with _replayer(node, installed=installed, ask_models=ask_models) as replayer:
            found = await replayer.replay(node.tenant, decision)
        await note_replay(node.writer, node.tenant, found, case_id=decision.case_id, who=who)
        return found

    found = with_node(context, one)
    _tell(screen, found)
    raise typer.Exit(_code(int(found.status is Status.DIFFERENT), int(found.status is Status.NOT_RUN)))


@asynccontextmanager
async def _replayer(node: Node, *, installed: bool, ask_models: bool) -> AsyncGenerator[Replayer]:
    providers = None
    if ask_models and node.settings.llm:
        from interlock.components.llm.provider import Providers  # noqa: PLC0415 - who asks none pays for none

        providers = Providers(node.settings.llm)
    try:
        restoring = Restoring(
            node.database,
            partial(_workflows, node.settings),
            now=node.database.clock.now,
            only_installed=installed,
            providers=providers,
        )
        async with restoring:
            yield Replayer(restoring, vault=node.vault, ask_models=ask_models)
    finally:
        if providers is not None:
            await providers.close()


def _workflows(settings: Settings) -> Registry:
    only_published = settings.mode is Mode.PRODUCTION
    return load_registry(settings.workflows, only_published=only_published, checked=False)


def _code(different: int, not_run: int) -> int:
    return DIFFERENT if different else NOT_RUN if not_run else 0


_STYLES = {Status.DIFFERENT: "red", Status.NOT_RUN: "yellow", Status.WITHIN_TOLERANCE: "yellow"}


def _words(status: Status) -> str:
    return str(status).replace("_", " ")


def _tell(screen: Screen, found: Replay) -> None:
    if screen.as_json:
        screen.document(msgspec.to_builtins(found))
    screen.line(f"{found.point} {found.decision}: {_words(found.status)}", style=_STYLES.get(found.status))
    build = f"build {found.build[:12]}" if found.build else "no build on record"
    screen.line(f"as of {found.now:%Y-%m-%d %H:%M:%S.%f} UTC, {build}, run with what is {_where(found.ran)}")
    screen.table(("stage", "result", "what"), _rows(found.stages), none="")
    screen.lines(f"note: {note}" for note in found.notes)


def _where(ran: str) -> str:
    return {"archive": "in the archive", "installed": "installed"}.get(ran, "missing")


def _rows(stages: Sequence[Stage]) -> Iterator[tuple[str, str, str]]:
    for stage in stages:
        yield stage.name, _words(stage.status), stage.what
        if stage.status is Status.DIFFERENT and (stage.recorded or stage.replayed):
            yield "", "recorded", stage.recorded
            yield "", "replayed", stage.replayed


def _tell_rates(screen: Screen, rates: Rates) -> None:
    if screen.as_json:
        screen.document(msgspec.to_builtins(rates))
    screen.line(
        f"{rates.replayed} decisions from {rates.since:%Y-%m-%d %H:%M:%S} to {rates.until:%Y-%m-%d %H:%M:%S} UTC: "
        f"{rates.sampling}"
    )
    heads = ("stage", "equal", "within tolerance", "recorded", "not run", "different", "rate")
    counted: list[tuple[Any, ...]] = []
    for one in (rates.whole, *rates.stages):
        run = one.equal + one.within_tolerance + one.different
        share = f"{100 * (one.equal + one.within_tolerance) / run:.3f} %" if run else ""
        counted.append((one.stage, one.equal, one.within_tolerance, one.recorded, one.not_run, one.different, share))
    screen.table(heads, counted, none="")
    if rates.listed:
        screen.line("Not equal:")
        screen.table(
            ("decision", "point", "result", "stage", "what"),
            ((one.decision, one.point, _words(one.status), one.stage, one.what) for one in rates.listed),
            none="",
        )
    screen.lines(f"note: {note}" for note in rates.notes)
