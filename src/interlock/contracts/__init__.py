"""What data must look like, agreed between who makes it and who uses it, and held to on every record.

All bytes from outside come through ``read_json``; what is in them is held against a ``Contract`` by ``check``, which
names every violation, and many records together by ``check_batch``. Contracts are Open Data Contract Standard files,
read by ``load_contract``; ``Catalog`` finds them by the name that workflows use, and ``publishable`` refuses a new
version that breaks without saying so.

Invariants: nothing is coerced, dropped or guessed; fields that the contract does not name are refused; amounts are
exact decimals in strings, never floats; everything that a contract's file demands is enforced, refused at loading, or
named in ``Contract.not_enforced``; no input makes a check raise, or cost more than the contract allows.
"""

from interlock.contracts.batch import BatchCheck, BatchVerdict, check_batch
from interlock.contracts.canonical import canonical, digest
from interlock.contracts.catalog import Catalog, load_catalog
from interlock.contracts.check import check, require
from interlock.contracts.compile import json_schema
from interlock.contracts.contract import (
    Contract,
    ContractRef,
    Field,
    Rule,
    RuleKind,
    ServiceLevel,
    Shape,
    Status,
    Version,
)
from interlock.contracts.door import read_json
from interlock.contracts.evolve import Break, Party, compatible, publishable
from interlock.contracts.measure import Measure, Metric
from interlock.contracts.odcs import load_contract, parse_contract

__all__ = [
    "BatchCheck",
    "BatchVerdict",
    "Break",
    "Catalog",
    "Contract",
    "ContractRef",
    "Field",
    "Measure",
    "Metric",
    "Party",
    "Rule",
    "RuleKind",
    "ServiceLevel",
    "Shape",
    "Status",
    "Version",
    "canonical",
    "check",
    "check_batch",
    "compatible",
    "digest",
    "json_schema",
    "load_catalog",
    "load_contract",
    "parse_contract",
    "publishable",
    "read_json",
    "require",
]
