"""A workflow: a plain async function of a case, with a name, a version and the file that declares the rest."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from interlock.cases.case import Case
from interlock.cases.code import code_of
from interlock.cases.guard import check_code
from interlock.db.gates import short_digest
from interlock.errors import WorkflowMisuse

Body = Callable[[Case], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A declared workflow.

    Attributes:
        name: Its name.
        version: As its author writes it.
        body: The function. What it returns is the case's conclusion, a short word; None counts as ``done``.
        code: The content hash, 16 bytes, of its name, the function's module, the project modules that it imports and
            the lock file.
        file: The file that declares owner, decisions and actions: ``NAME.workflow.yaml`` beside the module.
        follows: Whether its cases begin with a decision that is on record already.
        mends: What takes mended data out of quarantine that are neither a case's nor a question's, ``module:NAME``: see
            ``cases.release.Mending``. It is no part of the code that cases run, so a name; empty: there are none.
    """

    name: str
    version: str
    body: Body
    code: UUID
    file: Path
    follows: bool = False
    mends: str = ""

    def start(self, case: Case) -> Coroutine[Any, Any, Any]:
        """The coroutine of one run."""
        return cast("Coroutine[Any, Any, Any]", self.body(case))

    @property
    def folder(self) -> Path:
        """Where its contracts and components stand, unless the settings name other folders."""
        return self.file.parent


def workflow(name: str, *, version: str, file: str | Path | None = None, mends: str = "") -> Callable[[Body], Workflow]:
    """Declare a workflow.

    Args:
        name: Its name, the same as in its file.
        version: As its author writes it.
        file: Its file, if that is not ``NAME.workflow.yaml`` beside the module.
        mends: See ``Workflow``.

    Raises:
        WorkflowMisuse: the function is not async, or its body asks a clock, dice or the environment.
    """

    def declare(body: Body) -> Workflow:
        if not inspect.iscoroutinefunction(body):
            raise WorkflowMisuse(f"the workflow {name} is no async function", todo="write async def")
        check_code(body)
        source = Path(inspect.getsourcefile(body) or "")
        beside = source.with_name(f"{name}.workflow.yaml")
        # A module may hold several workflows; a worker that carries one of them must not claim another's cases.
        code = short_digest(code_of(source).bytes, name.encode())
        return Workflow(name, version, body, code, source.parent / file if file else beside, mends=mends)

    return declare
