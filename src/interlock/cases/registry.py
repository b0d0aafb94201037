"""The workflows that a process carries, each with its file and what the file refers to, loaded and checked at start."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from interlock.cases.autonomy_check import check_autonomy
from interlock.cases.declaration import Declaration, load_declaration
from interlock.cases.feature_check import check_features
from interlock.cases.following import follow
from interlock.cases.prompt_check import check_prompts
from interlock.cases.purpose_check import check_purpose
from interlock.cases.then_entry import check_then
from interlock.cases.workflow import Workflow
from interlock.components.component import ComponentRef, Kind
from interlock.contracts import Contract, ContractRef
from interlock.decisions.library import Library, SharedLibrary, contract_reference, rules_reference
from interlock.decisions.point import DecisionPoint
from interlock.decisions.policy import check_policy
from interlock.errors import (
    ArchiveRefused,
    ConfigInvalid,
    DeclarationInvalid,
    InterlockError,
    NotFound,
    PublicationUnusable,
    Violation,
)
from interlock.privacy.vault import Vault
from interlock.publications.publication import Reference
from interlock.publications.watch import Publications

if TYPE_CHECKING:  # who asks no language model does not pay for an HTTP client
    from interlock.components.llm.provider import Providers


@dataclass(frozen=True, slots=True)
class Registered:
    """A workflow that can run.

    Attributes:
        workflow: Its code.
        declaration: Its file.
        library: What the file refers to, loaded.
        vault: Makes and opens tokens of personal data; None: what its contracts mark is refused.
    """

    workflow: Workflow
    declaration: Declaration
    library: Library
    vault: Vault | None = None

    def for_tenant(self, tenant: UUID) -> Registered:
        """The same workflow, with what counts in a tenant now; take it once for all that belongs together."""
        return replace(self, library=self.library.for_tenant(tenant))

    @property
    def contracts(self) -> tuple[str, ...]:
        """The contracts that the workflow's cases and decisions rest on."""
        points = self.declaration.decisions.values()
        return tuple(dict.fromkeys((self.declaration.contract, *(point.input for point in points if point.input))))

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the file names that can be published."""
        declaration = self.declaration
        contracts = [declaration.contract, *(event.contract for event in declaration.events.values())]
        contracts += declaration.answers.values()
        components: list[ComponentRef] = []
        for point in declaration.decisions.values():
            contracts += [point.input, point.output, *(feature.contract for feature in point.features)]
            components += [share.component for choice in point.steps for share in choice.shares]
            components += [one for one in (point.policy, point.data.component) if one is not None]
        found = [contract_reference(one) for one in contracts if one]
        return (*found, *(one for one in map(rules_reference, components) if one))


class Registry:
    """The workflows of one process, by name and by the content of their code."""

    def __init__(self, registered: Sequence[Registered]) -> None:
        self._entries = tuple(registered)
        self._by_name = {entry.workflow.name: entry for entry in registered}
        self._by_code = {entry.workflow.code: entry for entry in registered}
        self._following = {
            (entry.workflow.name, point.name): replace(entry, workflow=follow(entry.workflow, point))
            for entry in registered
            for point in entry.declaration.decisions.values()
            if point.then
        }
        self._by_code |= {entry.workflow.code: entry for entry in self._following.values()}

    @property
    def all(self) -> tuple[Registered, ...]:
        """Every workflow, by name."""
        return tuple(self._by_name[name] for name in sorted(self._by_name))

    @property
    def codes(self) -> tuple[UUID, ...]:
        """The versions that this process carries."""
        return tuple(self._by_code)

    @property
    def names(self) -> tuple[str, ...]:
        """The workflows whose cases this process can end, by whatever code they began."""
        return tuple(self._by_name)

    def following(self, workflow: str, point: str) -> Workflow | None:
        """The code of the cases that follow the decisions of a point, if it declares that anything does."""
        entry = self._following.get((workflow, point))
        return entry.workflow if entry else None

    def find(self, name: str) -> Registered | None:
        """A workflow by its name, if this process carries one."""
        return self._by_name.get(name)

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

    @property
    def references(self) -> tuple[Reference, ...]:
        """What the workflows' files name that can be published: rules and contracts."""
        return tuple(dict.fromkeys(one for entry in self._entries for one in entry.references))

    def connect(self, providers: Providers) -> None:
        """Say whom the language models of these workflows ask; before ``joined``."""
        for entry in self._entries:
            entry.library.providers = providers

    def measured(self, tenant: UUID) -> list[Contract]:
        """The contracts of data that count in a tenant now, one for each line; what cannot be loaded is left out.

        Those that promise no service level are among them: a version may have given up what the one before promised.
        """
        found: dict[str, Contract] = {}
        for entry in self._entries:
            library = entry.library.for_tenant(tenant)
            for reference in entry.contracts:
                try:
                    contract = library.contract(reference)
                except InterlockError:
                    continue
                found[contract.line] = contract
        return list(found.values())

    def contract_files(self, name: str) -> tuple[Contract, ...]:
        """The contracts of a name that stand in files beside these workflows and count where nothing is published."""
        return tuple(dict.fromkeys(one for entry in self._entries for one in entry.library.contract_files(name)))

    @property
    def autonomous(self) -> frozenset[tuple[str, str]]:
        """Workflow and name of the points that declare their autonomy."""
        return frozenset(
            (entry.workflow.name, point.name)
            for entry in self._entries
            for point in entry.declaration.decisions.values()
            if point.autonomy is not None
        )

    @property
    def lines(self) -> frozenset[str]:
        """The lines, ``receipt@1``, of the contracts that decisions and cases rest on."""
        named = (ContractRef.parse(one) for entry in self._entries for one in entry.contracts)
        return frozenset(f"{one.name}@{one.major}" for one in named)

    def joined(
        self, publications: Publications, *, only_published: bool = False, vault: Vault | None = None
    ) -> Registry:
        """The same workflows, with what is published in each tenant.

        Args:
            publications: What is published.
            only_published: Whether rules and contracts count only as published.
            vault: Makes and opens tokens of personal data.
        """
        shared = [
            replace(
                entry, vault=vault, library=SharedLibrary(entry.library, publications, only_published=only_published)
            )
            for entry in self._entries
        ]
        return Registry(shared)

    def check(self, tenant: UUID) -> None:
        """See that all that the workflows' files refer to is there for a tenant.

        Raises:
            DeclarationInvalid: a file refers to what is neither published nor, in development, in a file.
            ArchiveRefused: a file is not what was kept of it.
        """
        for entry in self._entries:
            problems = _missing(entry.declaration, entry.library.for_tenant(tenant), entry.workflow.file)
            if problems:
                what = f"the file of {entry.workflow.name} refers to what cannot be used"
                raise DeclarationInvalid(what, tuple(problems))

    def carrying(self, code: UUID) -> Registered | None:
        """A workflow by the content of its code, if this process carries it."""
        return self._by_code.get(code)


def load_registry(references: Sequence[str], *, only_published: bool = False, checked: bool = True) -> Registry:
    """Load workflows by ``module:name``, with everything that their files refer to.

    Args:
        references: The workflows.
        only_published: Whether rules and contracts count only as published: then no file of theirs is read.
        checked: Whether what they refer to is looked at now, in files; else by ``Registry.check``, once it is known
            what is published.

    Raises:
        ConfigInvalid: a reference leads to no workflow.
        DeclarationInvalid: a file is wrong, or refers to what is not there.
    """
    return Registry(
        [register(import_workflow(one), only_published=only_published, checked=checked) for one in references]
    )


def register(
    workflow: Workflow, roots: Sequence[Path] = (), *, only_published: bool = False, checked: bool = True
) -> Registered:
    """Load a workflow's file and all that it refers to, so that what is missing is found at start and not at three
    in the morning.

    Raises:
        DeclarationInvalid: the file is wrong, is another workflow's, or refers to what is not there.
    """  # noqa: D205 - one thought
    declaration = load_declaration(workflow.file)
    if declaration.workflow != workflow.name:
        wrong = Violation(where=str(workflow.file), what=f"workflow: {declaration.workflow}", rule="name")
        raise DeclarationInvalid(f"the code calls itself {workflow.name}, its file {declaration.workflow}", (wrong,))
    library = Library((*roots, workflow.folder), only_published=only_published)
    # what counts only as published is looked at when it is known what is: see Registry.check
    problems = [] if only_published or not checked else _missing(declaration, library, workflow.file)
    if problems:
        raise DeclarationInvalid(f"the file of {workflow.name} refers to what cannot be used", tuple(problems))
    return Registered(workflow, declaration, library)


def _missing(declaration: Declaration, library: Library, file: Path) -> list[Violation]:
    problems: list[Violation] = []

    def attempt(key: str, load: Callable[[Any], object], reference: object) -> None:
        problems.extend(_problems(f"{file}: {key}", load, reference))

    attempt("contract", library.contract, declaration.contract)
    for name, point in declaration.decisions.items():
        for contract in filter(None, (point.input, point.output)):
            attempt(f"decisions.{name}", library.contract, contract)
        for share in (share for choice in point.steps for share in choice.shares):
            if share.component.kind is not Kind.PERSON:
                attempt(f"decisions.{name}.components", library.component, share.component)
        attempt(f"decisions.{name}.then", functools.partial(check_then, actions=declaration.actions), point)
        attempt(f"decisions.{name}.on_broken_data", functools.partial(_check_fallback, library), point)
        attempt(f"decisions.{name}.policy", functools.partial(check_policy, library), point)
        attempt(f"decisions.{name}.prompts", functools.partial(check_prompts, library=library), point)
        attempt(f"decisions.{name}.purpose", functools.partial(check_purpose, library=library), point)
        attempt(f"decisions.{name}.features", functools.partial(check_features, library=library), point)
        attempt(f"decisions.{name}.autonomy", functools.partial(check_autonomy, library=library), point)
        for check in point.checks:
            attempt(f"decisions.{name}.checks", library.check, check)
    for name, event in declaration.events.items():
        attempt(f"events.{name}", library.contract, event.contract)
    for kind, answer in declaration.answers.items():
        attempt(f"exceptions: {kind}: answer", library.contract, answer)
    return problems


def _problems(where: str, load: Callable[[Any], object], reference: object) -> Iterator[Violation]:
    """What keeps a reference from being used.

    Raises:
        ArchiveRefused: its file changed while the process started: that is no fault of the workflow's file.
    """
    try:
        load(reference)
    except ArchiveRefused:
        raise
    except PublicationUnusable:
        return  # its point goes to the fallback, and doctor tells; the other points go on
    except InterlockError as cause:
        yield Violation(where=where, what=str(cause), rule="reference", todo=cause.todo)


def _check_fallback(library: Library, point: DecisionPoint) -> None:
    if point.data.component is not None:
        library.component(point.data.component)


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
