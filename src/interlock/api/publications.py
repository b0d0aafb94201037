"""Published rules and contracts: listed, shown, published, reverted."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from interlock.api.call import Call, answer
from interlock.api.endpoint import Endpoint, says
from interlock.api.keys import Scope
from interlock.api.publication_documents import (
    BreakDocument,
    FitDocument,
    FullPublication,
    PublicationDocument,
    PublicationPage,
    PublicationsQuery,
    PublishBody,
    PublishedDocument,
    RevertBody,
)
from interlock.cases.publishing import Outcome, publish_contract, publish_rules, revert_rules
from interlock.publications.publication import Kind, Standing, check_name, check_version, line_of
from interlock.publications.publish import find_published
from interlock.publications.publish import list_published as published_of

_READ = (Scope.READ, Scope.PUBLISH)


@post(
    "/v1/rules",
    opt=says(
        Endpoint(
            needs=(Scope.PUBLISH,),
            act="publish",
            takes=PublishBody,
            gives={200: PublishedDocument, 201: PublishedDocument},
            refuses=(409,),
        )
    ),
)
async def publish_rules_version(request: Call) -> Response[bytes]:
    """Publish a version of some rules; it decides in every process within a second, without a restart.

    It is refused unless it loads, has examples that all pass, and can be used by every decision point here that names
    its line. 200: it was published before. 409: with other content, or somebody else was faster.
    """
    body = await request.read(PublishBody)
    node = request.node
    done = await publish_rules(
        node.database, node.writer, node.registry, request.tenant, body.content.encode(), "content",
        who=request.caller.name, why=body.why, verdict=request.require("publish"),
    )  # fmt: skip
    return _done(done, 201)


@get("/v1/rules", opt=says(Endpoint(needs=_READ, asks=PublicationsQuery, gives={200: PublicationPage})))
async def list_rules(request: Call) -> Response[bytes]:
    """Every published version of rules, by name, in the order of publishing; one of each line is in force."""
    return await _list(request, Kind.RULES)


@get(
    "/v1/rules/{name:str}/{version:str}",
    opt=says(Endpoint(needs=_READ, gives={200: FullPublication}, refuses=(404,))),
)
async def read_rules(request: Call, name: FromPath[str], version: FromPath[str]) -> Response[bytes]:
    """One version with its file; a line alone means the version in force."""
    return await _read(request, Kind.RULES, name, version)


@post(
    "/v1/rules/{name:str}/revert",
    opt=says(
        Endpoint(
            needs=(Scope.PUBLISH,),
            act="publish",
            takes=RevertBody,
            gives={200: PublishedDocument},
            refuses=(404, 409, 503),
        )
    ),
)
async def revert_rules_line(request: Call, name: FromPath[str]) -> Response[bytes]:
    """Let another published version of a line count, in every process within a second."""
    body = await request.read(RevertBody)
    node, version = request.node, check_version(body.to, "/to")
    done = await revert_rules(
        node.database, node.writer, node.registry, request.tenant, name=check_name(name, "name"),
        line=line_of(version), version=version, who=request.caller.name, why=body.why,
        verdict=request.require("publish"),
    )  # fmt: skip
    return _done(done, 200)


@post(
    "/v1/contracts",
    opt=says(
        Endpoint(
            needs=(Scope.PUBLISH,),
            act="publish",
            takes=PublishBody,
            gives={200: PublishedDocument, 201: PublishedDocument},
            refuses=(409,),
        )
    ),
)
async def publish_contract_version(request: Call) -> Response[bytes]:
    """Publish a version of a contract; it holds in every process within a second, without a restart.

    Within a line it may break nothing that the version in force promised to producers or consumers; every break is
    named. 200: it was published before. 409: with other content, or somebody else was faster.
    """
    body = await request.read(PublishBody)
    node = request.node
    done = await publish_contract(
        node.database, node.writer, node.registry, request.tenant, body.content.encode(), "content",
        who=request.caller.name, why=body.why, verdict=request.require("publish"),
    )  # fmt: skip
    return _done(done, 201)


@get("/v1/contracts", opt=says(Endpoint(needs=_READ, asks=PublicationsQuery, gives={200: PublicationPage})))
async def list_contracts(request: Call) -> Response[bytes]:
    """Every published version of contracts, by name, in the order of publishing; one of each line is in force."""
    return await _list(request, Kind.CONTRACT)


@get(
    "/v1/contracts/{name:str}/{version:str}",
    opt=says(Endpoint(needs=_READ, gives={200: FullPublication}, refuses=(404,))),
)
async def read_contract(request: Call, name: FromPath[str], version: FromPath[str]) -> Response[bytes]:
    """One version with its file; a line alone means the version in force."""
    return await _read(request, Kind.CONTRACT, name, version)


ROUTES = (
    publish_rules_version,
    list_rules,
    read_rules,
    revert_rules_line,
    publish_contract_version,
    list_contracts,
    read_contract,
)


async def _list(request: Call, kind: Kind) -> Response[bytes]:
    query = request.query(PublicationsQuery)
    found = await published_of(request.node.database, request.tenant, kind, query.name)
    return answer(PublicationPage(publications=tuple(PublicationDocument(**_fields(one)) for one in found)))


async def _read(request: Call, kind: Kind, name: str, version: str) -> Response[bytes]:
    found, content = await find_published(request.node.database, request.tenant, kind, name, version)
    return answer(FullPublication(**_fields(found), content=content.decode()))


def _done(done: Outcome, status: int) -> Response[bytes]:
    published = done.published
    document = PublishedDocument(
        **_fields(published.standing),
        new=published.new,
        fits=tuple(FitDocument(point=one.point, notes=one.notes) for one in done.fits),
        breaks=tuple(BreakDocument(where=one.where, what=one.what, breaks=one.breaks) for one in published.breaks),
    )
    room = "rules" if published.standing.kind is Kind.RULES else "contracts"
    location = f"/v1/{room}/{published.standing.name}/{published.standing.version}"
    return answer(document, status if published.new else 200, location=location)


def _fields(standing: Standing) -> dict[str, Any]:
    return {**msgspec.structs.asdict(standing), "digest": standing.digest.hex()}
