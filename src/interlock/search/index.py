"""Making decisions findable that were taken before their contract declared a field searchable. Pure.

What a row holds already is kept where it cannot be made again: personal terms, whose values are stored only as tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from interlock.search.entry import SLOTS, NewSearchable, SearchField, terms_of
from interlock.search.store import ToIndex
from interlock.search.term import KEY_BYTES, Kind


def renewed(tenant: UUID, decision: ToIndex, fields: Sequence[SearchField]) -> NewSearchable | None:
    """The row by which a decision is to be found; None where it is that one already.

    Args:
        tenant: Whose.
        decision: With the row that is there.
        fields: Of its point, as the contracts in force declare them.
    """
    there: dict[str, bytes | None] = {slot: getattr(decision, slot) for slot in SLOTS}
    by_key = {term[:KEY_BYTES]: term[KEY_BYTES:] for term in there.values() if term is not None}
    digests = {field.name: by_key[field.key] for field in fields if field.kind is Kind.PERSONAL and field.key in by_key}
    output: Any = msgspec.json.decode(decision.output) if decision.output is not None else None
    terms = terms_of(tuple(fields), msgspec.json.decode(decision.input), output, digests)
    if all(terms.get(slot) == there[slot] for slot in SLOTS):
        return None
    return NewSearchable(tenant=tenant, id=decision.id, **terms)
