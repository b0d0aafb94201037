"""By what a decision is found: the row beside it, for points whose contracts declare fields searchable. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock.contracts import Contract
from interlock.db.work import Write
from interlock.errors import InterlockError
from interlock.privacy.vault import Vault
from interlock.search.entry import NO_DIGESTS, Digests, NewSearchable, digests_of, fields_of, terms_of
from interlock.search.store import ADD_SEARCHABLE

if TYPE_CHECKING:
    from interlock.decisions.asked import Asked
    from interlock.decisions.library import Library
    from interlock.decisions.store import NewDecision

MOST_OF_CALLER = 200
"""Characters of a caller's name that are kept for finding: an index holds no row of any length."""


def finding_row(asked: Asked, row: NewDecision, output: Mapping[str, Any] | None) -> Write | None:
    """The row for finding a decision, written in its own commit; None where its contracts declare nothing.

    Args:
        asked: What was asked.
        row: The decision.
        output: What a component answered, if one did.
    """
    given, answered = contracts_of(asked.library, asked.point.input, asked.point.output)
    if not (given and given.searchable) and not (answered and answered.searchable):
        return None
    fields = fields_of(asked.name, given, answered)
    terms = terms_of(fields, asked.value, output, asked.digests)
    return Write(
        ADD_SEARCHABLE,
        NewSearchable(tenant=row.tenant, id=row.id, caller=asked.caller[:MOST_OF_CALLER] or None, **terms),
    )


async def finding_digests(vault: Vault, asked: Asked, output: Mapping[str, Any] | None) -> Digests:
    """The keyed digests of the personal values by which a decision is found; taken before these are hidden.

    Args:
        vault: Has the tenant's secret.
        asked: What was asked, with clear values.
        output: What a component answered, with clear values.
    """
    given, answered = contracts_of(asked.library, asked.point.input, asked.point.output)
    if not any(one.personal for contract in (given, answered) if contract for one in contract.searchable):
        return NO_DIGESTS
    keyed = (await vault.secret(asked.tenant)).value
    return digests_of(fields_of(asked.name, given, answered), asked.value, output, keyed)


def contracts_of(library: Library, given: str, answered: str) -> tuple[Contract | None, Contract | None]:
    """The contracts of a point's input and output; None for one that it lacks, or that cannot be loaded here."""
    return _usable(library, given), _usable(library, answered)


def _usable(library: Library, reference: str) -> Contract | None:
    try:
        return library.contract(reference) if reference else None
    except InterlockError:  # what needs it is refused where it is checked
        return None
