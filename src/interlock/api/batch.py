"""Many cases at once, as NDJSON: a line a case, and a line for each in answer, in the same order."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from litestar import Response, post
from litestar.exceptions import HTTPException

from interlock.api.bodies import BatchQuery, CaseLine
from interlock.api.call import Call, encode
from interlock.api.documents import LineAnswer, Submission
from interlock.api.endpoint import MOST_BYTES, Endpoint, says
from interlock.api.keys import Scope
from interlock.api.problems import problem_of
from interlock.api.reading import read_body
from interlock.api.submitting import take_in
from interlock.cases.registry import Registered
from interlock.contracts import BatchCheck, canonical, read_json
from interlock.errors import ContractViolated, InterlockError, Refused, Violation

log = logging.getLogger("interlock.api")

MOST_LINES = 10_000
MOST_BATCH_BYTES = 16_000_000
_AT_ONCE = 256
_MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@post(
    "/v1/cases/batch",
    request_max_body_size=MOST_BATCH_BYTES,
    opt=says(
        Endpoint(
            needs=(Scope.SUBMIT,),
            act="case.submit",
            asks=BatchQuery,
            takes=CaseLine,
            gives={200: LineAnswer},
            refuses=(404, 422),
            seconds=120.0,
            lines=True,
        )
    ),
)
async def submit_batch(request: Call) -> Response[bytes]:
    """Take many cases in. One bad line never stops the rest: each has its own answer, in order.

    At most 10,000 lines and 16,000,000 bytes. A line that repeats what its contract wants unique waits in quarantine;
    where the batch as a whole breaks the contract (422), nothing is taken in. A batch whose answer was lost is sent
    again whole: keys take effect once.
    """
    registered = request.node.registry.named(request.query(BatchQuery).workflow)
    sent = request.headers.get("content-type", _MEDIA_TYPES[0]).partition(";")[0].strip().lower()
    if sent not in _MEDIA_TYPES:
        raise HTTPException(status_code=415, detail=f"the body is said to be {sent[:60]}, not {_MEDIA_TYPES[0]}")
    lines = [(number, line) for number, line in enumerate((await request.body()).split(b"\n"), 1) if line.strip()]
    if len(lines) > MOST_LINES:
        raise Refused(f"there are {len(lines):,} lines", todo=f"send at most {MOST_LINES:,} at once")
    wrong = _look_together(request, registered, lines)
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, line: bytes) -> bytes:
        async with places:
            return encode(await _take_line(request, registered, number, line, wrong.get(number, ())))

    answers = await asyncio.gather(*(one(number, line) for number, line in lines))
    return Response(b"".join(answer + b"\n" for answer in answers), status_code=200, media_type=_MEDIA_TYPES[0])


def _look_together(
    call: Call, registered: Registered, lines: list[tuple[int, bytes]]
) -> dict[int, tuple[Violation, ...]]:
    """What the contract demands of all lines together: what is wrong with single ones, by their numbers.

    Raises:
        ContractViolated: the batch as a whole breaks the contract; nothing of it is taken in.
    """
    contract = registered.library.for_tenant(call.tenant).contract(registered.declaration.contract)
    batch = BatchCheck(contract)
    if batch.idle:
        return {}
    found: dict[int, tuple[Violation, ...]] = {}
    keys: set[str] = set()
    try:
        for number, line in lines:
            try:
                body = read_body(read_json(line, max_bytes=MOST_BYTES), CaseLine)
            except InterlockError:
                continue  # the line's own answer says what is wrong
            # the same key is the same case, said twice, and no second record
            if body.key not in keys and (wrong := batch.add(body.input)):
                found[number] = wrong
            keys.add(body.key)
        if broken := batch.end():
            todo = "send a batch that keeps it: nothing of this one was taken in"
            raise ContractViolated(f"the batch breaks {contract.reference}", broken, todo=todo)
    finally:
        batch.close()
    return found


async def _take_line(
    call: Call, registered: Registered, number: int, line: bytes, wrong: tuple[Violation, ...]
) -> LineAnswer:
    try:
        value: Any = read_json(line, max_bytes=MOST_BYTES)
        body = read_body(value, CaseLine)
        taken = await take_in(call, registered, key=body.key, data=canonical(body.input), wrong=wrong)
    except InterlockError as cause:
        problem = problem_of(cause, call.trace)
        if problem.code == "internal":
            log.exception("trace %s: line %d of a batch failed", call.trace, number)
        return LineAnswer(line=number, problem=problem)
    if isinstance(taken, Submission):
        return LineAnswer(line=number, case=taken)
    return LineAnswer(line=number, problem=taken)
