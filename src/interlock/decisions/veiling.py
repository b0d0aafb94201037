"""Personal data on the decision path: opened for the components, tokens in all that is kept and told.

``admit`` stands at the door: from there on what is asked holds clear values, and its veil knows which. ``conceal``
stands before everything that records: what it gives holds none. A point that states no purpose passes neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from interlock.components.component import FiredRule
from interlock.components.finding import Finding
from interlock.components.taken import Taken
from interlock.contracts import Contract, check
from interlock.db.work import Stamp, Write
from interlock.decisions.ask import Asking, Proposal
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Decision, Reason, Verdict
from interlock.decisions.draft import Draft
from interlock.decisions.features.read import FeaturesRead
from interlock.decisions.findable import finding_digests
from interlock.decisions.store import canonical
from interlock.errors import ConfigInvalid, ContractViolated, FeatureUnusable, PurposeRefused, Violation
from interlock.privacy.purpose import needs_purpose
from interlock.privacy.records import records_of
from interlock.privacy.unsaid import STRAY, check_key, no_subject, stray_token, without_values
from interlock.privacy.vault import Vault
from interlock.privacy.veil import Veil, tokens_of, veiled


class Admitted(NamedTuple):
    """What passed the door.

    Attributes:
        asked: What is asked, with clear values; its veil knows them.
        data: The input as it is kept: canonical JSON with tokens. Empty where it names no subject.
        violations: What it breaks, without its values.
    """

    asked: Asked
    data: bytes
    violations: tuple[Violation, ...]


async def admit(vault: Vault | None, asked: Asked) -> Admitted:
    """Open what is asked for the purpose of its point, hold it against its contract, and make the tokens.

    Args:
        vault: Makes and opens tokens.
        asked: From a case, whose values may be tokens; or from outside, where none may be.

    Raises:
        PurposeRefused: a field may not be read for the point's purpose.
        PersonalErased: the data are erased.
        Refused: the idempotency key repeats a personal value.
        ConfigInvalid: there is no master key.
    """
    if vault is None:
        raise ConfigInvalid("nothing here opens personal data", todo="decide in a node of its own settings")
    point, value = asked.point, asked.value
    contract = asked.library.contract(point.input) if point.input else None
    stray = () if asked.case_id and contract is None else _stray(asked, contract)
    veil = Veil()
    clear = value if stray else await vault.open(asked.tenant, value, point.purpose, veil)
    if contract is None:
        kept: Mapping[str, Any] = value
        violations: tuple[Violation, ...] = stray
    else:
        needs_purpose(contract, point.purpose)
        violations = stray or without_values(contract, check(contract, clear))
        personal = contract.personal
        protected = await vault.protect(asked.tenant, personal, clear) if personal else None
        if personal and protected is None:
            return Admitted(asked, b"", violations or (no_subject(contract),))
        kept, veil = (protected.value, protected.veil) if protected else (value, veil)
    if asked.case_id is None:
        check_key(asked.key, veil)
    data = canonical.encode(kept)
    admitted = structs.replace(asked, value=clear, veil=veil, attach=_recording(asked.tenant, asked.attach))
    return Admitted(admitted, data, violations)


def _stray(asked: Asked, contract: Contract | None) -> tuple[Violation, ...]:
    """Tokens where none may be: from outside anywhere, from a case in fields that are not marked."""
    if not any(tokens_of(asked.value)):
        return ()
    if asked.case_id is None:
        return (stray_token(),)
    rest: Any = asked.value
    if contract and contract.personal:
        rest = veiled(contract.personal, asked.value, _nothing, Veil())
    if not any(tokens_of(rest)):
        return ()
    what, todo = "personal data stand in a field that is not marked", "mark it as personal, or leave it out"
    return (Violation(where="", what=what, rule=STRAY, todo=todo),)


def _nothing(_place: str, _purposes: tuple[str, ...], _value: object) -> str:
    return ""


def _recording(
    tenant: UUID, before: Callable[[Stamp, Decision], Sequence[Write]]
) -> Callable[[Stamp, Decision], Sequence[Write]]:
    """The rows that say under whose keys a decision, and the case that it begins, is kept."""

    def attach(stamp: Stamp, decision: Decision) -> Sequence[Write]:
        kept = (decision.input, decision.output or b"", decision.evidence)
        rows = [*before(stamp, decision), *records_of(tenant, "decision", decision.id, *kept)]
        return [*rows, *(records_of(tenant, "case", decision.case_id, *kept) if decision.case_id else ())]

    return attach


async def conceal(vault: Vault, draft: Draft) -> Draft:
    """The draft with tokens in the place of every personal value; from here on nobody sees another.

    Raises:
        PurposeRefused: the output's contract marks fields that may not be read for the point's purpose.
    """
    asked, asking = draft.asked, draft.asking
    veil = asked.veil or Veil()
    answered = asking.best.answer.output if asking.best else None
    digests = await finding_digests(vault, asked, answered)
    if asking.best is not None:
        asking.best = await _concealed(vault, asked, asking.best, veil)
    _conceal_course(asking, veil)
    ruling = draft.ruling
    if ruling is not None:
        ruling = structs.replace(ruling, fired=_fired(ruling.fired, veil), verdicts=_verdicts(ruling.verdicts, veil))
    hidden = structs.replace(
        asked,
        value={**veil.mask(_features_of(asked)), **msgspec.json.decode(draft.input)},
        features=_features(asked.features, veil),
        digests=digests,
    )
    return structs.replace(
        draft,
        asked=hidden,
        verdicts=_verdicts(draft.verdicts, veil),
        routed=structs.replace(draft.routed, reasons=_reasons(draft.routed.reasons, veil)),
        ruling=ruling,
    )


async def _concealed(vault: Vault, asked: Asked, best: Proposal, veil: Veil) -> Proposal:
    contract = asked.library.contract(asked.point.output)
    output: dict[str, Any] = best.answer.output
    if contract.personal:
        needs_purpose(contract, asked.point.purpose)
        protected = await vault.protect(asked.tenant, contract.personal, output)
        if protected is None:
            raise PurposeRefused(f"an output of {contract.reference} names no subject", todo="mend the component")
        output = protected.value
        veil.join(protected.veil)
    output = veil.mask_output(contract.record, output)
    evidence = veil.mask(best.answer.evidence)
    fired = _fired(best.answer.fired, veil)
    answer = Taken(
        output=output,
        confidence=best.answer.confidence,
        evidence=evidence,
        fired=fired,
        cost=best.answer.cost,
        usage=best.answer.usage,
        output_json=canonical.encode(output),
        evidence_json=canonical.encode(evidence),
        fired_json=canonical.encode(fired),
    )
    findings = tuple(_finding(finding, veil) for finding in best.findings)
    return replace(best, answer=answer, findings=findings)


def _conceal_course(asking: Asking, veil: Veil) -> None:
    asking.shortfall[:] = _reasons(asking.shortfall, veil)
    asking.attempts[:] = [structs.replace(one, why=veil.mask_text(one.why)) for one in asking.attempts]


def _finding(finding: Finding, veil: Veil) -> Finding:
    where = veil.mask_name(finding.where)
    return structs.replace(finding, code=veil.mask_name(finding.code), what=veil.mask_text(finding.what), where=where)


def _reasons(reasons: Sequence[Reason], veil: Veil) -> tuple[Reason, ...]:
    return tuple(structs.replace(reason, what=veil.mask_text(reason.what)) for reason in reasons)


def _verdicts(verdicts: Sequence[Verdict], veil: Veil) -> tuple[Verdict, ...]:
    return tuple(structs.replace(verdict, what=veil.mask_text(verdict.what)) for verdict in verdicts)


def _fired(rules: Sequence[FiredRule], veil: Veil) -> tuple[FiredRule, ...]:
    """The rules that fired. Their table and the titles of its columns are names, and name what an auditor looks for."""
    return tuple(
        FiredRule(
            table=veil.mask_name(one.table),
            row=one.row,
            cells={veil.mask_name(title): veil.mask_text(cell) for title, cell in one.cells.items()},
            note=veil.mask_text(one.note),
        )
        for one in rules
    )


def _features_of(asked: Asked) -> dict[str, Any]:
    """The features that were joined to the input."""
    return {name: asked.value[name] for name in asked.features.used if name in asked.value} if asked.features else {}


def _features(read: FeaturesRead | None, veil: Veil) -> FeaturesRead | None:
    if read is None:
        return None
    used = {
        name: structs.replace(one, value=veil.mask(one.value), what=veil.mask_text(one.what))
        for name, one in read.used.items()
    }
    return FeaturesRead(value={}, used=used, shortfall=_reasons(read.shortfall, veil))


def violated(asked: Asked, violations: tuple[Violation, ...]) -> ContractViolated:
    """The error that says that an input breaks its contract."""
    what = f"the input of {asked.name} breaks {asked.point.input or 'what personal data may be'}"
    return ContractViolated(what, violations, todo="mend what is named and send it again")


def masked_features(cause: FeatureUnusable, veil: Veil) -> FeatureUnusable:
    """The error that says which features cannot be used, without personal values that it repeats."""
    told = tuple(structs.replace(one, what=veil.mask_text(one.what)) for one in cause.violations)
    return FeatureUnusable(veil.mask_text(cause.what), told, where=cause.where, todo=cause.todo)
