"""The view of the queue that somebody works in: it goes along from item to item, as the query of its filter. Pure."""

from __future__ import annotations

from urllib.parse import urlencode

from interlock.errors import Refused
from interlock.oversight.work import WorkFilter
from interlock.oversight.work_filter import query_of, read_filter


def view_of(text: str) -> tuple[WorkFilter, str]:
    """The filter that a page or form says it came from, and its query in the one form.

    What cannot be read (forged, too long, of an older version) is the whole queue: an address that somebody was given
    must not keep them from the item that it leads to.
    """
    try:
        work = read_filter(text)
    except (Refused, ValueError):  # of which the last is the reader's own, of too many fields
        return WorkFilter(), ""
    return work, query_of(work)


def within(path: str, view: str, **more: object) -> str:
    """The address of a page within a view."""
    said = {name: str(one) for name, one in {**more, "view": view}.items() if one}
    return f"{path}?{urlencode(said)}" if said else path
