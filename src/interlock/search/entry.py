"""What a decision is found by, taken from it while it is made. Pure.

Which fields, and where they stand, is worked out once for a pair of contracts and a point; a point without any costs
one look into a table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypedDict, get_args
from uuid import UUID

import msgspec

from interlock.contracts.contract import Contract
from interlock.contracts.searchable import MOST, Searchable
from interlock.search.term import Kind, Span, key_of, kind_of, past_prefix, value_bytes

OUTPUT = "output."
"""With what the name of an output's field begins; that of an input's stands alone."""


class SearchField(NamedTuple):
    """One field of one point.

    Attributes:
        name: As it is written when something is looked for.
        path: Where its value stands in the input or the output.
        shape: What its value is.
        kind: How it is looked for.
        key: With what its terms begin.
    """

    name: str
    path: tuple[str, ...]
    shape: str
    kind: Kind
    key: bytes

    @property
    def of_output(self) -> bool:
        """Whether it is the output's."""
        return self.name.startswith(OUTPUT)

    @property
    def all(self) -> Span:
        """Every term of the field."""
        return Span(self.key, past_prefix(self.key))


class NewSearchable(msgspec.Struct, frozen=True, kw_only=True):
    """A decision's row for finding, on its way in.

    Attributes:
        tenant: Whose.
        id: The decision.
        caller: Who asked, or submitted its case.
        s1: A term, and so on to ``s8``; None where there is none.
    """

    tenant: UUID
    id: UUID
    caller: str | None = None
    s1: bytes | None = None
    s2: bytes | None = None
    s3: bytes | None = None
    s4: bytes | None = None
    s5: bytes | None = None
    s6: bytes | None = None
    s7: bytes | None = None
    s8: bytes | None = None


Slot = Literal["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]
SLOTS: tuple[Slot, ...] = get_args(Slot)


class Terms(TypedDict, total=False):
    """Terms by slot."""

    s1: bytes
    s2: bytes
    s3: bytes
    s4: bytes
    s5: bytes
    s6: bytes
    s7: bytes
    s8: bytes


Digests = Mapping[str, bytes]
"""The keyed digests of personal values, by the field's name as it is written when something is looked for."""
NO_DIGESTS: Digests = {}
Keyed = Callable[[str, bytes], bytes]
"""Makes the digest of a field's value under a key of the tenant; nobody can make it without the key."""


@functools.lru_cache(maxsize=1024)
def fields_of(point: str, given: Contract | None, answered: Contract | None) -> tuple[SearchField, ...]:
    """The fields that decisions of a point are found by: the input's first, in the order of the files, eight at most.

    Args:
        point: The decision point, as ``workflow.point``.
        given: The contract of its input.
        answered: The contract of its output.
    """
    named = [(one.name, one) for one in given.searchable] if given else []
    named += [(OUTPUT + one.name, one) for one in answered.searchable] if answered else []
    return tuple(_field(point, name, one) for name, one in named[:MOST])


def _field(point: str, name: str, one: Searchable) -> SearchField:
    kind = kind_of(one.shape, personal=one.personal)
    return SearchField(name, one.path, one.shape, kind, key_of(point, name, kind))


def terms_of(
    fields: tuple[SearchField, ...],
    given: Mapping[str, Any],
    answered: Mapping[str, Any] | None,
    digests: Digests = NO_DIGESTS,
) -> Terms:
    """The terms of a decision, by slot. A personal value without a digest has none: never does a bare one stand there.

    Args:
        fields: Of its point.
        given: Its input.
        answered: Its output, if a component answered.
        digests: Of its personal values.
    """
    terms: Terms = {}
    for slot, field in zip(SLOTS, fields, strict=False):
        if field.kind is Kind.PERSONAL:
            value = digests.get(field.name)
        else:
            value = value_bytes(field.shape, _value_at(answered if field.of_output else given, field.path))
        if value is not None:
            terms[slot] = field.key + value
    return terms


def digests_of(
    fields: tuple[SearchField, ...], given: Mapping[str, Any], answered: Mapping[str, Any] | None, keyed: Keyed
) -> dict[str, bytes]:
    """The digests of a decision's personal values, taken where these are still clear.

    Args:
        fields: Of its point.
        given: The input, before anything in it is replaced.
        answered: The output, likewise.
        keyed: Makes the digests.
    """
    digests: dict[str, bytes] = {}
    for field in fields:
        if field.kind is Kind.PERSONAL:
            value = value_bytes(field.shape, _value_at(answered if field.of_output else given, field.path))
            if value is not None:
                digests[field.name] = keyed(field.name, value)
    return digests


def _value_at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    return value  # pyright: ignore[reportUnknownVariableType] - JSON
