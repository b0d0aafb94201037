"""The command line: one file a noun, each command a thin face over the room that does the work.

Invariants it keeps: with ``--json`` standard output holds one JSON document (or one a line, for streams) and nothing
else; errors go to standard error as what, where and what to do; exit codes are those of ``interlock.errors``, 130 for
Ctrl-C; nothing that came from outside reaches a terminal with its control characters.

A command stands in the table of ``interlock.cli.table`` and is imported when it is run, so that ``--help`` is quick.
"""

from interlock.cli.root import app, main

__all__ = ["app", "main"]
