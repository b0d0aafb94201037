"""Dead-man terms: what stops by itself unless somebody authorizes it, again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from interlock.authority.judge import Verdict
from interlock.cases.explain import when
from interlock.cases.stoppable import stop_resource
from interlock.cli.options import As, Json, Why, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import operator, with_node
from interlock.cli.stops import doubt_of
from interlock.durations import parse_duration
from interlock.errors import Refused
from interlock.guards.dead_man import Term, begin_term, end_term, list_terms
from interlock.guards.dead_man import authorize as authorize_scope
from interlock.guards.scope import check_scope
from interlock.node import Node

app = commands()
Every = Annotated[str | None, typer.Option("--every", metavar="TIME", help="How long one authorization lasts: 24h.")]


@app.command()
def deadman(
    context: typer.Context,
    scope: Annotated[str | None, typer.Argument(help="As for `stop`; without it the terms are listed.")] = None,
    *,
    every: Every = None,
    end: Annotated[bool, typer.Option("--end", help="End the term: the scope stops by itself no more.")] = False,
    why: Annotated[str, typer.Option("--why", help="The reason, for whoever reads the ledger.")] = "",
    who: As = "",
    as_json: Json = False,
) -> None:
    """Let a scope stop by itself unless it is authorized in time; end such a term; list them.

    No process has to run for it: what has lapsed is not dispatched.
    """
    screen = Screen(as_json=as_json)
    if scope is None:
        if every or end:
            raise Refused("a term is of a scope", where="SCOPE", todo="name what stops by itself, as workflow:NAME")
        _list(context, screen)
        return
    if (every is None) == (not end):
        raise Refused(
            "either --every or --end", where="--every", todo="begin a term with --every, or end it with --end"
        )
    span, name = parse_duration(every) if every else None, who_acts(who)
    if span and (doubt := doubt_of(context, check_scope(scope))):
        screen.note(f"warning: {doubt}")

    async def change(node: Node) -> Term:
        verdict = _permitted(node, name, "stop.lift" if span is None else "stop.set", scope)
        if span is None:
            return await end_term(
                node.database, node.writer, node.tenant, scope=scope, who=name, why=why, verdict=verdict
            )
        return await begin_term(
            node.database, node.writer, node.tenant, scope=scope, every=span, who=name, why=why, verdict=verdict
        )

    term = with_node(context, change)
    if as_json:
        screen.document({**as_document(term), "ended": end})
    if end:
        screen.line(f"The term of {scope} is ended by {name}: it stops by itself no more.")
    else:
        _tell(screen, term)


@app.command()
def authorize(
    context: typer.Context,
    scope: Annotated[str, typer.Argument(help="Which has a term.")],
    *,
    why: Why,
    span: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="For how long; by default, and at most, a whole term.")
    ] = None,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Authorize a scope that has a dead-man term for another term, from now."""
    screen = Screen(as_json=as_json)
    lasts, name = parse_duration(span) if span else None, who_acts(who)

    async def renew(node: Node) -> Term:
        return await authorize_scope(
            node.database, node.writer, node.tenant, scope=scope, who=name, why=why, span=lasts,
            verdict=_permitted(node, name, "stop.lift", scope),
        )  # fmt: skip

    term = with_node(context, renew)
    if as_json:
        screen.document(as_document(term))
    _tell(screen, term)


def _permitted(node: Node, who: str, act: str, scope: str) -> Verdict:
    return node.authority.require(operator(node, who), act, stop_resource(node.tenant, scope, ()))


def _tell(screen: Screen, term: Term) -> None:
    screen.line(
        f"{term.scope} is authorized by {term.authorized_by} until {when(term.authorized_until)}; then it stops by "
        f"itself unless `interlock authorize {term.scope} --why ...` comes before."
    )


def _list(context: typer.Context, screen: Screen) -> None:
    async def read(node: Node) -> list[tuple[Term, str]]:
        now = node.database.clock.now()
        return [(term, term.state(now)) for term in await list_terms(node.database, node.tenant)]

    found = with_node(context, read)
    if screen.as_json:
        screen.document({"terms": [{**as_document(term), "state": state} for term, state in found]})
    screen.table(
        ("scope", "state", "until", "every", "authorized by", "why", "since"),
        (
            (t.scope, state, minute(t.authorized_until), t.every, t.authorized_by, t.why, minute(t.created_at))
            for t, state in found
        ),
        none="Nothing stops by itself.",
    )
