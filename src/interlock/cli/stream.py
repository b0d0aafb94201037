"""One stream in this process."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from interlock.cli.options import Json, commands
from interlock.cli.screen import Screen
from interlock.cli.serving import serve_in_terminal
from interlock.cli.session import begin_logging, load_settings
from interlock.cli.stream_process import find_stream, serve_stream

app = commands()
INTERRUPTED = 128 + signal.SIGINT


@app.command(name="stream")
def run_one(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stream's name in the settings.")],
    *,
    as_json: Json = False,
) -> None:
    """Run one stream of the settings in this process, until SIGTERM or Ctrl-C.

    `interlock up` runs all of them; more processes of one stream share its messages. On the signal it fetches no more,
    lets what is under way end and be acknowledged, and ends within seconds; what was not is delivered again.
    """
    screen = Screen(as_json=as_json)
    settings = load_settings(context)
    terms = find_stream(settings, name)
    begin_logging(settings)
    interrupted = serve_in_terminal(
        lambda ended: serve_stream(settings, terms, ended, lambda: _say_ready(screen, name, terms.target))
    )
    if as_json:
        screen.document({"event": "stopped", "stream": name})
    screen.line("Stopped.")
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def _say_ready(screen: Screen, name: str, target: str) -> None:
    if screen.as_json:
        screen.document({"event": "ready", "stream": name, "target": target})
    screen.line(f"stream {name} -> {target}. Ready. Ctrl-C ends it.")
