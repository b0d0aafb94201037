"""What a workflow's file refers to, loaded: contracts, components, checks.

A library of files serves one workflow; ``for_tenant`` gives what counts in one tenant at this moment: what is published
there, and else, in development, the files. A decision takes that once and uses it from beginning to end.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import msgspec

from interlock.archive.build import InForce as KeptInForce
from interlock.archive.store import Manifest
from interlock.components.component import Answer, Component, ComponentRef, Kind
from interlock.components.finding import Finding
from interlock.components.registry import load_component
from interlock.components.rules import Rules
from interlock.contracts import Catalog, Contract, ContractRef, check, load_catalog
from interlock.contracts.catalog import IN_FORCE
from interlock.errors import ArchiveRefused, DeclarationInvalid, NotFound, PublicationUnusable, Violation
from interlock.publications.publication import Kind as Published
from interlock.publications.publication import Reference
from interlock.publications.watch import InForce, Publications, Snapshot

if TYPE_CHECKING:  # who asks no language model does not pay for an HTTP client
    from interlock.components.llm.provider import Providers

Check = Callable[[Mapping[str, Any], Answer, datetime], tuple[Finding, ...]]
T = TypeVar("T", Rules, Contract)


class Library:
    """The contracts, components and checks of one workflow, as its folders hold them.

    Args:
        roots: Folders that hold ``contracts`` and ``components``, in order of search.
        only_published: Whether rules and contracts count only as published, so that no file of theirs is read.

    Attributes:
        providers: Whom its language models ask; None where nothing is decided.
        references: What its workflow's file names that can be published.
        kept: The build that these files are part of, once all of it is in the archive.
        build: Its digest, which every decision names.
    """

    def __init__(self, roots: Sequence[Path], *, only_published: bool = False) -> None:
        self.roots = tuple(roots)
        self.only_published = only_published
        self.providers: Providers | None = None
        self.references: frozenset[Reference] = frozenset()
        self.kept: Manifest | None = None
        self.build: bytes | None = None
        self._catalog: Catalog | None = None
        self._contracts: dict[str, Contract] = {}
        self._names: dict[str, str] = {}
        self._components: dict[ComponentRef, Component] = {}
        self._checks: dict[str, Check] = {}

    def keep(self, kept: Manifest) -> None:
        """Say in which build these files are kept; from now on decisions name it.

        INVARIANT: a contract that decides is one that is kept, whether it is loaded before this or after.

        Raises:
            ArchiveRefused: contracts that are loaded are not those that are kept.
        """
        self.kept, self.build = kept, kept.digest
        if self._catalog is not None:
            _see_kept(self._catalog, kept)

    def for_tenant(self, tenant: UUID) -> Library:  # noqa: ARG002 - files are every tenant's
        """What counts in a tenant at this moment; without publications, the files."""
        return self

    def contract(self, reference: str) -> Contract:
        """A contract by ``name@version``.

        Raises:
            NotFound: there is none that is in force; what there is, is named.
            PublicationUnusable: it is published, and this process cannot load it.
        """
        found = self._contracts.get(reference)
        if found is None:
            found = self._contracts[reference] = self._find_contract(reference)
        return found

    def contract_files(self, name: str) -> tuple[Contract, ...]:
        """The contracts of a name that stand in files and count where nothing is published."""
        if self.only_published:
            return ()
        return tuple(one for one in self._files_of_contracts() if one.name == name and one.status in IN_FORCE)

    def contract_name(self, reference: str) -> str | None:
        """A contract's whole name, ``name@1.2.0``, also of one that cannot be loaded; None for no reference."""
        found = self._names.get(reference)
        if found is None and reference:
            found = self._names[reference] = self._name(reference)
        return found

    def violations(self, reference: str, value: Any) -> tuple[Violation, ...]:
        """What of a contract a value breaks."""
        return check(self.contract(reference), value)

    def component(self, reference: ComponentRef) -> Component:
        """A component that computes its answer.

        Raises:
            Refused: there is none, or it cannot be loaded.
            PublicationUnusable: it is published, and this process cannot load it.
        """
        found = self._components.get(reference)
        if found is None:
            found = self._components[reference] = self._find_component(reference)
        return found

    def check(self, reference: str) -> Check:
        """A check by ``module:function``.

        Raises:
            DeclarationInvalid: there is no such function.
        """
        if reference not in self._checks:
            module, _, name = reference.partition(":")
            try:
                self._checks[reference] = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError) as cause:
                wrong = Violation(where="checks", what=str(cause), rule="check", todo="write module:function")
                raise DeclarationInvalid(f"there is no check {reference}", (wrong,)) from cause
        return self._checks[reference]

    def trying(self, reference: ComponentRef, rules: Rules) -> Library:
        """This library, as it would be with these rules in the place of what a reference means."""
        published = rules_reference(reference)
        tried = InForce(version=rules.ref.version, digest=rules.digest, loaded=rules)
        return PublishedLibrary(self, {published: tried} if published else {}, only_published=False)

    def _name(self, reference: str) -> str:
        return self.contract(reference).reference

    def _find_contract(self, reference: str) -> Contract:
        if self.only_published:
            raise not_published(contract_reference(reference))
        return self._files_of_contracts().find(reference)

    def _files_of_contracts(self) -> Catalog:
        if self._catalog is None:
            found = load_catalog(*(root / "contracts" for root in self.roots))
            if self.kept is not None:
                _see_kept(found, self.kept)
            self._catalog = found
        return self._catalog

    def _find_component(self, reference: ComponentRef) -> Component:
        published = rules_reference(reference)
        if self.only_published and published is not None:
            raise not_published(published)
        return load_component(reference, self.roots, lambda: self.providers)


class PublishedLibrary(Library):
    """What counts in one tenant at one moment: what is published before what the files hold. It never changes.

    Args:
        files: What the workflow's folders hold.
        snapshot: What is published in this tenant.
        only_published: Whether rules and contracts count only as published.
        tenant: Which tenant.
    """

    def __init__(self, files: Library, snapshot: Snapshot, *, only_published: bool, tenant: UUID | None = None) -> None:
        super().__init__(files.roots, only_published=only_published)
        self._files = files
        self.snapshot = snapshot
        if files.kept is not None and tenant is not None:
            self.kept = published_build(files.kept, tenant, snapshot, files.references)
            self.build = self.kept.digest

    def check(self, reference: str) -> Check:
        """A check by ``module:function``: code, which is not published."""
        return self._files.check(reference)

    def _name(self, reference: str) -> str:
        wanted = contract_reference(reference)
        found = self.snapshot.get(wanted)
        return f"{wanted.name}@{found.version}" if found else super()._name(reference)

    def _find_contract(self, reference: str) -> Contract:
        published = contract_reference(reference)
        found = self.snapshot.get(published)
        if found is None and self.only_published:
            raise not_published(published)
        if found is None:
            return self._files.contract(reference)
        return _usable(found, Contract)

    def _find_component(self, reference: ComponentRef) -> Component:
        published = rules_reference(reference)
        found = self.snapshot.get(published) if published else None
        if found is None and published and self.only_published:
            raise not_published(published)
        if found is None:
            return self._files.component(reference)
        return _usable(found, Rules)


class SharedLibrary(Library):
    """A workflow's library in a process that watches what is published.

    Args:
        files: What the workflow's folders hold.
        publications: What is published.
        only_published: Whether rules and contracts count only as published.
    """

    def __init__(self, files: Library, publications: Publications, *, only_published: bool) -> None:
        super().__init__(files.roots, only_published=only_published)
        self._files = files
        self._publications = publications
        self._by_tenant: dict[UUID, PublishedLibrary] = {}

    def contract_files(self, name: str) -> tuple[Contract, ...]:
        """The contracts of a name that stand in files and count where nothing is published."""
        return () if self.only_published else self._files.contract_files(name)

    def for_tenant(self, tenant: UUID) -> Library:
        """What counts in a tenant at this moment."""
        snapshot = self._publications.of(tenant)
        known = self._by_tenant.get(tenant)
        if known is None or known.snapshot is not snapshot:
            known = self._by_tenant[tenant] = PublishedLibrary(
                self._files, snapshot, only_published=self.only_published, tenant=tenant
            )
        return known


def _see_kept(catalog: Catalog, kept: Manifest) -> None:
    there = {file.sha256 for path, file in kept.build.files.items() if path.split("/")[1:2] == ["contracts"]}
    loaded = {one.digest.hex(): one.reference for one in catalog}
    if loaded.keys() != there:
        named = (
            ", ".join(sorted(loaded[one] for one in loaded.keys() - there))
            or "one is not there any more, or came later"
        )
        raise ArchiveRefused(
            f"contracts changed while they were being kept: {named}", todo="start again once the files are whole"
        )


def published_build(files: Manifest, tenant: UUID, snapshot: Snapshot, references: frozenset[Reference]) -> Manifest:
    """The build of a tenant that has published some of what a workflow names; else that of the files. Pure.

    Args:
        files: The build of the files.
        tenant: Whose publications count.
        snapshot: What counts in it.
        references: What the workflow's file names.
    """
    named = sorted((one for one in references if one in snapshot), key=lambda one: (one.kind, one.name, one.version))
    if not named:
        return files
    published = tuple(
        KeptInForce(
            kind=str(one.kind),
            name=one.name,
            wanted=one.version,
            version=snapshot[one].version,
            sha256=snapshot[one].digest.hex(),
        )
        for one in named
    )
    return Manifest.of(msgspec.structs.replace(files.build, tenant=str(tenant), published=published))


def contract_reference(text: str) -> Reference:
    """A workflow's reference to a contract.

    Raises:
        ContractInvalid: it is none.
    """
    wanted = ContractRef.parse(text)
    return Reference(Published.CONTRACT, wanted.name, str(wanted.exact or wanted.major))


def rules_reference(reference: ComponentRef) -> Reference | None:
    """A workflow's reference to rules; None for another kind of component, which is not published."""
    return Reference(Published.RULES, reference.name, reference.version) if reference.kind is Kind.RULES else None


def not_published(reference: Reference) -> NotFound:
    """The error that says that a reference counts only as published, and is not."""
    what, file = ("rules", ".rules.json") if reference.kind is Published.RULES else ("contracts", ".odcs.yaml")
    return NotFound(
        f"nothing is published for {reference.kind} {reference}, and the mode is production",
        todo=f"interlock {what} publish {reference}{file} --why ...",
    )


def _usable(found: InForce, kind: type[T]) -> T:
    """What was loaded.

    Raises:
        PublicationUnusable: this process cannot load it.
    """
    if isinstance(found.loaded, kind):
        return found.loaded
    cause = found.why_not
    raise PublicationUnusable(cause.what if cause else "it is of another kind", todo=cause.todo if cause else "")
