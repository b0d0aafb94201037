"""What a page is asked for in its address: a form also sends the fields that were left empty, and they say nothing."""

from __future__ import annotations

import urllib.parse
from typing import TypeVar

import msgspec

from interlock.api.reading import read_query
from interlock.console.visit import Visit

T = TypeVar("T", bound=msgspec.Struct)


def asked_of(visit: Visit, kind: type[T]) -> T:
    """The parameters of the query that say anything.

    Raises:
        ManyRefused: one is unknown, repeated or not of its form.
    """
    pairs = [(name, str(value)) for name, value in visit.query_params.multi_items()]
    return read_query([(name, value) for name, value in pairs if value.strip()], kind)


def address(path: str, **wanted: object) -> str:
    """A page's address with what it is asked for, as far as that says anything."""
    said = {name: str(value) for name, value in wanted.items() if value is not None and value != ""}
    return f"{path}?{urllib.parse.urlencode(said)}" if said else path
