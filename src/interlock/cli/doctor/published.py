"""Checks of what is published: whether this program can load what counts, and whether anything is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from interlock.cases.registry import Registry, load_registry
from interlock.cli.doctor.check import Check, fail, failed, ok, warn
from interlock.config import Settings
from interlock.db.database import Database
from interlock.db.signals import Notifier
from interlock.errors import InterlockError
from interlock.publications.watch import Publications
from interlock.setting_forms import Mode


async def check_published(settings: Settings, url: str) -> AsyncIterator[Check]:
    """Look at what counts of what the workflows of the settings name."""
    only_published = settings.mode is Mode.PRODUCTION
    if settings.database_url and not only_published:
        what = "development: where nothing is published, a file on disk decides"
        yield warn("mode", what, 'set mode = "production", and `interlock publish --all`')
    try:
        registry = load_registry(settings.workflows, only_published=only_published)
    except InterlockError:
        return  # the workflow's own check says why
    try:
        async for check in _look(settings, url, registry, only_published=only_published):
            yield check
    except InterlockError as cause:
        yield failed("published", cause)


async def _look(settings: Settings, url: str, registry: Registry, *, only_published: bool) -> AsyncIterator[Check]:
    async with (
        Database(url) as database,
        Publications(database, Notifier(url), registry.references) as publications,
    ):
        tenant = await database.find_tenant(settings.tenant)
        if only_published and tenant is None:
            todo = "`interlock publish --all` makes the tenant and publishes what its workflows name"
            yield fail("published", f"there is no tenant {settings.tenant}, and so nothing is published", todo)
            return
        if only_published and tenant is not None:
            registry.joined(publications, only_published=True).check(tenant)
        for told in publications.unusable:
            todo = "bring this program to the release that published it, or revert the line"
            yield fail("published", f"{told}; what uses it goes to its fallback", todo)
        if not publications.unusable:
            counted = len(publications.of(tenant)) if tenant else 0
            yield ok("published", f"{counted} of {len(registry.references)} references are published, and loaded")
