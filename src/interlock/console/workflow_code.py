"""The order of a workflow's steps, as its code writes them: decide, act, review, ask, wait. Pure but for the source.

The code is read, never run. What it does depends on the case, so the order is that of the text; a name that is not
written out in the call is not told.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

import msgspec

from interlock.cases.workflow import Workflow

_STEPS = frozenset({"decide", "act", "review", "ask", "wait", "event"})


class CodeStep(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the case in the workflow's code.

    Attributes:
        kind: decide, act, review, ask, event or wait.
        name: The point, action, question, event or timer.
        rests_on: The decision point whose decision an action names in ``because``; empty: none that is written there.
    """

    kind: str
    name: str
    rests_on: str = ""


def steps_of(workflow: Workflow) -> tuple[CodeStep, ...]:
    """The steps in the order of the code; none where its source is not at hand."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(workflow.body)))
    except (OSError, TypeError, SyntaxError):
        return ()
    return steps_in(tree)


def steps_in(tree: ast.AST) -> tuple[CodeStep, ...]:
    """The steps of a parsed function whose first parameter is the case."""
    body = next((one for one in ast.walk(tree) if isinstance(one, ast.AsyncFunctionDef | ast.FunctionDef)), None)
    if body is None or not body.args.args:
        return ()
    calls = sorted(_calls(body, body.args.args[0].arg), key=lambda one: (one.lineno, one.col_offset))
    decided = dict(_decided(body))
    found: dict[CodeStep, None] = {}
    for call in calls:
        name = _first(call)
        if not name:
            continue
        because = next((one.value for one in call.keywords if one.arg == "because"), None)
        rests_on = decided.get(because.id, "") if isinstance(because, ast.Name) else ""
        found.setdefault(CodeStep(kind=_kind(call), name=name, rests_on=rests_on), None)
    return tuple(found)


def _calls(tree: ast.AST, case: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and _kind(node) in _STEPS
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == case
        ):
            yield node


def _decided(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that hold a decision, each with its point."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Await):
            call = node.value.value
            if isinstance(call, ast.Call) and _kind(call) == "decide":
                yield node.targets[0].id, _first(call)


def _kind(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _first(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
