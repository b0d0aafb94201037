"""The check of feature flags: whether their file can be read, or their provider is there."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.cases.flags.evaluate import provider_of
from interlock.cases.flags.file_provider import file_of
from interlock.cases.flags.flag_file import read_flags
from interlock.cli.doctor.check import Check, fail, failed, ok
from interlock.config import Settings
from interlock.errors import InterlockError


def check_flags(settings: Settings) -> Iterator[Check]:
    """Whether flags can be evaluated: a file that cannot be read leaves every workflow to its defaults."""
    if settings.flags_provider:
        try:
            provider_of(settings.flags_provider)
        except InterlockError as cause:
            yield failed("flags", cause)
        else:
            yield ok("flags", f"by the provider {settings.flags_provider}")
        return
    path = file_of(settings.flags_file)
    if path is None:
        yield ok("flags", f"none: there is no {settings.flags_file.name}, so workflows' defaults hold")
        return
    try:
        flags = read_flags(path.read_bytes(), path.name)
    except InterlockError as cause:
        yield failed("flags", cause)
    except OSError as cause:
        yield fail("flags", f"{path} cannot be read: {cause.strerror or cause}", "give this user the right to read it")
    else:
        yield ok("flags", f"{len(flags)} in {path.name}: {', '.join(sorted(flags)) or 'none'}")
