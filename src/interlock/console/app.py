"""The console's routes, and the application that has them beside the API's."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, get
from litestar.types import ControllerRouterHandler

from interlock.api.app import create_app
from interlock.api.call import limit_time
from interlock.api.front import Front
from interlock.api.problems import log_problem, problem_of
from interlock.api.room import Room
from interlock.api.sending import trace_of
from interlock.console.assets import assets, read_asset
from interlock.console.autonomy import ROUTES as AUTONOMY_ROUTES
from interlock.console.capacity import ROUTES as CAPACITY_ROUTES
from interlock.console.hub import Hub
from interlock.console.item.routes import ROUTES as ITEM_ROUTES
from interlock.console.live import ROUTES as LIVE_ROUTES
from interlock.console.me import ROUTES as ME_ROUTES
from interlock.console.pages import ROUTES as PAGE_ROUTES
from interlock.console.people import ROUTES as PEOPLE_ROUTES
from interlock.console.policies import ROUTES as POLICY_ROUTES
from interlock.console.practice import ROUTES as PRACTICE_ROUTES
from interlock.console.quality import ROUTES as QUALITY_ROUTES
from interlock.console.queue import ROUTES as QUEUE_ROUTES
from interlock.console.refusal import answer_refusal
from interlock.console.sign_in import ROUTES as SIGN_IN_ROUTES
from interlock.console.sign_in_with import ROUTES as PROVIDER_ROUTES
from interlock.console.visit import OPEN, Visit, check_form, check_visitor
from interlock.node import Node

MOST_BYTES = 2_200_000

ROUTES: tuple[ControllerRouterHandler, ...] = (
    read_asset, *PAGE_ROUTES, *SIGN_IN_ROUTES, *PROVIDER_ROUTES, *ME_ROUTES, *PEOPLE_ROUTES, *LIVE_ROUTES,
    *QUEUE_ROUTES, *CAPACITY_ROUTES, *QUALITY_ROUTES, *ITEM_ROUTES, *POLICY_ROUTES, *PRACTICE_ROUTES,
    *AUTONOMY_ROUTES,
)  # fmt: skip
"""Every page, form and part of the console."""


@get("/", opt=OPEN)
async def begin() -> Response[None]:
    """Who comes by the bare address comes to the console."""
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": "/console"})


@get("/favicon.ico", opt=OPEN)
async def read_icon() -> Response[bytes]:
    """The mark, for a browser that asks for it by itself: our pages name it by their own address."""
    mark = assets()["mark.svg"]
    return Response(mark.content, media_type=mark.media, headers={"Cache-Control": "public, max-age=86400"})


def create_site(node: Node) -> Front:
    """The API and the console of a node.

    Args:
        node: The process; it is not closed here.
    """
    console = Room(
        path="/",
        route_handlers=[*ROUTES, begin, read_icon],
        request_class=Visit,
        request_max_body_size=MOST_BYTES,
        guards=[check_visitor],
        before_request=check_form,
        middleware=[limit_time],
        exception_handlers={Exception: _answer_error},
    )
    front = create_app(node, more=[console])
    hub = front.app.state["hub"] = Hub(node.notifier, node.database.clock)
    front.at_end.append(hub.end)
    return front


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    problem = problem_of(error, trace_of(request.scope).id)
    log_problem(problem, error, request.method, request.url.path)
    return answer_refusal(request, problem)
