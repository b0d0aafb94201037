"""All contracts that a process knows, by name and version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from interlock.contracts.contract import Contract, ContractRef, Status
from interlock.contracts.odcs import load_contract
from interlock.errors import ContractInvalid, NotFound, Violation

IN_FORCE = (Status.ACTIVE, Status.DEPRECATED)
"""What a contract must be to count for its line."""


class Catalog:
    """Contracts, found by how a workflow names them.

    Raises:
        ContractInvalid: two contracts of one name and version that differ.
    """

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self._contracts: dict[str, Contract] = {}
        for contract in contracts:
            known = self._contracts.setdefault(contract.reference, contract)
            if known != contract:
                what = f"{contract.reference} is in {known.source} and, with other words, in {contract.source}"
                raise ContractInvalid(what, (), todo="a published version never changes: raise the version of one")

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._contracts.values())

    def find(self, reference: str | ContractRef) -> Contract:
        """The contract that a reference means: of a major version the newest that is active or deprecated.

        A proposed contract is found only by its exact version, and a retired one not at all.

        Raises:
            ContractInvalid: the reference is malformed.
            NotFound: there is none; what there is, is named.
        """
        wanted = ContractRef.parse(reference) if isinstance(reference, str) else reference
        named = [contract for contract in self._contracts.values() if wanted.fits(contract)]
        usable = [contract for contract in named if _usable(contract, wanted)]
        if usable:
            return max(usable, key=lambda contract: contract.version)
        if named:
            told = ", ".join(f"{contract.reference} is {contract.status}" for contract in named)
            raise NotFound(f"{wanted} may not be used: {told}", todo="use another version, or activate this one")
        known = sorted({f"{one.name}@{one.version.major}" for one in self._contracts.values()})
        raise NotFound(f"there is no contract {wanted}", todo=f"known: {', '.join(known) or 'none'}")


def _usable(contract: Contract, wanted: ContractRef) -> bool:
    return contract.status in IN_FORCE or (wanted.exact is not None and contract.status is Status.PROPOSED)


def load_catalog(*folders: Path) -> Catalog:
    """Read every ``*.odcs.yaml`` of some folders.

    Raises:
        ContractInvalid: with everything that is wrong in all of them.
    """
    contracts: list[Contract] = []
    wrong: list[Violation] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.odcs.yaml")):
        try:
            contracts.append(load_contract(path))
        except ContractInvalid as cause:
            alone = Violation(where=cause.where or str(path), what=cause.what, rule="contract", todo=cause.todo)
            wrong += cause.violations or (alone,)
    if wrong:
        raise ContractInvalid("some contracts are not valid", tuple(wrong))
    return Catalog(contracts)
