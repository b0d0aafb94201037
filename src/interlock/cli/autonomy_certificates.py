"""Certificates at the command line: shown, derived, issued, withdrawn, verified."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any

import typer

from interlock.authority.judge import everything
from interlock.autonomy.figures.figures import PointFigures
from interlock.autonomy.figures.measure import figures_now
from interlock.autonomy.issuing.begins import begins_as_stated, begins_said
from interlock.autonomy.issuing.derive import Derived
from interlock.autonomy.issuing.duty import derive_now
from interlock.autonomy.issuing.issue import issue, note_try, refuse, stands_at
from interlock.autonomy.issuing.issue import withdraw as withdraw_certificate
from interlock.autonomy.issuing.offered import Offered, offered
from interlock.autonomy.issuing.place import Place
from interlock.autonomy.issuing.promise import amount, evidence_said, guarantee, percent_of
from interlock.autonomy.issuing.show import PointStands, certificates_of, show_points
from interlock.autonomy.issuing.store import KeptCertificate
from interlock.autonomy.issuing.verify import Verified
from interlock.autonomy.issuing.verify import verify as verify_certificate
from interlock.cases.certified_places import (
    certifying_resource,
    find_place,
    places,
    record_of,
    split_name,
    withdrawing_resource,
)
from interlock.cli.autonomy_groups import show_groups, show_spared
from interlock.cli.options import As, Json, Limit, Why, read_id, read_moment, who_acts
from interlock.cli.screen import Screen, minute
from interlock.cli.session import operator, with_node
from interlock.errors import Refused
from interlock.guards.stops import ANSWER_S
from interlock.node import Node

Point = Annotated[str, typer.Argument(metavar="POINT", help="The decision point: workflow.point.")]
MaybePoint = Annotated[str | None, typer.Argument(metavar="POINT", help="Only this one: workflow.point.")]
Try = Annotated[
    bool, typer.Option("--try", help="Say what would come out; nothing is issued. That it was tried is on record.")
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Count decisions since 2026-01-31T18:00, or 30d; needs --why.")
]
SinceWhy = Annotated[str, typer.Option("--why", help="Why those since then, for whoever reads the certificate.")]


def show(context: typer.Context, point: MaybePoint = None, *, who: As = "", as_json: Json = False) -> None:
    """Show how much may be decided without a person, at every point or at one."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def read(node: Node) -> tuple[list[PointStands], PointFigures | None, Place | None]:
        node.authority.require(operator(node, name), "autonomy.see", everything(node.tenant))
        known = places(node.registry, node.tenant)
        found = await show_points(node.database, node.tenant, known, node.database.clock.now())
        if point is None:
            return found, None, None
        wanted = split_name(point)
        mine = [one for one in found if (one.workflow, one.point) == wanted]
        if not mine:
            find_place(node.registry, node.tenant, point)  # says why it is not among them
        here = next((one for one in known if one.name == point), None)
        return mine, await figures_now(node.database, here) if here else None, here

    found, figures, here = with_node(context, read, workflows=True)
    if as_json:
        screen.document({"points": found} | ({"figures": figures} if point is not None else {}))
    if point is not None:
        for one in found:
            screen.facts(_facts(one))
        if figures is not None:
            show_groups(screen, figures)
            if here is not None:
                show_spared(screen, figures, here.terms.currency)
        return
    screen.table(
        ("point", "state", "goes by itself", "until", "why"),
        (
            (
                f"{one.workflow}.{one.point}",
                one.state,
                _automation(one),
                minute(one.valid_until),
                one.promise or one.why,
            )
            for one in found
        ),
        none="No workflow's file declares the autonomy of a decision point.",
    )


def certify(
    context: typer.Context, point: Point, *, only_try: Try = False, since: Since = "", why: SinceWhy = "",
    who: As = "", as_json: Json = False,
) -> None:  # fmt: skip
    """Derive a certificate from the recorded decisions of a point, and put it into force."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def run(node: Node) -> tuple[Derived, str, tuple[Offered, ...]]:
        it = find_place(node.registry, node.tenant, point)
        on = certifying_resource(node.registry, node.tenant, point)
        verdict = node.authority.require(operator(node, name), "autonomy.certify", on)  # who tries as who issues
        stands = await stands_at(node.database, it.tenant, it.workflow, it.point)
        if why and not since:
            raise Refused("a reason is given, and no time", where="--why", todo="add --since TIME, or leave it out")
        now = node.database.clock.now()
        at = read_moment(since, now, "--since")
        begins = begins_as_stated(it.terms, at, now, who=name, why=why) if at is not None else None
        derived = await derive_now(node.database, it, stands, who=name, begins=begins)
        if only_try:
            await note_try(node.writer, it, derived, who=name, verdict=verdict)
            return derived, "", offered(it.terms, derived.offers)
        if derived.certificate is None:
            await refuse(node.writer, it, derived, stands, who=name, verdict=verdict)
            return derived, "", offered(it.terms, derived.offers)
        return derived, str(await issue(node.writer, it, derived, stands, verdict=verdict)), ()

    derived, issued, instead = with_node(context, run, workflows=True)
    if as_json:
        screen.document({"issued": issued or None, "derived": derived, "offered": instead})
    certificate = derived.certificate
    if certificate is None:
        screen.lines(_written(instead))
        todo = "a person goes on deciding; record outcomes, or state other terms"
        if derived.begins is not None and not derived.begins.stated:
            todo = f"{todo}; if decisions of before are like those to come, say so: --since TIME --why TEXT"
        raise Refused(derived.refused, where=point, todo=todo)
    screen.line(guarantee(certificate))
    screen.line(
        f"{percent_of(certificate.automation)} would go by themselves, up to an expected loss of "
        f"{amount(Fraction(certificate.threshold), certificate.currency)} each; {certificate.data.decisions} decisions "
        "say so."
    )
    if issued:
        screen.line(f"It counts from now on, until {minute(certificate.valid_until)}: certificate {issued}.")
    else:
        screen.line("Nothing is issued: without --try it would be.")
    if derived.begins is not None:
        screen.line(begins_said(derived.begins), style="yellow")


def withdraw(context: typer.Context, point: Point, *, why: Why, who: As = "", as_json: Json = False) -> None:
    """Withdraw what is certified at a point: a person decides everything there from now on."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def run(node: Node) -> int:
        workflow, named = split_name(point)
        resource = withdrawing_resource(node.registry, node.tenant, point)
        verdict = node.authority.require(operator(node, name), "autonomy.withdraw", resource)
        stands = await stands_at(node.database, node.tenant, workflow, named)
        return await withdraw_certificate(
            node.database, node.writer, node.tenant, stands, who=name, why=why, verdict=verdict
        )

    unanswered = with_node(context, run, workflows=True)
    if as_json:
        screen.document({"point": point, "who": name, "why": why, "unanswered": unanswered})
    screen.line(f"A person decides everything at {point} from now on.")
    if unanswered:
        screen.line(
            f"{unanswered} commits that began before had not ended after {ANSWER_S:g} s; the database ends each within "
            "ten seconds.",
            style="yellow",
        )


def certificates(
    context: typer.Context, point: Point, *, limit: Limit = 20, who: As = "", as_json: Json = False
) -> None:
    """List the certificates that a point ever had, the newest first."""
    screen, name = Screen(as_json=as_json), who_acts(who)

    async def read(node: Node) -> list[KeptCertificate]:
        node.authority.require(operator(node, name), "autonomy.see", everything(node.tenant))
        return await certificates_of(node.database, node.tenant, *split_name(point), limit)

    found = with_node(context, read)
    if as_json:
        screen.document({"certificates": [_document(one) for one in found]})
    screen.table(
        ("id", "issued", "by", "until", "goes by itself", "decisions", "counted since"),
        (
            (
                one.id, minute(one.read.issued_at), one.read.issued_by, minute(one.read.valid_until),
                percent_of(one.read.automation), one.read.data.decisions, one.counted or 0,
            )
            for one in found
        ),
        none=f"{point} never had a certificate.",
    )  # fmt: skip


def verify(
    context: typer.Context,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The certificate.")],
    *,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Derive a certificate once more from what is stored, and say whether it comes out the same."""
    screen, name, identity = Screen(as_json=as_json), who_acts(who), read_id(identifier, "a certificate")

    async def run(node: Node) -> Verified:
        node.authority.require(operator(node, name), "autonomy.see", everything(node.tenant))
        record = await record_of(node.registry, node.database, node.tenant, identity)
        return await verify_certificate(node.database, node.tenant, identity, node.database.clock.now(), record=record)

    found = with_node(context, run, workflows=True)
    if as_json:
        screen.document(found)
    screen.line(found.promise)
    screen.lines(_said(found))
    if not found.intact or found.same is False:
        raise typer.Exit(1)


def _written(instead: tuple[Offered, ...]) -> Iterator[str]:
    """The lines of the file that state what is offered."""
    for one in instead:
        yield f"For {one.what}, in the file under autonomy:"
        yield from (f"      {line}" for line in one.lines)


def _said(found: Verified) -> Iterator[str]:
    if not found.intact:
        yield "Its content is NOT what its digest says: it was changed after it was issued."
    if found.same_data and found.same_method:
        same = "comes out the same, byte for byte" if found.same else "does NOT come out the same"
        yield f"Its decisions and outcomes are those of then; derived once more it {same}."
        return
    if found.same_data:
        yield "Its decisions and outcomes are those of then; another version derived it, by another method."
    else:
        yield f"Of {len(found.changed)} of its decisions something came to be known since: it rests on other data now."
    yield from (f"  {one}" for one in found.changed[:20])
    today = "As this version derives it from what is known of the same decisions today,"
    yield f"{today} the threshold would be {found.now}." if found.now else f"{today} there would be none. {found.why}"


def _automation(one: PointStands) -> str:
    if not one.lets_go:
        return "nothing"
    return percent_of(one.automation) if one.automation is not None else "not known"


def _facts(one: PointStands) -> Iterator[tuple[str, Any]]:
    yield "point", f"{one.workflow}.{one.point}"
    yield "state", one.state
    yield "promise", one.promise
    yield "why", one.why
    yield "goes by itself", _automation(one)
    yield "up to an expected loss of", one.threshold
    yield "up to", one.cap if one.lets_go else ""
    yield "certificate", one.certificate
    yield "until", minute(one.valid_until)
    yield "by", f"{one.who} at {minute(one.since)}" if one.since else ""
    yield "counted since", one.counted
    yield "lost by them", one.lost
    if one.lets_go and one.evidence is not None and one.at_most is not None:  # it begins anew where it was taken back
        yield "evidence against it", f"{evidence_said(one.evidence)} of {one.at_most:,g}, at which it is narrowed"
    yield "tried", minute(one.tried_at)
    yield "refused then", one.refused
    yield "a new one counts decisions since", minute(one.counts_since)


def _document(one: KeptCertificate) -> dict[str, Any]:
    read = one.read
    return {
        "id": one.id, "digest": one.digest.hex(), "issued_at": read.issued_at, "issued_by": read.issued_by,
        "valid_until": read.valid_until, "automation": read.automation, "decisions": read.data.decisions,
        "promise": guarantee(read), "counted": one.counted, "ended_at": one.ended_at, "crossed_at": one.crossed_at,
    }  # fmt: skip
