"""What a JSON Patch may do with personal data that it does not show: put values there, and take none out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from interlock.contracts import Contract, Field, Shape
from interlock.errors import Refused

_PLACES = {"copy": "from", "move": "from", "test": "path"}


def refuse_reaching(patch: Sequence[Any], contract: Contract) -> None:
    """See that no operation copies, moves or compares what may be personal: the outcome would tell what it is.

    Raises:
        Refused: one does; a field that the contract does not know may hold anything.
    """
    for place, operation in enumerate(patch):
        given = cast("dict[str, Any]", operation) if isinstance(operation, dict) else {}
        op = given.get("op")
        source = given.get(_PLACES[op]) if isinstance(op, str) and op in _PLACES else None
        if isinstance(source, str) and not _is_open(source, contract):
            what = f"{op} reaches what may be personal, and would tell of it"
            raise Refused(what, where=f"/{place}", todo="say the value with add or replace, or mend it by a function")


def _is_open(source: str, contract: Contract) -> bool:
    """Whether a place holds nothing personal: a field that the contract knows, not marked, without marks within."""
    here: Field = contract.record
    path: list[str] = []
    for token in source.split("/")[1:]:
        step = token.replace("~1", "/").replace("~0", "~")
        child = here.item if here.shape is Shape.ARRAY else here.child(step)
        if child is None:
            return False
        path.append("*" if here.shape is Shape.ARRAY else step)
        here = child
    return contract.personal is None or not contract.personal.covers(tuple(path))
