"""The application: every route of the API, behind its guard, with its errors as problem details."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import msgspec
from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler

from interlock.api.autonomy import ROUTES as AUTONOMY_ROUTES
from interlock.api.batch import submit_batch
from interlock.api.call import Call, check_caller, limit_time
from interlock.api.cancelling import cancel_case, take_case_back
from interlock.api.capacity import read_queues
from interlock.api.cases import explain_case, list_cases, read_case, submit_case, summarise_cases
from interlock.api.cloudevents import take_cloudevents
from interlock.api.connectors import list_connectors
from interlock.api.costs import show_costs
from interlock.api.data import list_levels
from interlock.api.dead_man import authorize, begin_term, end_term, list_terms
from interlock.api.decisions import decide, read_decision
from interlock.api.endpoint import MOST_BYTES, Endpoint, says
from interlock.api.events import send_event, send_event_by_key
from interlock.api.exceptions import list_exceptions, list_groups, resolve_all
from interlock.api.exceptions import resolve as resolve_exception
from interlock.api.explanations import explain_decision
from interlock.api.features import load_feature
from interlock.api.finding import find_decisions, search_decisions
from interlock.api.front import Front
from interlock.api.health import read_health
from interlock.api.keys import Callers
from interlock.api.ledger import show_checkpoint, show_proof
from interlock.api.limits import read_limits
from interlock.api.lineage import read_influence_of, read_lineage_of
from interlock.api.openapi import describe
from interlock.api.outcome_events import take_outcome_events
from interlock.api.outcomes import ROUTES as OUTCOME_ROUTES
from interlock.api.problems import answer_error
from interlock.api.publications import ROUTES as PUBLICATION_ROUTES
from interlock.api.quarantine import discard as discard_quarantined
from interlock.api.quarantine import list_quarantine, read_quarantine, repair_quarantine
from interlock.api.quarantine import release as release_quarantined
from interlock.api.recalls import ROUTES as RECALL_ROUTES
from interlock.api.reviews import claim_review, list_reviews, read_review, release_review, resolve_review
from interlock.api.room import Room
from interlock.api.sending import add_headers
from interlock.api.stops import list_stops, read_stop, resume_scope, resume_stop, stop_scope
from interlock.api.streams import read_streams
from interlock.api.subjects import ROUTES as SUBJECT_ROUTES
from interlock.api.tasks import ROUTES as TASK_ROUTES
from interlock.api.value import show_behind, show_value
from interlock.api.work import ROUTES as WORK_ROUTES
from interlock.node import Node

ROUTES: tuple[ControllerRouterHandler, ...] = (
    submit_case,
    submit_batch,
    list_cases,
    summarise_cases,
    read_case,
    explain_case,
    cancel_case,
    take_case_back,
    send_event,
    send_event_by_key,
    decide,
    read_decision,
    explain_decision,
    find_decisions,
    search_decisions,
    take_cloudevents,
    take_outcome_events,
    load_feature,
    read_streams,
    list_reviews,
    read_review,
    claim_review,
    release_review,
    resolve_review,
    list_exceptions,
    resolve_exception,
    list_groups,
    resolve_all,
    read_limits,
    read_queues,
    show_costs,
    show_value,
    show_behind,
    read_lineage_of,
    read_influence_of,
    list_stops,
    read_stop,
    stop_scope,
    resume_stop,
    resume_scope,
    list_terms,
    begin_term,
    authorize,
    end_term,
    list_connectors,
    list_quarantine,
    read_quarantine,
    release_quarantined,
    discard_quarantined,
    repair_quarantine,
    list_levels,
    show_checkpoint,
    show_proof,
    *AUTONOMY_ROUTES,
    *OUTCOME_ROUTES,
    *PUBLICATION_ROUTES,
    *RECALL_ROUTES,
    *SUBJECT_ROUTES,
    *WORK_ROUTES,
    *TASK_ROUTES,
    read_health,
)


@get("/openapi.json", opt=says(Endpoint(needs=(), gives={})))
async def read_openapi(request: Call) -> Response[bytes]:
    """This document; needs no key."""
    state = request.app.state
    if "openapi" not in state:
        state["openapi"] = msgspec.json.encode(describe(request.app, version("interlock")))
    return Response(state["openapi"], media_type="application/json")


def create_app(node: Node, *, more: Sequence[ControllerRouterHandler] = ()) -> Front:
    """The application of a node.

    Args:
        node: The process; it is not closed here.
        more: Routes beside the API's, such as the console's; they bring their own guards and time limits.
    """
    api = Room(
        path="/",
        route_handlers=[*ROUTES, read_openapi],
        request_class=Call,
        request_max_body_size=MOST_BYTES,
        guards=[check_caller],
        middleware=[limit_time],
    )
    callers = Callers(node.database)
    app = Litestar(
        route_handlers=[api, *more],
        exception_handlers={Exception: answer_error},
        before_send=[add_headers],
        state=State({"node": node, "callers": callers}),
        openapi_config=None,  # our own document is made from the same words that guard the routes
        logging_config=None,  # failures are logged once, by answer_error, with their trace
    )
    return Front(app, node, callers)
