"""A check of autonomy: which points declare it, and for which of them nothing is certified."""

from __future__ import annotations

from collections.abc import AsyncIterator

from interlock.autonomy.standing import Standing
from interlock.autonomy.watch import Certificates
from interlock.cases.registry import Registry, load_registry
from interlock.cli.doctor.check import Check, ok, warn
from interlock.config import Settings
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.errors import InterlockError
from interlock.setting_forms import Mode


async def check_certified(settings: Settings, url: str) -> AsyncIterator[Check]:
    """Look at what is certified of the points of the settings' workflows that declare their autonomy."""
    only_published = settings.mode is Mode.PRODUCTION
    try:
        registry = load_registry(settings.workflows, only_published=only_published, checked=False)
    except InterlockError:
        return  # the workflow's own check says why
    async for check in look_at(registry, settings.tenant, url):
        yield check


NO_TENANT = "no tenant yet"


async def look_at(registry: Registry, name: str, url: str) -> AsyncIterator[Check]:
    """Look at what is certified for a tenant, by its name."""
    if not registry.autonomous:
        return
    async with Database(url) as database, Certificates(database, Notifier(url), registry.autonomous) as known:
        tenant, now = await database.find_tenant(name), database.clock.now()
        for entry in registry.all:
            for point in entry.declaration.decisions.values():
                if point.autonomy is not None:
                    workflow, terms, digest = entry.workflow.name, point.autonomy, point.digest
                    counts = known.in_force(tenant, workflow, point.name, terms, digest, now) if tenant else NO_TENANT
                    yield _told(f"{workflow}.{point.name}", counts)


def _told(name: str, counts: Standing | str) -> Check:
    if isinstance(counts, str):
        what = f"{name} lets nothing go by itself, since no certificate is in force: {counts}"
        return warn("autonomy", what, "derive one, once enough outcomes are known; until then people decide")
    return ok("autonomy", f"{name} is certified {counts.said}")
