"""Policies: those in force as they stand, and who may do what by them."""

from __future__ import annotations

from litestar import Response, get

from interlock.api.parts import OPERATOR, Part, who_may
from interlock.authority.actor import ActorKind
from interlock.console.render import render
from interlock.console.visit import Visit, needs


@get("/console/policies", opt=needs("policy.read"))
async def show_policies(request: Visit) -> Response[bytes]:
    """The table of who may what, judged now, and the policies as text."""
    authority = request.node.authority
    rows = {act: tuple(who_may(authority, act)) for act in sorted(authority.acts)}
    first: tuple[Part, ...] = next(iter(rows.values()), ())
    return render(
        request,
        "policies.html",
        authority=authority,
        people=[one.part for one in first if one.kind is ActorKind.PERSON],
        rows={act: [one for one in parts if one.kind is ActorKind.PERSON] for act, parts in rows.items()},
        keys={
            act: [one.part for one in parts if one.may and one.kind is ActorKind.PROGRAM and one.part != OPERATOR]
            for act, parts in rows.items()
        },
    )


ROUTES = (show_policies,)
