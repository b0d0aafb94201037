"""Keeps workflow code replayable while it runs: no threads, no tasks, no files, no sockets, no sleeping.

Workflow code runs between two awaits without a running event loop, so ``asyncio.gather``, ``create_task`` and
``to_thread`` raise by themselves; a hook on Python's audit events (PEP 578) refuses the rest. Python 3.11 has no audit
events for threads and sleeping, so there the calls themselves are watched. What looks at time, randomness or the
environment is refused when the workflow is declared, by reading its code.
"""

from __future__ import annotations

import _thread
import ast
import asyncio
import inspect
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from types import FrameType
from typing import Any

from interlock.errors import WorkflowMisuse

_TODO_FLAG = "await case.flag(name, default)"
_TODO = "do it in a case.step, or ask the case: case.now(), case.random(), case.new_id(), case.wait(), case.gather()"

_REFUSED = {
    "_thread.start_new_thread": "started a thread",
    "_thread.start_joinable_thread": "started a thread",
    "open": "opened a file",
    "socket.__new__": "opened a socket",
    "socket.connect": "connected a socket",
    "subprocess.Popen": "started a process",
    "os.system": "started a process",
    "os.fork": "forked",
    "time.sleep": "slept",
}

_UNREPLAYABLE: dict[str, frozenset[str] | None] = {
    "time": None,
    "random": None,
    "secrets": None,
    "threading": None,
    "asyncio": None,
    "datetime": frozenset({"now", "utcnow", "today"}),
    "date": frozenset({"today"}),
    "uuid": frozenset({"uuid1", "uuid4", "uuid6", "uuid7"}),
    "os": None,
}
_BARE = {"open", "input", "uuid4", "time_ns", "perf_counter", "monotonic", "token_hex", "getenv"}

_FLAG_CALLS = frozenset(
    f"get_{kind}_{what}{suffix}"
    for kind in ("boolean", "string", "integer", "float", "object")
    for what in ("value", "details")
    for suffix in ("", "_async")
)
"""What OpenFeature's clients are asked by: a flag that is evaluated past the journal is another on replay."""

_CALLS: dict[object, str] = {time.sleep: "slept", _thread.start_new_thread: "started a thread"}
_MUST_WATCH_CALLS = sys.version_info < (3, 12)

_here = threading.local()


def _audit(event: str, _: tuple[Any, ...]) -> None:
    if getattr(_here, "workflow", "") and event in _REFUSED:
        raise WorkflowMisuse(f"the workflow {_here.workflow} {_REFUSED[event]}", todo=_TODO)


sys.addaudithook(_audit)


def _watch(_: FrameType, event: str, called: object) -> None:
    if event == "c_call" and isinstance(called, Hashable) and called in _CALLS:
        raise WorkflowMisuse(f"the workflow {_here.workflow} {_CALLS[called]}", todo=_TODO)


@contextmanager
def inside_workflow(name: str) -> Generator[None]:
    """While workflow code runs: no event loop, and the audit hook refuses."""
    loop = asyncio._get_running_loop()  # noqa: SLF001 - made for those who drive coroutines themselves
    asyncio._set_running_loop(None)  # noqa: SLF001 - the same
    _here.workflow = name
    watching = sys.getprofile()
    if _MUST_WATCH_CALLS:
        sys.setprofile(_watch)
    try:
        yield
    finally:
        if _MUST_WATCH_CALLS:
            sys.setprofile(watching)
        _here.workflow = ""
        asyncio._set_running_loop(loop)  # noqa: SLF001 - the same


def workflow_here() -> str:
    """The workflow whose code runs in this thread at this moment; empty if none does."""
    return getattr(_here, "workflow", "")


def check_code(function: Callable[..., Any]) -> None:
    """See that a workflow's own body asks no clock, no dice and no environment.

    Raises:
        WorkflowMisuse: it does; names file, line and what was called.
    """
    source, first = inspect.getsourcelines(function)
    file = inspect.getsourcefile(function) or "?"
    for node in ast.walk(ast.parse(textwrap.dedent("".join(source)))):
        called = _unreplayable(node)
        if called:
            is_flag = called.rpartition(".")[2] in _FLAG_CALLS
            raise WorkflowMisuse(
                f"the workflow {function.__name__} uses {called}, which another run would answer otherwise",
                where=f"{file}:{first + getattr(node, 'lineno', 1) - 1}",
                todo=_TODO_FLAG if is_flag else _TODO,
            )


def _unreplayable(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        owner = _last_name(node.value)
        names = _UNREPLAYABLE.get(owner, frozenset())
        if names is None or node.attr in names:
            return f"{owner}.{node.attr}"
        if node.attr in _FLAG_CALLS:
            return f"{owner}.{node.attr}".lstrip(".")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BARE:
        return f"{node.func.id}()"
    return ""


def _last_name(node: ast.AST) -> str:
    """The name before the last point: ``datetime`` for ``datetime.datetime.now``; empty for anything but names."""
    if isinstance(node, ast.Attribute):
        return node.attr if _last_name(node.value) else ""
    return node.id if isinstance(node, ast.Name) else ""
