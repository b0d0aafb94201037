"""Finding a feature by its name, over all workflows of a process: its values are one store's."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from interlock.cases.registry import Registry
from interlock.decisions.features.feature import Feature, FeatureRef
from interlock.decisions.library import Library
from interlock.errors import NotFound, StateConflict
from interlock.spelling import meant


class Declared(NamedTuple):
    """A feature, and where its contract is found.

    Attributes:
        feature: As a workflow's file declares it.
        library: That workflow's, as it counts in the tenant.
    """

    feature: Feature
    library: Library


def find_stored_feature(registry: Registry, tenant: UUID, ref: FeatureRef) -> Declared:
    """A feature whose values are stored, as the workflows' files declare it.

    Raises:
        NotFound: no workflow of this process declares it.
        StateConflict: it is computed, so nothing is stored; or two workflows declare it with different types.
    """
    entries = registry.all
    found = [(entry, entry.declaration.features[ref]) for entry in entries if ref in entry.declaration.features]
    if not found:
        known = sorted({str(one) for entry in entries for one in entry.declaration.features})
        todo = meant(str(ref), known) if known else "declare it under features in a workflow's file"
        raise NotFound(f"no workflow declares the feature {ref}", todo=todo)
    entry, feature = found[0]
    if feature.function:
        todo = "load values of a feature with table: features"
        raise StateConflict(f"{ref} is computed by {feature.function}: it has no stored values", todo=todo)
    for other, its in found:
        if its.output != feature.output:
            what = f"{ref} is {feature.output} in {entry.workflow.name}, and {its.output} in {other.workflow.name}"
            raise StateConflict(what, todo="give one of them another version")
    return Declared(feature, entry.library.for_tenant(tenant))
