"""A digest of what a certificate of a point takes for granted. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # a point computes its own
    from interlock.components.component import ComponentRef
    from interlock.decisions.point import DecisionPoint

_DOMAIN = b"interlock.decisions.point.1\0"
_JSON = msgspec.json.Encoder(order="sorted")


def point_digest(point: DecisionPoint) -> str:
    """SHA-256, in hex, of all that a point's file says by which an answer comes to be held against its certificate.

    In it: the contracts of question and answer and the features, since other questions are other decisions; where the
    money at stake stands; the conditions, the checks and the policy, since they say which answers a person sees in any
    case; the terms of the data; who is asked in which order, by kind and name, and which share of the decisions each of
    several answers, since the loss is bounded on average over all of them.

    Not in it: versions of components, since each version is certified by itself, and who is asked after another one
    goes by a certificate of that one's version alone; ``sure_from`` and its bands, since a certificate is derived as if
    there were none and they only make it stricter; ``autonomy`` itself, which has a digest of its own; and what decides
    nothing: queue, reasons, four eyes, ``valid_for``, ``then``, ``follows``, ``purpose``, why nobody stands at the end,
    and the budget, beyond which a person decides. Neither is what stands in other files: the code
    of checks and features, and the content of contracts and of the policy's table.
    """
    exposure, data = point.exposure, point.data
    said: dict[str, Any] = {
        "input": point.input,
        "output": point.output,
        "exposure": [exposure.root, exposure.path, exposure.currency] if exposure else None,
        "review": [one.text for one in point.review],
        "reject": [one.text for one in point.reject],
        "policy": str(point.policy) if point.policy else None,
        "checks": point.checks,
        "features": [
            [str(one.ref), one.output, one.function, one.input, one.entity, one.max_age, one.on_missing, one.default]
            for one in point.features
        ],
        "data": [data.contract, data.own, data.refuse, _name(data.component) if data.component else None],
        "steps": [sorted({_name(share.component) for share in step.shares}) for step in point.steps],
    }
    if any(len(step.shares) > 1 for step in point.steps):
        said["shares"] = [sorted([str(one.component), str(one.share)] for one in step.shares) for step in point.steps]
    return hashlib.sha256(_DOMAIN + _JSON.encode(said)).hexdigest()


def _name(component: ComponentRef) -> str:
    return f"{component.kind}:{component.name}"
