"""The root command: settings that every command has, commands imported when they are run, errors told in one way."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from interlock.cli.screen import tell_error
from interlock.cli.table import TABLE
from interlock.errors import InterlockError
from interlock.spelling import meant

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells say it."""


class Commands(TyperGroup):
    """The commands of the table."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer calls it so
        """Their names, in the order of the table."""
        return list(TABLE)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002 - as above
        """One command, imported now."""
        if cmd_name not in TABLE:
            return None
        module = importlib.import_module(f"interlock.cli.{TABLE[cmd_name].module}")
        found = get_group(module.app).commands[cmd_name]
        return found if isinstance(found, (TyperCommand, TyperGroup)) else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was named, or say which one was meant."""
        if args[0] not in TABLE:
            ctx.fail(f"there is no command {args[0]!r}. {meant(args[0], TABLE)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        """The table, without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in TABLE.items()])

    def invoke(self, ctx: Any) -> Any:
        """Run the command; every error ends here, in words and with its exit code."""
        try:
            return super().invoke(ctx)
        except InterlockError as cause:
            tell_error(cause)
            raise typer.Exit(cause.exit_code) from cause
        except KeyboardInterrupt as cause:
            sys.stderr.write("interrupted\n")
            raise typer.Exit(INTERRUPTED) from cause
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as cause:
            if type(cause).__module__.startswith("typer."):
                raise  # a usage error, which typer tells itself
            traceback.print_exc()
            tell_error(InterlockError(f"{type(cause).__name__}: {cause}", todo="this is a fault of ours: report it"))
            raise typer.Exit(InterlockError.exit_code) from cause


app = typer.Typer(
    name="interlock",
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - a tenth of a start's time, for one option

        sys.stdout.write(f"interlock {version('interlock')}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    *,
    database_url: Annotated[str | None, typer.Option(help="postgresql:// URL; empty for an embedded one.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Where the embedded database lives.")] = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant to act for.")] = None,
    log_level: Annotated[str | None, typer.Option(help="The least severity that is logged.")] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The production control plane for AI decisions.

    Settings come from interlock.toml, INTERLOCK_* variables and the options here, the last one winning.
    """
    del show_version
    context.obj = {"database_url": database_url, "data_dir": data_dir, "tenant": tenant, "log_level": log_level}


def main() -> None:
    """The console script."""
    app(prog_name="interlock")
