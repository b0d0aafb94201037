"""Deciding a review."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from interlock.cases.changed import check_change, keep_change
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, commands, read_id, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.errors import NotFound, Refused, Violation
from interlock.node import Node
from interlock.oversight.queue import Answer, find_review
from interlock.oversight.queue import resolve as resolve_review
from interlock.oversight.review import Resolution, Review
from interlock.oversight.store import FIND_EXCEPTION

app = commands()


@app.command()
def resolve(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The review's id.")],
    resolution: Annotated[Resolution, typer.Argument(help="What is decided.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for counting: a short slug such as as_proposed or misread.")],
    output: Annotated[str | None, typer.Option(metavar="JSON|@FILE", help="For change: what holds instead.")] = None,
    note: Annotated[str, typer.Option(help="Why, in words.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Decide a review: approve it, change it or reject it."""
    screen = Screen(as_json=as_json)
    review_id, name = read_id(identifier, "a review"), who_acts(who)
    answer = Answer(resolution=resolution, reason_code=reason, output=_output(output), note=note)

    async def decide(node: Node) -> Review:
        try:
            review = await find_review(node.database, node.tenant, review_id)
        except NotFound:
            async with node.database.tenant(node.tenant) as connection:
                if await FIND_EXCEPTION.one(connection, {"id": review_id}) is None:
                    raise
            raise NotFound(
                f"{review_id} is an exception and no review", todo=f"use `interlock resolve-exception {review_id}`"
            ) from None

        def check(contract: str, value: dict[str, Any]) -> tuple[Violation, ...]:
            return check_change(node.registry.named(review.workflow).for_tenant(node.tenant), review.point)(
                contract, value
            )

        async def keep(asked: Review, value: dict[str, Any]) -> dict[str, Any]:
            return await keep_change(node.registry.named(review.workflow), node.tenant)(asked, value)

        return await resolve_review(
            node.database, node.writer, node.tenant, review_id, answer, who=name, check=check, keep=keep
        )

    # only a changed output is held against its contract, which the workflow's folder has
    review = with_node(context, decide, workflows=resolution is Resolution.CHANGE)
    if as_json:
        screen.document(as_document(review))
    screen.line(f"{review.id}: {review.resolution} by {review.resolved_by}. The case {review.case_id} goes on.")


def _output(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    value = read_document(text, "--output").value
    if not isinstance(value, dict):
        raise Refused("the output is no JSON object", where="--output", todo='write {"field": "value"}')
    return cast("dict[str, Any]", value)
