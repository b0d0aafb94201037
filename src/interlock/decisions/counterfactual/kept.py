"""What judged a decision, as far as it is still at hand: the point's terms, the tables, the contracts. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from interlock.components.component import Component, ComponentRef
from interlock.components.faults import Faults
from interlock.components.rules import Rules, load_rules
from interlock.components.rules_file import RulesFile, read_rules_file
from interlock.contracts import Contract, ContractRef
from interlock.decisions.library import Library
from interlock.decisions.point import DecisionPoint
from interlock.errors import NotFound, RulesInvalid


@dataclass(frozen=True, slots=True)
class KeptTable:
    """Rules with the content that they were loaded from.

    Attributes:
        rules: Ready to run.
        file: What the file says.
    """

    rules: Rules
    file: RulesFile


@functools.lru_cache(maxsize=32)
def read_table(content: bytes, name: str) -> KeptTable:
    """Rules from their content; loading proves every row, so the last ones are remembered.

    Raises:
        RulesInvalid: this program cannot load them.
    """
    rules = load_rules(content, name)
    file = read_rules_file(content, Faults(name))
    if file is None:
        raise RulesInvalid(f"{name} cannot be read", ())
    return KeptTable(rules, file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What judged one decision.

    Attributes:
        point: The point's terms, by the file whose hash the decision names; None: that file is not at hand.
        tables: The tables that answered or judged, by the exact reference that the decision names, each of the content
            whose hash it names.
        contracts: By whole name, such as ``receipt@1.2.0``.
        lacking: A sentence for each thing that is not at hand.
    """

    point: DecisionPoint | None = None
    tables: Mapping[str, KeptTable]
    contracts: Mapping[str, Contract]
    lacking: tuple[str, ...] = ()


class KeptLibrary(Library):
    """The contracts and tables that are kept, as a library: what is not kept is not found, and no file is read.

    Args:
        kept: What is kept.
    """

    def __init__(self, kept: Kept) -> None:
        super().__init__(())
        self._kept = kept

    def _find_contract(self, reference: str) -> Contract:
        wanted = ContractRef.parse(reference)
        for contract in self._kept.contracts.values():
            if contract.name == wanted.name and contract.version.major == wanted.major:
                return contract
        raise NotFound(f"{reference} is not kept")

    def _find_component(self, reference: ComponentRef) -> Component:
        found = table_of(self._kept, reference)
        if found is None:
            raise NotFound(f"{reference} is not kept")
        return found.rules


def table_of(kept: Kept, reference: ComponentRef) -> KeptTable | None:
    """The kept table that a file's reference meant, which names a line or a whole version."""
    for name, table in kept.tables.items():
        exact = ComponentRef.parse(name)
        if (exact.kind, exact.name) == (reference.kind, reference.name) and is_version_of(exact, reference):
            return table
    return None


def is_version_of(exact: ComponentRef, reference: ComponentRef) -> bool:
    """Whether a reference, which names a line or a whole version, can have meant a version."""
    return f"{exact.version}.".startswith(f"{reference.version}.")
