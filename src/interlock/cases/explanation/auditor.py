"""What an auditor needs: the whole story, what was compared, what would have changed it, and the evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from interlock.autonomy.words import certifying_said, terms_said
from interlock.cases.explain import Passage, decision_passage, explain, review_passage, when
from interlock.cases.explanation.material import Material, Sealed, Told
from interlock.cases.explanation.saying import counterfactual_line, hidden
from interlock.components.component import FiredRule
from interlock.decisions.decision import Became, Decision, Verdict
from interlock.decisions.readable import recorded_evidence


def for_auditor(material: Material) -> tuple[Passage, ...]:
    """The explanation, full: of a case its whole story, with the evidence of its decisions."""
    told = list(explain(material.record)) if material.record is not None else list(_alone(material))
    at = told[-1].at
    for one in (one for one in material.in_focus if not one.unreadable):
        name = f"{one.decision.workflow}.{one.decision.point} ({one.decision.id})"
        told.append(Passage(at=at, title=f"What was compared in {name}", lines=tuple(_compared(one))))
        told.append(Passage(at=at, title=f"What would have changed {name}", lines=tuple(_otherwise(one))))
        if one.outcomes:
            told.append(Passage(at=at, title=f"What became of {name}", lines=one.outcomes))
    looked = tuple(_looked(material))
    if looked:
        told.append(Passage(at=at, title="How long people looked", lines=looked))
    told.append(Passage(at=at, title="Evidence in the ledger", lines=tuple(_evidence(material))))
    return tuple(
        msgspec.structs.replace(one, title=hidden(one.title), lines=tuple(map(hidden, one.lines))) for one in told
    )


def _alone(material: Material) -> Iterator[Passage]:
    """A decision that was taken in line, without a case."""
    for told in material.told:
        yield decision_passage(told.decision)
        if told.review is not None:
            yield review_passage(told.review)


def _compared(told: Told) -> Iterator[str]:
    decision = told.decision
    yield f"Input: SHA-256 {decision.input_hash.hex()}, contract {_contract(told, decision.input_contract)}."
    if decision.output_hash is not None:
        yield f"Answer: SHA-256 {decision.output_hash.hex()}, contract {_contract(told, decision.output_contract)}."
    yield f"The workflow's file: SHA-256 {decision.declaration.hex()}{'' if told.declaration else ', not at hand'}."
    if decision.build is not None:
        yield f"The build that decided: SHA-256 {decision.build.hex()}; `interlock replay {decision.id}` runs it again."
    for asked in decision.asked:
        if asked.digest:
            chance = f", chosen with the probability {asked.propensity}" if asked.propensity != "1" else ""
            yield f"{asked.component}: SHA-256 {asked.digest}{chance}."
        if asked.became in (Became.ANSWERED, Became.UNSURE):
            given = "none" if asked.confidence is None else repr(asked.confidence)
            needed = "none suffices" if asked.needed is None else repr(asked.needed)
            yield f"{asked.component}: confidence given {given}, needed {needed}: {asked.became}."
    yield from _terms(told)
    if certified := recorded_evidence(decision).autonomy:
        yield certifying_said(certified)
    yield from _policy(decision)
    for verdict in msgspec.json.decode(decision.verdicts, type=list[Verdict]):
        yield f"It demanded {verdict.route}: {verdict.what}."


def _contract(told: Told, name: str | None) -> str:
    if name is None:
        return "none: it is what an earlier decision put out"
    contract = told.kept.contracts.get(name)
    return f"{name}, SHA-256 {contract.digest.hex()}" if contract is not None else f"{name}, not at hand"


def _terms(told: Told) -> Iterator[str]:
    point = told.kept.point
    if point is None:
        return
    for band in point.bands:
        yield f"The file needs a confidence of {band.confidence!r} below {band.below}."
    if point.autonomy is not None:
        yield f"The file lets it answer alone {terms_said(point.autonomy)}."
    if not point.bands and (point.autonomy is None or point.says_sure):
        yield f"The file needs a confidence of {point.sure_from!r}."
    for route, conditions in (("review", point.review), ("reject", point.reject)):
        for condition in conditions:
            yield f"The file demands {route} when: {condition.text}"
    for check in point.checks:
        yield f"The file lets the answer be checked by {check}."


def _policy(decision: Decision) -> Iterator[str]:
    ruling = recorded_evidence(decision).policy
    if ruling is None:
        return
    yield f"The policy {ruling.rules} (SHA-256 {ruling.digest}) said {ruling.route}{_rows(ruling.fired)}."


def _rows(fired: tuple[FiredRule, ...]) -> str:
    return f", by {', '.join(f'{one.table} row {one.row}' for one in fired)}" if fired else ""


def _otherwise(told: Told) -> Iterator[str]:
    result, decision = told.counterfactuals, told.decision
    for one in result.found:
        yield counterfactual_line(one, decision.answer, decision.route)
    if result.omitted:
        yield f"{result.omitted} more changes that lead elsewhere are not told."
    yield from result.not_computed
    if result.found:
        yield "Each of these was evaluated with what judged the decision; nothing else is claimed."
    elif not result.not_computed:
        yield (
            "None of the changes that were tried leads elsewhere: of each value those at, just below and just above "
            "what its file and tables compare it with. A bound that follows from several values is not searched for."
        )


def _looked(material: Material) -> Iterator[str]:
    for entry in material.sealed:
        if entry.kind != "review.resolved" or "dwell_of" not in entry.body:
            continue
        who, dwell, of = entry.body.get("who"), entry.body.get("dwell_ms"), entry.body.get("dwell_of")
        if dwell is None:
            yield f"{who} resolved a review without having claimed it; how long they looked is not known."
        else:
            since = "they claimed it" if of == "claim" else "they first read it"
            yield f"{who} resolved a review {int(dwell) / 1000:.3f} s after {since} ({entry.body.get('looked_since')})."


def _evidence(material: Material) -> Iterator[str]:
    for told in material.in_focus:
        yield from _record(material, told)
    for entry in material.sealed:
        yield _entry(entry)
    if material.left_out:
        yield f"{material.left_out} older decisions of the case are told above, and were not tried again."
    checkpoint = material.checkpoint
    if checkpoint is None:
        yield "No checkpoint of the ledger is signed yet."
        return
    signed = f"The newest signed checkpoint, of {when(checkpoint.signed_at)}, holds {checkpoint.size} entries"
    yield f"{signed}, root {checkpoint.root}."
    about = material.record.case.id if material.record is not None else material.focus
    yield f"`interlock ledger prove {about}` gives the proofs that interlock-verify checks without this system."


def _record(material: Material, told: Told) -> Iterator[str]:
    """Whether the decision is what its entry says: the hash of its record then and now."""
    entry = next((one for one in material.sealed if one.entry == told.decision.id), None)
    then, now = (entry.body.get("record") if entry is not None else None), material.records.get(told.decision.id)
    if told.unreadable and then is None:
        yield f"The record's SHA-256 is now {now}; no entry that is sealed holds what it was."
    if then is None or now is None:
        return
    said = "which its record has" if then == now else f"BUT ITS RECORD NOW HAS {now}: it was changed since"
    yield f"The entry of the decision holds the SHA-256 {then} of its record, {said}."


def _entry(entry: Sealed) -> str:
    moment = f" of {when(entry.at)}" if entry.at is not None else ""
    name = f"{entry.kind or 'Entry'}{moment} ({entry.entry})"
    if entry.index is None:
        return f"{name}: written, not sealed yet."
    return f"{name}: leaf {entry.index}, hash {entry.leaf}."
