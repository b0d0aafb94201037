"""The check of reconciliations: whether what they name is there, before a round or a file meets that it is not."""

from __future__ import annotations

from collections.abc import Iterator

from interlock.cases.registry import load_registry
from interlock.cli.doctor.check import Check, fail, failed, ok
from interlock.config import Settings
from interlock.errors import InterlockError
from interlock.packs.reconciliation.configured import sources_of, terms_of
from interlock.packs.reconciliation.rounds.open import CARRY, carries
from interlock.reconciliation_settings import ReconciliationSettings


def check_reconciliations(settings: Settings) -> Iterator[Check]:
    """Whether each reconciliation's workflow is carried, its sources can be read as they say, and its folders exist.

    Whether the connector is there through which the workflow acts is told with the workflow.
    """
    for mine in settings.reconciliation.values():
        found = list(_wrong(settings, mine))
        yield from found or [ok(f"reconciliation {mine.name}", f"{len(mine.sources)} sources")]


def _wrong(settings: Settings, mine: ReconciliationSettings) -> Iterator[Check]:
    name, workflow = f"reconciliation {mine.name}", terms_of(mine).workflow
    try:
        registry = load_registry(list(settings.workflows))
    except InterlockError:
        pass  # told with the workflows
    else:
        if not carries(registry, workflow):
            yield fail(name, f"no workflow {workflow} with a decision point match is carried", CARRY)
    try:
        sources_of(mine)
    except InterlockError as cause:
        yield failed(name, cause)
    for source in mine.sources:
        if source.folder and not source.folder.is_dir():
            yield fail(name, f"{source.side}.{source.name} watches {source.folder}, which is no folder", "make it")
