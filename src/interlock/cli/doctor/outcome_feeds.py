"""The check of feeds of outcomes: whether what they name is there, before outcomes are missed that nobody brings."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.cli.doctor.check import Check, fail, ok
from interlock.config import Settings


def check_outcome_feeds(settings: Settings) -> Iterator[Check]:
    """Whether the folder of each feed exists; its query is tried by `interlock outcomes pull`."""
    for feed in settings.outcomes.values():
        name = f"outcomes {feed.name}"
        if feed.folder and not feed.folder.is_dir():
            yield fail(name, f"it watches {feed.folder}, which is no folder", "make it")
        else:
            yield ok(name, f"every {feed.every_s:g} s")
