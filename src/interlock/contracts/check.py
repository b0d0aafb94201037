"""Data against its contract: the verdict, with every violation named. Pure."""

from __future__ import annotations

from typing import Any

from interlock.contracts.compile import compiled
from interlock.contracts.contract import ITEMS, Contract, Rule, RuleKind
from interlock.contracts.explain import Findings, explain
from interlock.contracts.rules import rule_violations
from interlock.contracts.shown import Path
from interlock.errors import ContractViolated, Violation


def check(contract: Contract, value: Any) -> tuple[Violation, ...]:
    """What is wrong with a value; empty if it keeps the contract.

    At most 100 violations are listed, and one more says how many others there are. A rule between fields is left out
    where a field that it reads is itself wrong. No value makes this raise, and none makes it walk further than the
    contract allows.

    Args:
        contract: The contract.
        value: A JSON value, as ``read_json`` returns it, or as a component answers.
    """
    accepted = compiled(contract).accepts(value)
    if accepted and not contract.rules:
        return ()
    found = Findings()
    if not accepted:
        explain(contract.record, value, (), found)
        if not found.violations:
            # The compiled schema is stricter than the walk only for what is no JSON at all, such as a str's subclass.
            found.note(
                Violation(where="", what="the value holds what is not JSON", rule="type", todo="send plain JSON")
            )
            return found.listed()
    if found.more or found.stopped:
        return found.listed()
    for rule in contract.rules:
        if not found.places or not _touched(rule, found.places):
            for violation in rule_violations(rule, contract.record, value):
                found.note(violation)
    return found.listed()


def require(contract: Contract, value: Any, *, where: str = "") -> None:
    """Check a value, and raise what is wrong.

    Raises:
        ContractViolated: with every violation.
    """
    violations = check(contract, value)
    if violations:
        count = "1 violation" if len(violations) == 1 else f"{len(violations)} violations"
        raise ContractViolated(
            f"{count} of {contract.reference}", violations, where=where, todo="mend them and send again"
        )


def _touched(rule: Rule, places: set[Path]) -> bool:
    """Whether something that a rule reads is wrong itself."""
    # How long an array is does not depend on what is wrong inside of it.
    within = rule.kind not in (RuleKind.SAME_LENGTH, RuleKind.REQUIRES)
    reads = rule.operands[:1] if rule.kind is RuleKind.UNIQUE_BY else rule.operands
    return any(_overlap((*rule.scope, operand), place, within=within) for operand in reads for place in places)


def _overlap(read: Path, place: Path, *, within: bool) -> bool:
    if len(place) > len(read) and not within:
        return False
    return all(step in (ITEMS, other) for step, other in zip(read, place, strict=False))
