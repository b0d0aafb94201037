"""Working on reviews and exceptions: taken, kept, given back, put off, handed on, asked about, decided together."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.call import Call, answer
from interlock.api.documents import ReviewDocument
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.reviews import review_document
from interlock.api.task_bodies import (
    AnswerBody,
    AskBody,
    AssignBody,
    BulkBody,
    EscalateBody,
    LeaseBody,
    NoteBody,
    SnoozeBody,
)
from interlock.api.task_documents import (
    BulkDocument,
    NoteDocument,
    TaskDocument,
    bulk_document,
    note_document,
    task_document,
)
from interlock.cases.bulk import decide_many
from interlock.cases.verdicts import owners_of
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.oversight.claims import claim, extend, release
from interlock.oversight.desk import Task, find_task
from interlock.oversight.handing import ask_back, assign, escalate_to, notes_of, reply, say, snooze, wake
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import undo

WORK = "queue.work"


@get(
    "/v1/tasks/{task_id:uuid}",
    opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), gives={200: TaskDocument}, refuses=(404,))),
)
async def read_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Who has a review or an exception, and what people told each other of it."""
    return await _told(request, await find_task(request.node.desk, request.tenant, task_id))


@post(
    "/v1/tasks/{task_id:uuid}/claim",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=LeaseBody, gives={200: TaskDocument}, refuses=(404, 409))),
)
async def claim_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Take a review or an exception; one's own claim is renewed. 409: somebody else works on it."""
    body = await request.read(LeaseBody)
    return await _told(
        request, await claim(request.node.desk, request.caller.actor, task_id, lease=parse_duration(body.lease))
    )


@post(
    "/v1/tasks/{task_id:uuid}/extend",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=LeaseBody, gives={200: TaskDocument}, refuses=(404, 409))),
)
async def extend_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Keep one's claim for longer, from now. 409: it ran out, and the answer says when."""
    body = await request.read(LeaseBody)
    return await _told(
        request, await extend(request.node.desk, request.caller.actor, task_id, lease=parse_duration(body.lease))
    )


@post(
    "/v1/tasks/{task_id:uuid}/release",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, gives={200: TaskDocument}, refuses=(404, 409))),
)
async def release_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Give one's claimed task back to the queue."""
    await request.read_nothing()
    return await _told(request, await release(request.node.desk, request.caller.actor, task_id))


@post(
    "/v1/tasks/{task_id:uuid}/snooze",
    opt=says(
        Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=SnoozeBody, gives={200: TaskDocument}, refuses=(404, 409))
    ),
)
async def snooze_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Put a task off until a time; its deadline stays."""
    body = await request.read(SnoozeBody)
    task = await snooze(request.node.desk, request.caller.actor, task_id, until=body.until, why=body.why)
    return await _told(request, task)


@post(
    "/v1/tasks/{task_id:uuid}/wake",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, gives={200: TaskDocument}, refuses=(404, 409))),
)
async def wake_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Let a task that was put off wait in the queue again."""
    await request.read_nothing()
    return await _told(request, await wake(request.node.desk, request.caller.actor, task_id))


@post(
    "/v1/tasks/{task_id:uuid}/assign",
    opt=says(
        Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=AssignBody, gives={200: TaskDocument}, refuses=(404, 409))
    ),
)
async def assign_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Give a task to one person, who may decide it."""
    body = await request.read(AssignBody)
    task = await assign(request.node.desk, request.caller.actor, task_id, to=body.to, note=body.note)
    return await _told(request, task)


@post(
    "/v1/tasks/{task_id:uuid}/ask",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=AskBody, gives={200: TaskDocument}, refuses=(404, 409))),
)
async def ask_about_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Ask somebody about a task: it is parked until they answer."""
    body = await request.read(AskBody)
    node = request.node
    task = await find_task(node.desk, request.tenant, task_id)
    owners = owners_of(node.registry, task.workflow)
    asked = await ask_back(node.desk, request.caller.actor, task_id, to=body.to, question=body.question, owners=owners)
    return await _told(request, asked)


@post(
    "/v1/tasks/{task_id:uuid}/answer",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW, Scope.SUBMIT, Scope.DECIDE),
            takes=AnswerBody,
            gives={200: TaskDocument},
            refuses=(404, 409),
        )
    ),
)
async def answer_about_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Answer what was asked back; the task waits in the queue again. Whoever was asked may, whatever else they may."""
    body = await request.read(AnswerBody)
    return await _told(request, await reply(request.node.desk, request.caller.actor, task_id, text=body.text))


@post(
    "/v1/tasks/{task_id:uuid}/escalate",
    opt=says(
        Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=EscalateBody, gives={200: TaskDocument}, refuses=(404, 409))
    ),
)
async def escalate_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Hand a task up to a person who leads, or to a team, with the reason."""
    body = await request.read(EscalateBody)
    task = await escalate_to(request.node.desk, request.caller.actor, task_id, to=body.to, why=body.why)
    return await _told(request, task)


@post(
    "/v1/tasks/{task_id:uuid}/notes",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, takes=NoteBody, gives={200: NoteDocument}, refuses=(404,))),
)
async def note_task(request: Call, task_id: FromPath[UUID]) -> Response[bytes]:
    """Leave a note for whoever works on a task."""
    body = await request.read(NoteBody)
    return answer(note_document(await say(request.node.desk, request.caller.actor, task_id, text=body.text)))


@post(
    "/v1/reviews/{review_id:uuid}/undo",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act=WORK, gives={200: ReviewDocument}, refuses=(404, 409))),
)
async def undo_review(request: Call, review_id: FromPath[UUID]) -> Response[bytes]:
    """Take one's verdict back while it is held. 409: it has gone out."""
    await request.read_nothing()
    return answer(review_document(await undo(request.node.desk, request.caller.actor, review_id)))


@post(
    "/v1/reviews/bulk",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="queue.bulk",
            takes=BulkBody,
            gives={200: BulkDocument},
            refuses=(404, 409),
        )
    ),
)
async def decide_bulk(request: Call) -> Response[bytes]:
    """Say the same of several reviews that are alike; each is decided by itself."""
    body = await request.read(BulkBody)
    node = request.node
    chosen = {one.id: one.shown for one in body.reviews}
    if len(chosen) < len(body.reviews):
        raise Refused("a review is named twice", where="/reviews", todo="name each once")
    said = Answer(resolution=body.resolution, reason_code=body.reason_code, note=body.note)
    return answer(bulk_document(await decide_many(node.desk, node.registry, request.caller.actor, chosen, said)))


async def _told(request: Call, task: Task) -> Response[bytes]:
    return answer(task_document(task, await notes_of(request.node.desk, request.tenant, task.id)))


ROUTES = (
    read_task, claim_task, extend_task, release_task, snooze_task, wake_task, assign_task, ask_about_task,
    answer_about_task, escalate_task, note_task, undo_review, decide_bulk,
)  # fmt: skip
