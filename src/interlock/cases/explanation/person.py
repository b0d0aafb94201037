"""What the person concerned is told (GDPR, articles 15 and 22): plain words, their data, and what they can do. Pure.

INVARIANT: nothing of it holds an internal id, a hash, the name of a component, a rule's text, the name of an employee,
or what a check or a reviewer wrote in free words: these may be about other people. Reasons are told by their kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from interlock.actions.action import ActionState
from interlock.cases.explain import Passage
from interlock.cases.explanation.conditions import plain_condition
from interlock.cases.explanation.material import Material, Told
from interlock.cases.explanation.public import Fields, fields_of, is_public, may_tell
from interlock.cases.explanation.saying import Labels, human, plain_line, plain_value
from interlock.components.finding import Finding
from interlock.contracts import Contract
from interlock.decisions.counterfactual.change import Part
from interlock.decisions.decision import Decision, Reason, Route, Verdict
from interlock.decisions.features.read import recorded_features
from interlock.oversight.review import Resolution, ReviewState
from interlock.privacy.token import MARKER

MOST_LINES = 6
_REASONS: Mapping[str, str] = {
    "sure_enough": "Everything that the organisation requires for an automatic decision was there.",
    "unsure": "The system was not certain enough of its own answer.",
    "above_bands": "So much is at stake that a person decides such cases, however certain the system is.",
    "below_zero": "The amount is below zero, which a person looks at.",
    "no_certificate": "At that time the system was not permitted to decide such cases by itself.",
    "not_certified": "The system is not permitted to decide cases like yours by itself.",
    "above_cap": "So much is at stake that a person decides such cases, however certain the system is.",
    "exposure_unknown": "What is at stake was not known, which a person looks at.",
    "expected_loss": "The system was not certain enough of its own answer for what is at stake.",
    "certificate_gone": "At that time the system was not permitted to decide such cases by itself.",
    "no_answer": "The system had no answer of its own.",
    "component_failed": "The system could not work out an answer.",
    "component_late": "The system did not answer in time.",
    "over_budget": "An automatic answer would have cost more than the organisation allows for.",
    "condition": "A rule of the organisation asks for this in cases like yours.",
    "finding": "A check of the data noted something.",
    "rule": "A rule of the organisation asks for this in cases like yours.",
    "stopped": "Automatic decisions were paused at that time.",
    "nobody_left": "Nobody was appointed who could decide it otherwise.",
    "data_level_broken": "The data that such decisions rest on were not up to date.",
}
_DECIDED: Mapping[Resolution, str] = {
    Resolution.APPROVE: "agreed with the system's proposal",
    Resolution.CHANGE: "decided otherwise than the system had proposed",
    Resolution.REJECT: "refused it",
}

_FOLLOWED: Mapping[ActionState, str] = {ActionState.DONE: "done", ActionState.FAILED: "not done"}


def for_person(material: Material) -> tuple[Passage, ...]:
    """The explanation for the person concerned."""
    passages = [passage for told in material.in_focus for passage in _told(told)]
    if not passages and material.record is not None:
        at = material.record.case.created_at
        passages.append(Passage(at=at, title="What was decided", lines=("Nothing has been decided yet.",)))
    at = passages[-1].at
    return (*passages, Passage(at=at, title="What you can do", lines=tuple(_rights(material))))


def _told(told: Told) -> Iterator[Passage]:
    decision, labels = told.decision, labels_of(told)
    at, title = decision.decided_at, f"What was decided: {human(decision.point)}"
    if told.unreadable:
        yield Passage(at=at, title=title, lines=("Its record is damaged, so it cannot be explained here.",))
        return
    yield Passage(at=at, title=title, lines=tuple(_decided(told, labels)))
    yield Passage(at=at, title="Which data were used", lines=tuple(_data(decision, labels)))
    yield Passage(at=at, title="The main reasons", lines=tuple(_reasons(decision, labels)))
    yield Passage(at=at, title="What would have changed it", lines=tuple(_otherwise(told, labels)))


def labels_of(told: Told) -> Labels:
    """What fields are called: their descriptions in the contracts, else their names."""
    decision, contracts = told.decision, told.kept.contracts
    labels = dict(_described(Part.INPUT, contracts.get(decision.input_contract or "")))
    labels |= dict(_described(Part.OUTPUT, contracts.get(decision.output_contract or "")))
    return labels


def _fields(told: Told) -> Fields:
    """What the contracts say of the fields of the input and of the answer."""
    decision, contracts = told.decision, told.kept.contracts
    given = fields_of(Part.INPUT, contracts.get(decision.input_contract or ""))
    return {**dict(given), **dict(fields_of(Part.OUTPUT, contracts.get(decision.output_contract or "")))}


def _described(part: Part, contract: Contract | None) -> Iterator[tuple[tuple[Part, str], str]]:
    for field in contract.record.fields if contract is not None else ():
        if field.description:
            yield (part, field.name), _capital(field.description.strip().rstrip("."))


def _decided(told: Told, labels: Labels) -> Iterator[str]:
    decision, review = told.decision, told.review
    if review is not None and review.state is ReviewState.RESOLVED and review.resolution and review.resolved_at:
        yield f"A person decided it on {_day(review.resolved_at)}: they {_DECIDED[review.resolution]}."
        try:
            output = msgspec.json.decode(review.output, type=dict[str, Any]) if review.output is not None else None
        except (msgspec.MsgspecError, RecursionError):
            yield "What they decided cannot be read any more."
            return
    elif decision.route is Route.REVIEW:
        if review is not None and review.state is ReviewState.WITHDRAWN:
            yield "It was not decided: it was no longer needed."
        else:
            yield f"It is not decided yet. Since {_day(decision.decided_at)} it waits for a person to look at it."
        return
    elif decision.route is Route.REJECT:
        yield f"It was refused automatically on {_day(decision.decided_at)}."
        output = decision.answer
    else:
        yield f"It was decided automatically on {_day(decision.decided_at)}, without a person."
        output = decision.answer
    proposed, fields = decision.answer or {}, _fields(told)
    for name, value in (output or {}).items():
        own = value == proposed.get(name) or may_tell(value, fields.get((Part.OUTPUT, name)), codes=True)
        said = (
            _value(value) if own or _is_kept(value) else "in the words of the person who decided; you can ask for them"
        )
        yield f"{labels.get((Part.OUTPUT, name)) or _capital(human(name))}: {said}"
    for action in told.actions:
        amount = f", {action.exposure}" if action.exposure is not None else ""
        yield f"What followed: {human(action.name)}{amount}, {_FOLLOWED.get(action.state, 'not finished yet')}."


def _data(decision: Decision, labels: Labels) -> Iterator[str]:
    given: dict[str, Any] = msgspec.json.decode(decision.input)
    for name, value in given.items():
        yield f"{labels.get((Part.INPUT, name)) or _capital(human(name))}: {_value(value)}"
    for name, used in recorded_features(decision).items():
        yield f"Worked out or looked up beforehand, {human(name)}: {_value(used.value)}"
    if decision.exposure is not None:
        yield f"The amount that it is about: {decision.exposure}"
    if not given:
        yield "None."


def _reasons(decision: Decision, labels: Labels) -> Iterator[str]:
    verdicts = msgspec.json.decode(decision.verdicts, type=list[Verdict])
    conditions = [told for one in verdicts if (told := plain_condition(one.by, labels))]
    coded = [_reason(reason) for reason in decision.why if reason.code != "condition" or not conditions]
    yield from dict.fromkeys((*coded, *conditions))
    for finding in msgspec.json.decode(decision.findings, type=list[Finding]):
        name = finding.where.strip("/").partition("/")[0]
        label = labels.get((Part.INPUT, name)) or human(name)
        place = f", about “{label}”" if name and not name.isdigit() else ""
        yield f"The check “{human(finding.code)}” noted something{place}."


def _reason(reason: Reason) -> str:
    if reason.code.startswith("feature_"):
        return "Something that such decisions rest on was not known at that time."
    return _REASONS.get(reason.code, "A rule of the organisation asks for this in cases like yours.")


def _otherwise(told: Told, labels: Labels) -> Iterator[str]:
    fields, answer, route = _fields(told), told.decision.answer, told.decision.route
    found = [one for one in told.counterfactuals.found if is_public(one, fields)]
    lines = [plain_line(one, labels, fields, answer, route) for one in found[:MOST_LINES]]
    yield from dict.fromkeys(lines)
    if not found:
        yield "No single difference can be named that would have led to another result."
    if told.counterfactuals.not_computed:
        yield "This list may not be complete: what the system would have answered to other data is not always known."
    if found:
        yield "Each of these was tried on the rules that applied to you, with everything else as it was."


def _rights(material: Material) -> Iterator[str]:
    reviewed = any(one.review is not None and one.review.state is ReviewState.RESOLVED for one in material.in_focus)
    waiting = any(
        one.review is not None and one.review.state in (ReviewState.OPEN, ReviewState.CLAIMED)
        for one in material.in_focus
    )
    if waiting:
        yield "A person will look at it before it is decided."
    elif reviewed:
        yield "A person has looked at it. You can ask for it to be looked at once more."
    else:
        yield "You can ask for a person to look at it, give your view, and contest the decision."
    owner = next((one.declaration.dossier.owner for one in material.told if one.declaration is not None), "")
    where = f"Write to {owner}" if owner else "Write to the organisation that told you of the decision"
    yield f"{where}. The person who looks at it can change or take back the decision."
    yield "You can also ask for a copy of your data, for wrong data to be corrected, and for their erasure."


def _is_kept(value: Any) -> bool:
    return isinstance(value, str) and MARKER in value


def _value(value: Any) -> str:
    if _is_kept(value):
        return "kept in encrypted form; you can ask for a copy"
    return plain_value(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
