"""The workflows that a process carries, each with its file and what the file refers to, loaded and checked at start."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from interlock.cases.declaration import Declaration, load_declaration
from interlock.cases.workflow import Workflow
from interlock.components.component import Kind
from interlock.decisions.library import Library
from interlock.decisions.policy import check_policy
from interlock.errors import ConfigInvalid, DeclarationInvalid, InterlockError, NotFound, Violation


@dataclass(frozen=True, slots=True)
class Registered:
    """A workflow that can run.

    Attributes:
        workflow: Its code.
        declaration: Its file.
        library: What the file refers to, loaded.
    """

    workflow: Workflow
    declaration: Declaration
    library: Library


class Registry:
    """The workflows of one process, by name and by the content of their code."""

    def __init__(self, registered: Sequence[Registered]) -> None:
        self._by_name = {entry.workflow.name: entry for entry in registered}
        self._by_code = {entry.workflow.code: entry for entry in registered}

    @property
    def all(self) -> tuple[Registered, ...]:
        """Every workflow, by name."""
        return tuple(self._by_name[name] for name in sorted(self._by_name))

    @property
    def codes(self) -> tuple[UUID, ...]:
        """The versions that this process carries."""
        return tuple(self._by_code)

    def named(self, name: str) -> Registered:
        """A workflow by its name.

        Raises:
            NotFound: this process carries none of that name.
        """
        if name not in self._by_name:
            raise NotFound(
                f"there is no workflow {name!r}",
                todo=f"the settings list {', '.join(sorted(self._by_name)) or 'none'} under workflows",
            )
        return self._by_name[name]

    def carrying(self, code: UUID) -> Registered:
        """A workflow by the content of its code."""
        return self._by_code[code]


def load_registry(references: Sequence[str]) -> Registry:
    """Load workflows by ``module:name``, with everything that their files refer to.

    Raises:
        ConfigInvalid: a reference leads to no workflow.
        DeclarationInvalid: a file is wrong, or refers to what is not there.
    """
    return Registry([register(import_workflow(reference)) for reference in references])


def register(workflow: Workflow, roots: Sequence[Path] = ()) -> Registered:
    """Load a workflow's file and all that it refers to, so that what is missing is found at start and not at three
    in the morning.

    Raises:
        DeclarationInvalid: the file is wrong, is another workflow's, or refers to what is not there.
    """  # noqa: D205 - one thought
    declaration = load_declaration(workflow.file)
    if declaration.workflow != workflow.name:
        wrong = Violation(where=str(workflow.file), what=f"workflow: {declaration.workflow}", rule="name")
        raise DeclarationInvalid(f"the code calls itself {workflow.name}, its file {declaration.workflow}", (wrong,))
    library = Library((*roots, workflow.folder))
    problems = _missing(declaration, library, workflow.file)
    if problems:
        raise DeclarationInvalid(f"the file of {workflow.name} refers to what cannot be used", tuple(problems))
    return Registered(workflow, declaration, library)


def _missing(declaration: Declaration, library: Library, file: Path) -> list[Violation]:
    problems: list[Violation] = []

    def attempt(key: str, load: object, reference: object) -> None:
        try:
            load(reference)  # type: ignore[operator]
        except InterlockError as cause:
            problems.append(Violation(where=f"{file}: {key}", what=str(cause), rule="reference", todo=cause.todo))

    attempt("contract", library.contract, declaration.contract)
    for name, point in declaration.decisions.items():
        for contract in filter(None, (point.input, point.output)):
            attempt(f"decisions.{name}", library.contract, contract)
        for share in (share for choice in point.steps for share in choice.shares):
            if share.component.kind is not Kind.PERSON:
                attempt(f"decisions.{name}.components", library.component, share.component)
        attempt(f"decisions.{name}.policy", functools.partial(check_policy, library), point)
        for check in point.checks:
            attempt(f"decisions.{name}.checks", library.check, check)
    for name, event in declaration.events.items():
        attempt(f"events.{name}", library.contract, event.contract)
    return problems


def import_workflow(reference: str) -> Workflow:
    """The workflow that ``module:name`` leads to; its file is not read yet.

    Raises:
        ConfigInvalid: it leads to no workflow.
    """
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as cause:
        raise ConfigInvalid(
            f"{reference!r} leads to no workflow: {cause}", where="workflows", todo="write module:function"
        ) from cause
    if not isinstance(found, Workflow):
        raise ConfigInvalid(f"{reference!r} is no workflow", where="workflows", todo="decorate it with @workflow")
    return found
