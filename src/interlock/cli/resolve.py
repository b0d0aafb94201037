"""Deciding a review."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from interlock.cases.verdicts import decide_review
from interlock.cli.documents import read_document
from interlock.cli.options import As, Json, commands, read_id, who_acts
from interlock.cli.reviews import acting
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.errors import NotFound, Refused
from interlock.node import Node
from interlock.oversight.queue import Answer, find_review
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
    shown: Annotated[str, typer.Option(help="What was shown of it, as `interlock review` says.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Decide a review: approve it, change it or reject it."""
    screen = Screen(as_json=as_json)
    review_id, name = read_id(identifier, "a review"), who_acts(who)
    answer = Answer(resolution=resolution, reason_code=reason, output=_output(output), note=note)

    async def decide(node: Node) -> Review:
        try:
            await find_review(node.database, node.tenant, review_id)
        except NotFound:
            async with node.database.tenant(node.tenant) as connection:
                if await FIND_EXCEPTION.one(connection, {"id": review_id}) is None:
                    raise
            raise NotFound(
                f"{review_id} is an exception and no review", todo=f"use `interlock resolve-exception {review_id}`"
            ) from None

        return await decide_review(node.desk, node.registry, acting(node, name), review_id, answer, shown=shown or None)

    # the workflow's folder says what a changed output must be, and for how long a verdict can be taken back
    review = with_node(context, decide, workflows=True)
    if as_json:
        screen.document(as_document(review))
    screen.line(told(review, name))


def told(review: Review, name: str) -> str:
    """What became of a verdict, in a sentence."""
    if review.resolution is not None:
        goes = f" The case {review.case_id} goes on." if review.case_id else ""
        return f"{review.id}: {review.resolution} by {review.resolved_by}.{goes}"
    if review.held_verdict is not None and review.effective_at is not None:
        return (
            f"{review.id}: taken down, {name}; it takes effect at {review.effective_at:%H:%M:%S} UTC. "
            f"Until then `interlock undo {review.id}` takes it back."
        )
    if review.disagreed:
        return f"{review.id}: taken down, {name}. Two people disagree; somebody who leads settles it."
    return f"{review.id}: taken down, {name}. Another person must say the same."


def _output(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    value = read_document(text, "--output").value
    if not isinstance(value, dict):
        raise Refused("the output is no JSON object", where="--output", todo='write {"field": "value"}')
    return cast("dict[str, Any]", value)
