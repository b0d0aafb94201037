"""Reviews: the queue, claims, and a person's word: the key's own name, so that nobody speaks for another."""

from __future__ import annotations

from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.bodies import ResolveReviewBody, ReviewsQuery
from interlock.api.call import Call, answer
from interlock.api.documents import ReviewDocument, ReviewPage
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.personal import PurposeQuery, answer_for
from interlock.api.stored import as_text, embed
from interlock.cases.verdicts import decide_review, shown_now
from interlock.oversight.claims import claim, release
from interlock.oversight.dwell import READINGS
from interlock.oversight.queue import Answer, find_review, list_queue
from interlock.oversight.review import Review


@get("/v1/reviews", opt=says(Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=ReviewsQuery, gives={200: ReviewPage})))
async def list_reviews(request: Call) -> Response[bytes]:
    """The reviews that wait, the most expected loss first."""
    asked = request.query(ReviewsQuery)
    reviews = await list_queue(
        request.node.database, request.tenant, queue=asked.queue, most=asked.limit, skip=asked.skip
    )
    return answer(ReviewPage(reviews=tuple(map(review_document, reviews))))


@get(
    "/v1/reviews/{review_id:uuid}",
    opt=says(
        Endpoint(needs=(Scope.READ, Scope.REVIEW), asks=PurposeQuery, gives={200: ReviewDocument}, refuses=(404,))
    ),
)
async def read_review(request: Call, review_id: FromPath[UUID]) -> Response[bytes]:
    """One review, with all that its reviewer sees."""
    purpose = request.query(PurposeQuery).purpose
    database = request.node.database
    review = await find_review(database, request.tenant, review_id)
    READINGS.note(review_id, request.caller.name, database.clock.now())
    shown = await shown_now(request.node.desk, request.node.registry, request.caller.actor, review)
    return await answer_for(request, review_document(review, shown.stated), purpose, review_id)


@post(
    "/v1/reviews/{review_id:uuid}/claim",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act="queue.work", gives={200: ReviewDocument}, refuses=(404, 409))),
)
async def claim_review(request: Call, review_id: FromPath[UUID]) -> Response[bytes]:
    """Take a review for fifteen minutes; one's own claim is renewed. 409: somebody else works on it."""
    await request.read_nothing()
    await claim(request.node.desk, request.caller.actor, review_id)
    return answer(review_document(await find_review(request.node.database, request.tenant, review_id)))


@post(
    "/v1/reviews/{review_id:uuid}/release",
    opt=says(Endpoint(needs=(Scope.REVIEW,), act="queue.work", gives={200: ReviewDocument}, refuses=(404, 409))),
)
async def release_review(request: Call, review_id: FromPath[UUID]) -> Response[bytes]:
    """Give one's claimed review back to the queue."""
    await request.read_nothing()
    await release(request.node.desk, request.caller.actor, review_id)
    return answer(review_document(await find_review(request.node.database, request.tenant, review_id)))


@post(
    "/v1/reviews/{review_id:uuid}/resolve",
    opt=says(
        Endpoint(
            needs=(Scope.REVIEW,),
            act="queue.decide",
            takes=ResolveReviewBody,
            gives={200: ReviewDocument},
            refuses=(404, 409, 422),
        )
    ),
)
async def resolve_review(request: Call, review_id: FromPath[UUID]) -> Response[bytes]:
    """Decide, once. 409: somebody was faster. 422: the changed output breaks its contract."""
    body = await request.read(ResolveReviewBody)
    node = request.node
    said = Answer(resolution=body.resolution, reason_code=body.reason_code, output=body.output, note=body.note)
    read_at = READINGS.first(review_id, request.caller.name)
    resolved = await decide_review(
        node.desk, node.registry, request.caller.actor, review_id, said, shown=body.shown, read_at=read_at
    )
    return answer(review_document(resolved))


def review_document(review: Review, shown: str | None = None) -> ReviewDocument:
    """A stored review as callers get it; ``shown`` is what they give back with their verdict."""
    return ReviewDocument(
        id=review.id,
        case=review.case_id,
        decision=review.decision_id,
        workflow=review.workflow,
        point=review.point,
        queue=review.queue,
        state=review.state,
        question=embed(review.question),
        exposure=as_text(review.exposure),
        due_at=review.due_at,
        claimed_by=review.claimed_by,
        claimed_until=review.claimed_until,
        resolution=review.resolution,
        output=embed(review.output),
        reason_code=review.reason_code,
        note=review.note,
        resolved_by=review.resolved_by,
        created_at=review.created_at,
        resolved_at=review.resolved_at,
        follow=f"/v1/reviews/{review.id}",
        team=review.team,
        assigned_to=review.assigned_to,
        snoozed_until=review.snoozed_until,
        asked_to=review.asked_to,
        effective_at=review.effective_at,
        held=review.held_verdict is not None,
        needed=review.needed,
        given=len(review.decided_by),
        disagreed=review.disagreed,
        shown=shown,
    )
