"""The points that may be certified, as the workflows' files declare them and as a tenant's components stand now."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from uuid import UUID

from interlock.authority.judge import Resource
from interlock.autonomy.certificate import read_certificate
from interlock.autonomy.issuing.place import Alike, Place
from interlock.autonomy.issuing.show import find_certificate
from interlock.cases.certified_files import files_alike
from interlock.cases.in_line import find_point
from interlock.cases.registry import Registered, Registry
from interlock.cases.stoppable import stop_resource
from interlock.contracts import Field
from interlock.db.database import Database
from interlock.decisions.point import DecisionPoint
from interlock.errors import InterlockError, NotFound, Refused

log = logging.getLogger("interlock.autonomy")


def places(registry: Registry, tenant: UUID) -> list[Place]:
    """Every point that declares its autonomy; one whose components cannot be loaded is left out, as the log says."""
    found: list[Place] = []
    for entry in registry.all:
        for point in entry.declaration.decisions.values():
            if point.autonomy is not None:
                try:
                    found.append(place_of(entry, point, tenant))
                except InterlockError as cause:
                    name = f"{entry.workflow.name}.{point.name}"
                    log.warning("the autonomy of %s is neither shown nor renewed: %s", name, cause.what)
    return found


def find_place(registry: Registry, tenant: UUID, name: str) -> Place:
    """A point that declares its autonomy, by its full name.

    Raises:
        NotFound: there is no such point.
        Refused: its file declares no autonomy, or a component of it cannot be loaded.
    """
    named = find_point(registry, name)
    return place_of(named.registered, named.point, tenant)


def place_of(registered: Registered, point: DecisionPoint, tenant: UUID) -> Place:
    """A point as it stands now. Who stands in while data are broken is not certified: then a person decides.

    Raises:
        Refused: its file declares no autonomy, or a component of it cannot be loaded.
        NotFound: its contract is not in force.
    """
    name = f"{registered.workflow.name}.{point.name}"
    if point.autonomy is None:
        what = f"{name} declares no autonomy: sure_from alone says what goes by itself there"
        raise Refused(what, todo="declare autonomy: at the point, in the workflow's file")
    library = registered.library.for_tenant(tenant)
    components = [
        library.component(share.component) for step in point.steps if not step.is_person for share in step.shares
    ]
    return Place(
        tenant=tenant,
        workflow=registered.workflow.name,
        point=point.name,
        terms=point.autonomy,
        components={one.digest.hex(): str(one.ref) for one in components},
        record=library.contract(point.output).record,
        digest=point.digest,
        file=registered.declaration.digest,
        alike=_alike(registered, point, tenant),
    )


def _alike(registered: Registered, point: DecisionPoint, tenant: UUID) -> Alike:
    today = registered.declaration.digest

    async def alike(database: Database, seen: Mapping[bytes, bytes | None]) -> frozenset[bytes]:
        before = {file: build for file, build in seen.items() if file != today}
        return await files_alike(database, tenant, point.name, point.digest, before) | {today}

    return alike


def certifying_resource(registry: Registry, tenant: UUID, name: str) -> Resource:
    """A point as policies see it where somebody has it certified: its owner and who stands in answer for it."""
    workflow = name.rpartition(".")[0]
    registered = registry.find(workflow)
    dossier = registered.declaration.dossier if registered else None
    owners = [who for who in (dossier.owner, dossier.stand_in) if who.strip()] if dossier else []
    return Resource(
        kind="Scope",
        id=f"point:{name}",
        tenant=tenant,
        facts={"scope": f"point:{name}", "owners": owners, "answered": bool(owners), "installation": False},
    )


def withdrawing_resource(registry: Registry, tenant: UUID, name: str) -> Resource:
    """A point as policies see it where somebody withdraws its certificate: as if they stopped it."""
    return stop_resource(tenant, f"point:{name}", (one.declaration for one in registry.all))


async def record_of(registry: Registry, database: Database, tenant: UUID, certificate: UUID) -> Field | None:
    """The record of the output of the point that a certificate is of; None: no file here declares it.

    Raises:
        NotFound: there is no such certificate.
    """
    stored = await find_certificate(database, tenant, certificate)
    held = read_certificate(stored.content)
    registered = registry.find(held.workflow)
    point = registered.declaration.decisions.get(held.point) if registered else None
    if registered is None or point is None:
        return None
    return registered.library.for_tenant(tenant).contract(point.output).record


def split_name(name: str) -> tuple[str, str]:
    """Workflow and point of a full name.

    Raises:
        NotFound: it is no name of a point.
    """
    workflow, _, point = name.rpartition(".")
    if not workflow or not point:
        raise NotFound(f"{name[:100]!r} is no decision point", todo="write workflow.point")
    return workflow, point
