"""What a workflow's file refers to, loaded: contracts, components, checks."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from interlock.components.component import Answer, Component, ComponentRef
from interlock.components.finding import Finding
from interlock.components.registry import load_component
from interlock.contracts import Contract, check, load_catalog
from interlock.errors import DeclarationInvalid, Violation

Check = Callable[[Mapping[str, Any], Answer, datetime], tuple[Finding, ...]]


class Library:
    """The contracts, components and checks of one workflow.

    Args:
        roots: Folders that hold ``contracts`` and ``components``, in order of search.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self._catalog = load_catalog(*(root / "contracts" for root in self.roots))
        self._contracts: dict[str, Contract] = {}
        self._components: dict[ComponentRef, Component] = {}
        self._checks: dict[str, Check] = {}

    def contract(self, reference: str) -> Contract:
        """A contract by ``name@version``.

        Raises:
            NotFound: there is none that is in force; what there is, is named.
        """
        if reference not in self._contracts:
            self._contracts[reference] = self._catalog.find(reference)
        return self._contracts[reference]

    def violations(self, reference: str, value: Any) -> tuple[Violation, ...]:
        """What of a contract a value breaks."""
        return check(self.contract(reference), value)

    def component(self, reference: ComponentRef) -> Component:
        """A component that computes its answer.

        Raises:
            Refused: there is none, or it cannot be loaded.
        """
        if reference not in self._components:
            self._components[reference] = load_component(reference, self.roots)
        return self._components[reference]

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
