"""What is declared of the order of work: by the workflows' files and by the settings. Pure."""

from __future__ import annotations

from types import MappingProxyType

from interlock.cases.registry import Registry
from interlock.config import Settings
from interlock.oversight.index import Worth
from interlock.oversight.work_scale import WorkTerms


def work_terms(registry: Registry, settings: Settings) -> WorkTerms:
    """The minutes of each decision point that states them, the rates, and what is reserved for the oldest."""
    minutes = {
        (entry.workflow.name, name): float(point.queue.minutes)
        for entry in registry.all
        for name, point in entry.declaration.decisions.items()
        if point.queue.minutes is not None
    }
    rates = {currency: float(rate) for currency, rate in settings.rates.rates.items()}
    worth = Worth(base=settings.rates.base, rates=MappingProxyType(rates), floor=float(settings.queue_floor))
    return WorkTerms(minutes=MappingProxyType(minutes), worth=worth, oldest=1 / settings.queue_oldest)
