"""One recorded decision, tried: what was done, what the candidate would do, and what is known of both answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from interlock.autonomy.outcome import Known, known_of
from interlock.autonomy.outcomes.store import SaidOf
from interlock.backtest.asking import Trying
from interlock.backtest.candidate import Candidate
from interlock.backtest.costs import Costs
from interlock.backtest.gather import Audit
from interlock.backtest.known import NOTHING, Comparing, Said, Truth, truth_of
from interlock.backtest.rows import Row, Way
from interlock.cases.answer import REASON_CODE
from interlock.decisions.asked import Asked
from interlock.decisions.decision import Decision, Route
from interlock.decisions.draft import Draft
from interlock.decisions.features.read import FeatureUsed, merged
from interlock.decisions.point import DecisionPoint
from interlock.decisions.route import exposure_value
from interlock.errors import ArchiveMissing, InterlockError
from interlock.money import Money
from interlock.oversight.review import Resolution
from interlock.privacy.vault import Vault
from interlock.privacy.veil import Veil
from interlock.replay.record import Record, read_record
from interlock.replay.restore import Restored, Restoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A decision that was tried.

    Attributes:
        row: For the figures.
        otherwise: Whether the candidate answers otherwise, or another route is taken.
        known: Whether anything is known of what was answered then.
        unanswered: Whether it was drawn for the audit sample, and nobody answered.
    """

    row: Row
    otherwise: bool
    known: bool
    unanswered: bool


class Trial:
    """Tries a candidate on recorded decisions.

    Args:
        restoring: Brings back what they were made with.
        candidate: What is tried.
        audit: The audit sample of the time.
        vault: Opens personal data for the purpose of their point, as when they were taken; None: such are not tried.
        ask_models: Whether language models are asked.
    """

    def __init__(
        self,
        restoring: Restoring,
        candidate: Candidate,
        audit: Audit,
        *,
        vault: Vault | None = None,
        ask_models: bool = False,
    ) -> None:
        self._restoring = restoring
        self._candidate = candidate
        self._audit = audit
        self._vault = vault
        self._ask_models = ask_models

    async def of(self, tenant: UUID, decision: Decision, said: SaidOf | None, costs: Costs) -> Tried:
        """Try one.

        Raises:
            InterlockError: it cannot be tried, with the reason.
        """
        try:
            record = read_record(decision)
        except (msgspec.MsgspecError, ValueError, RecursionError) as cause:
            raise ArchiveMissing("its record cannot be read") from cause
        if record.reasons and record.reasons[0].code == REASON_CODE and not record.attempts:
            raise ArchiveMissing("a person took it: nothing was asked that could be asked otherwise")
        restored = await self._restoring.of(tenant, decision)
        then = restored.declaration.decisions.get(decision.point)
        if then is None or (restored.exact and restored.declaration.digest != decision.declaration):
            raise ArchiveMissing("the file of the workflow that it was decided by is not here")
        output = await self._opened(tenant, then, record.decision.answer, None)
        draft = await self._draft(tenant, record, restored, then, output)
        return await self._compared(tenant, record, restored, then, draft, output, said, costs)

    async def _draft(
        self, tenant: UUID, record: Record, restored: Restored, then: DecisionPoint, output: dict[str, Any] | None
    ) -> Draft:
        """What the candidate would have decided."""
        decision, candidate = record.decision, self._candidate
        point, library = candidate.point(then), candidate.library(restored.library, then)
        library.contract(point.output)
        asked = Asked(
            tenant=tenant,
            workflow=decision.workflow,
            point=point,
            declaration=decision.declaration,
            library=library,
            key=decision.key,
            value=record.input,
            case_id=decision.case_id,
        )
        asked = structs.replace(asked, broken_data=record.broken_data(then, asked.choice_key))
        if candidate.standing is not None:
            asked = structs.replace(asked, certified=candidate.standing)
        elif point.autonomy is not None:
            asked = structs.replace(asked, certified=await self._restoring.certified(asked, record.evidence.autonomy))
        asked = await self._with_values(asked, record)
        if _stated(asked, decision, output):
            asked = structs.replace(asked, exposure=decision.exposure)
        own = candidate.standing is not None or candidate.sureness is not None
        trying = Trying(asked, record, output, as_certified_then=not own, ask_models=self._ask_models)
        return await trying.ask()

    async def _with_values(self, asked: Asked, record: Record) -> Asked:
        """The question with its values in clear, and its features as they were read then: never as they became."""
        point, tenant, used = asked.point, asked.tenant, record.features
        veil = Veil() if point.purpose else None
        value = await self._opened(tenant, point, record.input, veil) or {}
        asked = structs.replace(asked, value=value, veil=veil)
        if not point.features:
            return asked
        missing = [one.field for one in point.features if one.field not in used]
        if missing:
            raise ArchiveMissing(f"the feature {missing[0]} is not on record")
        values = await self._opened(tenant, point, {name: one.value for name, one in used.items()}, veil) or {}
        clear: dict[str, FeatureUsed] = {name: structs.replace(one, value=values[name]) for name, one in used.items()}
        read = merged(point.features, value, clear)
        return structs.replace(asked, value=read.value, features=read)

    async def _opened(
        self, tenant: UUID, point: DecisionPoint, value: Mapping[str, Any] | None, veil: Veil | None
    ) -> dict[str, Any] | None:
        """A recorded value with its personal data, where the point states a purpose; it is told to nobody."""
        if value is None or not point.purpose:
            return None if value is None else dict(value)
        if self._vault is None:
            raise ArchiveMissing("its input holds personal data, and nothing here opens them")
        return dict(await self._vault.open(tenant, dict(value), point.purpose, veil if veil is not None else Veil()))

    async def _compared(
        self,
        tenant: UUID,
        record: Record,
        restored: Restored,
        then: DecisionPoint,
        draft: Draft,
        output: dict[str, Any] | None,
        said: SaidOf | None,
        costs: Costs,
    ) -> Tried:
        decision, best = record.decision, draft.asking.best
        terms = self._candidate.today.autonomy
        fields = terms.outcome.fields if terms else ()
        field = restored.library.contract(then.output).record
        comparing = Comparing(field, fields)
        known = known_of(said, said.proposal, fields, field) if said else None
        drawn = self._audit.drawn.get(decision.id)
        truth = truth_of(known, _instead(said))
        if truth is NOTHING and drawn is not None and drawn.was_right is not None:
            truth = Truth(drawn.was_right)
        truth = Truth(truth.right, await self._opened(tenant, then, truth.stated, None)) if truth.stated else truth
        was = Said(output, no=decision.route is Route.REJECT)
        would = Said(best.answer.output if best else None, no=draft.routed.route is Route.REJECT)
        unanswered = drawn is not None and drawn.answered_at is None and truth is NOTHING
        before = comparing.before(was, would)
        same = comparing.same(was, would)
        done = _done(record, costs, known)
        other = _would(draft, decision, costs, done if same else None)
        share, served = self._share(decision, restored, then)
        row = Row(
            then=done,
            other=other,
            before=before,
            # whoever was drawn and has no answer is never counted as good
            after=(True, False, False, False) if unanswered else comparing.after(was, would, truth),
            sampled=done.alone and decision.component != "person" and self._audit.covers(decision),
            drawn=drawn is not None,
            propensity=float(drawn.propensity) if drawn is not None else 1.0,
            share=share,
            served=served,
        )
        otherwise = not same or decision.route is not draft.routed.route
        return Tried(row=row, otherwise=otherwise, known=truth is not NOTHING, unanswered=unanswered)

    def _share(self, decision: Decision, restored: Restored, then: DecisionPoint) -> tuple[float, bool]:
        """The share of the candidate's component in the release of then, and whether it was drawn; 1 if it had none."""
        tried = self._candidate.component
        if tried is None:
            return 1.0, False
        for one in then.steps[0].shares:
            if one.component == tried.ref and one.share < 1:
                try:
                    is_it = restored.library.component(one.component).digest == tried.digest
                except InterlockError:
                    is_it = False
                if is_it:
                    return float(one.share), decision.component_digest == tried.digest
        return 1.0, False


def _done(record: Record, costs: Costs, known: Known | None) -> Way:
    decision = record.decision
    alone = decision.route is not Route.REVIEW
    declared = loss = costs.loss(decision.exposure)
    realised = known.loss if known is not None and not known.is_right and alone else None
    if realised is not None and realised.currency == costs.currency:  # of a review's it says what was averted
        loss = realised.minor
    return Way(
        alone=alone,
        loss=loss,
        declared=declared,
        needless=0 if alone else costs.of_needless(decision.exposure),
        confidence=decision.confidence,
        asking=sum((one.cost for one in record.attempts), Decimal(0)),
    )


def _would(draft: Draft, decision: Decision, costs: Costs, same: Way | None) -> Way:
    best = draft.asking.best
    alone = draft.routed.route is not Route.REVIEW
    exposure = best.exposure if best else decision.exposure
    return Way(
        alone=alone,
        loss=same.loss if same is not None and same.alone else costs.loss(exposure),
        declared=costs.loss(exposure),
        needless=0 if alone else costs.of_needless(exposure),
        confidence=best.answer.confidence if best else None,
        asking=draft.asking.cost,
    )


def _instead(said: SaidOf | None) -> bytes | None:
    """What a person answered where nothing was proposed."""
    changed = said is not None and said.proposal is None and said.resolution is Resolution.CHANGE
    return said.resolved if said is not None and changed else None


def _stated(asked: Asked, decision: Decision, output: Mapping[str, Any] | None) -> bool:
    """Whether what is at stake was said by whoever asked: the point's file finds another amount."""
    source = asked.point.exposure
    if decision.exposure is None or source is None:
        return decision.exposure is not None
    found = exposure_value(source.path, output if source.root == "output" else dict(asked.value))
    try:
        return found is None or Money(found, source.currency) != decision.exposure
    except InterlockError:
        return True
