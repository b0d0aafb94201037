"""Values of features over HTTP, as NDJSON: a line a value."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import msgspec
from litestar import Response, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from interlock.api.batch import MOST_BATCH_BYTES, MOST_LINES
from interlock.api.call import Call, encode
from interlock.api.endpoint import MOST_BYTES, Endpoint, says
from interlock.api.keys import Scope
from interlock.cases.feature_lookup import find_stored_feature
from interlock.contracts import read_json
from interlock.db.writer import Writer
from interlock.decisions.features.feature import FeatureRef
from interlock.decisions.features.load import Line, load_values
from interlock.errors import Refused

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class FeatureLine(msgspec.Struct, frozen=True, kw_only=True):
    """One value.

    Attributes:
        entity: What it is about.
        value: The value, of the feature's declared type.
        event_at: Since when it holds, with its time zone.
    """

    entity: str
    value: Any
    event_at: str


class RejectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was not taken.

    Attributes:
        line: Its number, from 1.
        what: What is wrong with it.
    """

    line: int
    what: str


class FeatureLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a load.

    Attributes:
        load: Its id, the subject of its ledger entries.
        feature: The feature.
        read: Lines that were read.
        taken: Values that are on record, from this load or an earlier one; decisions see them from now on.
        rejected: Lines that were not taken.
        why: The first hundred of these.
    """

    load: str
    feature: str
    read: int
    taken: int
    rejected: int
    why: list[RejectedLine]


@post(
    "/v1/features/{feature:str}",
    request_max_body_size=MOST_BATCH_BYTES,
    opt=says(
        Endpoint(
            needs=(Scope.LOAD,),
            act="feature.load",
            takes=FeatureLine,
            gives={200: FeatureLoad},
            refuses=(404, 409),
            seconds=120.0,
            lines=True,
        )
    ),
)
async def load_feature(request: Call, feature: FromPath[str]) -> Response[bytes]:
    """Take values of a feature in. One bad line never stops the rest: the answer names it.

    At most 10,000 lines and 16,000,000 bytes. A load whose answer was lost is sent again whole: what is on record
    already is not recorded twice. When it answers, decisions see the values.
    """
    node, ref = request.node, FeatureRef.parse(feature)
    declared = find_stored_feature(node.registry, request.tenant, ref)
    sent = request.headers.get("content-type", MEDIA_TYPES[0]).partition(";")[0].strip().lower()
    if sent not in MEDIA_TYPES:
        raise HTTPException(status_code=415, detail=f"the body is said to be {sent[:60]}, not {MEDIA_TYPES[0]}")
    lines = [(number, line) for number, line in enumerate((await request.body()).split(b"\n"), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Refused(f"there are {len(lines):,} lines", todo=f"send at most {MOST_LINES:,} at once")
    # A writer of its own: no decision waits behind a chunk of values.
    async with Writer(node.url, node.database.clock, (), node.notifier) as writer:
        report = await load_values(
            node.database,
            writer,
            request.tenant,
            node.database.clock.new_id(),
            declared.feature,
            _read(lines),
            source=f"api:{request.caller.name}",
            violations=declared.library.violations,
        )
    told = FeatureLoad(
        load=str(report.load),
        feature=str(ref),
        read=report.read,
        taken=report.taken,
        rejected=report.rejected,
        why=[RejectedLine(line=one.line, what=one.why) for one in report.told],
    )
    return Response(encode(told) + b"\n", status_code=200, media_type=MEDIA_TYPES[0])


def _read(lines: Iterable[tuple[int, bytes]]) -> Generator[Line]:
    for number, line in lines:
        try:
            yield Line(number, read_json(line, max_bytes=MOST_BYTES))
        except Refused as cause:
            yield Line(number, cause)
