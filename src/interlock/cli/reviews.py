"""Reviews: listed, shown, claimed, given back."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from interlock.authority.actor import Actor, ActorKind
from interlock.cases.explain import when
from interlock.cases.verdicts import shown_now
from interlock.cli.options import As, Json, Limit, commands, read_id, who_acts
from interlock.cli.personal import Purpose, opened
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import with_node
from interlock.node import Node
from interlock.oversight.claims import claim as claim_review
from interlock.oversight.claims import release as release_review
from interlock.oversight.queue import find_review, list_queue
from interlock.oversight.review import Review

app = commands()
ReviewId = Annotated[str, typer.Argument(metavar="ID", help="The review's id.")]


@app.command(name="reviews")
def list_reviews(
    context: typer.Context,
    *,
    queue: Annotated[str | None, typer.Option(help="Only those of a queue.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the reviews that wait, the most expected loss first."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> list[Review]:
        return await list_queue(node.database, node.tenant, queue=queue, most=limit)

    reviews = with_node(context, read)
    if as_json:
        screen.document({"reviews": [as_document(review) for review in reviews]})
    screen.table(
        ("id", "exposure", "why", "point", "confidence", "due", "claimed by"),
        ((r.id, r.exposure, _why(r), _place(r), _sure(r), minute(r.due_at), _claimed(r)) for r in reviews),
        none="No review waits.",
    )


@app.command(name="review")
def show_review(
    context: typer.Context, identifier: ReviewId, *, purpose: Purpose = "", who: As = "", as_json: Json = False
) -> None:
    """Show one review: why, evidence, proposal and choices.

    The last line is the hash of all that is shown: `resolve --shown` binds a verdict to it.
    """
    screen = Screen(as_json=as_json)
    review_id, name = read_id(identifier, "a review"), who_acts(who)

    async def read(node: Node) -> tuple[Review, str, bytes | None]:
        review = await find_review(node.database, node.tenant, review_id)
        seen = (await shown_now(node.desk, node.registry, acting(node, name), review)).stated
        document = {**as_document(review), "shown": seen}
        return review, seen, await opened(node, document, purpose, review_id) if purpose else None

    # the workflow's file is among what is shown: it says what happens on each choice
    review, seen, in_clear = with_node(context, read, workflows=True)
    if in_clear is not None:
        screen.encoded(in_clear)
    elif as_json:
        screen.document({**as_document(review), "shown": seen})
    else:
        _show(screen, review)
        screen.line(f"Shown: {seen}")


@app.command()
def claim(context: typer.Context, identifier: ReviewId, *, who: As = "", as_json: Json = False) -> None:
    """Take a review to work on it."""
    screen = Screen(as_json=as_json)
    review_id, name = read_id(identifier, "a review"), who_acts(who)

    async def take(node: Node) -> Review:
        await claim_review(node.desk, acting(node, name), review_id)
        return await find_review(node.database, node.tenant, review_id)

    review = with_node(context, take)
    if as_json:
        screen.document(as_document(review))
    until = when(review.claimed_until) if review.claimed_until else ""
    screen.line(f"{review.id} is yours, {name}, until {until}.")


@app.command()
def release(context: typer.Context, identifier: ReviewId, *, who: As = "", as_json: Json = False) -> None:
    """Give a claimed review back to the queue."""
    screen = Screen(as_json=as_json)
    review_id, name = read_id(identifier, "a review"), who_acts(who)

    async def give_back(node: Node) -> Review:
        await release_review(node.desk, acting(node, name), review_id)
        return await find_review(node.database, node.tenant, review_id)

    review = with_node(context, give_back)
    if as_json:
        screen.document(as_document(review))
    screen.line(f"{review.id} waits in the queue {review.queue} again.")


def acting(node: Node, name: str) -> Actor:
    """Who acts at the command line, as policies see them."""
    return Actor(kind=ActorKind.OPERATOR, name=name, tenant=node.tenant)


def _show(screen: Screen, review: Review) -> None:
    asked = review.asked
    screen.facts(
        [
            ("review", review.id),
            ("of", _place(review)),
            ("case", review.case_id),
            ("decision", review.decision_id),
            ("state", f"{review.state} in the queue {review.queue}"),
            ("claimed by", _claimed(review)),
            ("at stake", review.exposure),
            ("due", _due(review)),
            ("decided", f"{review.resolution} by {review.resolved_by}" if review.resolution else None),
        ]
    )
    _part(screen, "Why a person", [f"- {why}" for why in asked.why])
    _part(screen, "Proposal", _proposal(review))
    _part(screen, "Findings", [f"- {finding.get('code')}: {finding.get('what')}" for finding in asked.findings])
    _part(screen, "Evidence", _pretty(asked.evidence))
    _part(screen, "Input", _pretty(asked.input))
    _part(screen, "Choices", [f"- {choice}: {effect}" for choice, effect in asked.choices.items()])
    if asked.output_contract:
        screen.line(f"A changed output must satisfy {asked.output_contract}.")


def _proposal(review: Review) -> list[str]:
    asked = review.asked
    if asked.proposal is None:
        return ["No component answered."]
    needed = "a person decides, however sure" if asked.confidence_needed is None else f"{asked.confidence_needed:g}"
    sure = "" if asked.confidence is None else f", confidence {asked.confidence:.4f} (needed: {needed})"
    return [f"by {asked.proposed_by}{sure}", *_pretty(asked.proposal)]


def _part(screen: Screen, title: str, lines: list[str]) -> None:
    if lines:
        screen.line()
        screen.line(title, style="bold")
        screen.lines(lines)


def _pretty(value: dict[str, Any], most: int = 40) -> list[str]:
    if not value:
        return []
    lines = msgspec.json.format(msgspec.json.encode(value), indent=2).decode().splitlines()
    return lines if len(lines) <= most else [*lines[:most], f"... {len(lines) - most} more lines; --json shows all"]


def _place(review: Review) -> str:
    return f"{review.workflow}.{review.point}"


def _why(review: Review) -> str:
    return "; ".join(review.asked.why)


def _sure(review: Review) -> str:
    confidence = review.asked.confidence
    return "" if confidence is None else f"{confidence:.4f}"


def _due(review: Review) -> str:
    return when(review.due_at) if review.due_at else ""


def _claimed(review: Review) -> str:
    if review.claimed_by is None or review.resolution or review.claimed_until is None:
        return ""
    return f"{review.claimed_by} until {minute(review.claimed_until)}"
