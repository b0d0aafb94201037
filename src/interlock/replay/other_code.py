"""Stages that ran other code than that of then: what they find is not blamed on the record. Pure.

Code is not run from the archive. A stage whose code is not that of then says so if it comes out the same; if it does
not, it counts as not run, and so do later stages that come out otherwise: they rest on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import structs

from interlock.components.onnx import Onnx
from interlock.decisions.asked import Asked
from interlock.errors import InterlockError
from interlock.replay.asking import AskingAgain
from interlock.replay.result import Stage, Status, in_short


def other_code_of(asked: Asked, again: AskingAgain, other: frozenset[str]) -> Mapping[str, str]:
    """Which stages ran other code, by their names, with the modules in words.

    Args:
        asked: What was asked.
        again: The asking.
        other: The modules whose source is not what it was.
    """
    if not other:
        return {}
    point, library, found = asked.point, asked.library, dict[str, str]()
    for feature in point.features:
        if feature.function:
            found[f"features {feature.field}"] = _among(other, (feature.function,))
    for place, tried in enumerate(again.tried):
        if tried.proposal is None and tried.failure is None:
            continue
        try:
            component = library.component(tried.reference)
        except InterlockError:
            continue
        if isinstance(component, Onnx):
            found[f"component {place + 1}"] = _among(other, (component.manifest.module,))
    found["findings"] = _among(other, point.checks)
    return {name: modules for name, modules in found.items() if modules}


def told_by_other_code(stages: Iterable[Stage], ran_other: Mapping[str, str]) -> tuple[Stage, ...]:
    """The stages, with what ran other code marked, and nothing different that rests on it."""
    return tuple(_told(stages, ran_other))


def _told(stages: Iterable[Stage], ran_other: Mapping[str, str]) -> Iterator[Stage]:
    because = ""
    for stage in stages:
        modules = ran_other.get(stage.name)
        if modules and stage.status in (Status.EQUAL, Status.WITHIN_TOLERANCE, Status.DIFFERENT):
            code = f"code differs: {modules}"
            what = f"{stage.what}; {code}" if stage.what else code
            differs = stage.status is Status.DIFFERENT
            if differs and stage.kind != "features":  # components see the recorded values of those
                because = because or f"it rests on {stage.name}; {code}"
            yield structs.replace(stage, what=what, status=Status.NOT_RUN if differs else stage.status)
        elif because and stage.status is Status.DIFFERENT:
            what = f"{stage.what}; {because}" if stage.what else because
            yield structs.replace(stage, what=what, status=Status.NOT_RUN)
        else:
            yield stage


def _among(other: Iterable[str], functions: Iterable[str]) -> str:
    """Those modules that some functions are of, or that lie in the package of one: it may import them."""
    packages = {one.partition(":")[0].partition(".")[0] for one in functions}
    return in_short(sorted(f"module {one}" for one in other if one.partition(".")[0] in packages))
