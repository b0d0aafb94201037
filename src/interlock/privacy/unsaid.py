"""What is wrong with personal data, said without saying what they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.contracts import Contract, Field, Shape
from interlock.errors import Refused, Violation
from interlock.privacy.naming import names_person
from interlock.privacy.veil import Veil

STRAY = "personal-data"
"""The rule that a token where none may be breaks."""


def stray_token() -> Violation:
    """A token came from outside: whoever has one of somebody's must not get at what it stands for."""
    return Violation(where="", what="it holds a token of personal data", rule=STRAY, todo="send clear values")


def check_key(key: str, veil: Veil) -> None:
    """See that an idempotency key tells nothing of a person.

    Raises:
        Refused: it repeats a personal value of what it came with.
    """
    if names_person(key, veil):
        raise key_refused()


def key_refused() -> Refused:
    """The error that says that an idempotency key tells something of a person."""
    todo = "name it by what says nothing of a person, such as a number"
    return Refused("the key repeats a personal value, and keys are kept as they are", where="/key", todo=todo)


def no_subject(contract: Contract) -> Violation:
    """A record does not say whose data it is."""
    subject = "".join(f"/{step}" for step in contract.personal.subject) if contract.personal else ""
    return Violation(where=subject, what="it names no subject", rule="subject", todo="say whose data they are")


def without_values(contract: Contract, violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """What is wrong with data that are personal, without what they hold: neither values nor names of unknown fields."""
    if contract.personal is None:
        return tuple(violations)
    return tuple(
        violation
        if violation.rule == STRAY
        else Violation(
            where=_known_place(contract.record, violation.where),
            what=f"it breaks {violation.rule} of {contract.reference}; the data are personal, and not told",
            rule=violation.rule,
            todo="mend what is named and send it again",
        )
        for violation in violations
    )


def _known_place(record: Field, where: str) -> str:
    """A JSON Pointer as far as the contract knows its steps."""
    steps: list[str] = []
    here = record
    for step in where.split("/")[1:]:
        child = here.item if here.shape is Shape.ARRAY and step.isdecimal() else here.child(step)
        if child is None:
            return "".join(f"/{one}" for one in (*steps, "(unknown)"))
        steps.append(step)
        here = child
    return "".join(f"/{one}" for one in steps)
