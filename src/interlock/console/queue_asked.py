"""What the address of the queue asks for: its query is the filter, so that a view is a link."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar import Response

from interlock.console.visit import Visit
from interlock.errors import Refused
from interlock.oversight.work import WorkFilter
from interlock.oversight.work_filter import KEYS, LONGEST, query_of, read_filter

PATH = "/console/queue"
_BESIDE = ("after", "told")


class QueueAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        work: The filter.
        query: The same as text, in its one form.
        after: From where on.
        told: What has just happened.
        wrong: Why the filter cannot be read; None: it can. What was typed stands in ``query`` all the same.
    """

    work: WorkFilter
    query: str
    after: str | None
    told: str
    wrong: Refused | None = None

    def address(self, path: str, **more: str | None) -> str:
        """An address that asks for the same."""
        told = urlencode([*parse_qsl(self.query), *((name, value) for name, value in more.items() if value)])
        return f"{path}?{told}" if told else path


def read_asked(visit: Visit) -> QueueAsked:
    """What a request asks for.

    Raises:
        Refused: no such filter, or a value that cannot be read.
    """
    pairs = [(name, str(value)) for name, value in visit.query_params.multi_items()]
    beside = dict(pair for pair in pairs if pair[0] in _BESIDE)
    work = read_filter([pair for pair in pairs if pair[0] not in _BESIDE])
    return QueueAsked(work=work, query=query_of(work), after=beside.get("after") or None, told=beside.get("told", ""))


def read_typed(visit: Visit) -> QueueAsked:
    """The same for a person who typed it: a value that cannot be read stays as it is, with what is wrong with it.

    Raises:
        Refused: no such filter.
    """
    try:
        return read_asked(visit)
    except Refused as cause:
        if cause.where not in KEYS:
            raise
        typed = [(name, str(value)[:LONGEST]) for name, value in visit.query_params.multi_items() if name in KEYS]
        return QueueAsked(work=WorkFilter(), query=urlencode(typed), after=None, told="", wrong=cause)


def to_path(path: str) -> Response[bytes]:
    """Where a form leads when it is done: the browser asks for that page."""
    return Response(b"", status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})
