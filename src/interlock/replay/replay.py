"""One recorded decision, made again: its stages in the order in which they were taken, each held against the record."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from interlock.cases.answer import REASON_CODE
from interlock.decisions.asked import Asked
from interlock.decisions.decide import make_draft
from interlock.decisions.decision import Decision
from interlock.decisions.draft import Draft
from interlock.decisions.features.read import FeatureUsed, merged
from interlock.decisions.point import DecisionPoint
from interlock.decisions.route import choose_route
from interlock.decisions.veiling import conceal
from interlock.errors import ArchiveMissing, InterlockError
from interlock.privacy.vault import Vault
from interlock.privacy.veil import Veil
from interlock.replay.asking import AskingAgain
from interlock.replay.features import features_stage
from interlock.replay.other_code import other_code_of, told_by_other_code
from interlock.replay.record import Record, read_record
from interlock.replay.restore import ARCHIVE, Restored, Restoring
from interlock.replay.result import Replay, Stage, Status, worst
from interlock.replay.stages import component_stages, record_stage, route_stages


class Replayer:
    """Makes recorded decisions again.

    Args:
        restoring: Brings back what they were made with.
        vault: Opens personal data for the purpose of their point, as when they were taken; None: such are not run.
        ask_models: Whether language models are asked again.
    """

    def __init__(self, restoring: Restoring, *, vault: Vault | None = None, ask_models: bool = False) -> None:
        self._restoring = restoring
        self._vault = vault
        self._ask_models = ask_models

    async def replay(self, tenant: UUID, decision: Decision) -> Replay:
        """One decision. Whatever keeps it from being run is in the result, not raised."""
        name = f"{decision.workflow}.{decision.point}"
        result = functools.partial(
            Replay, decision=decision.id, point=name, now=decision.asked_at or decision.decided_at,
            build=decision.build.hex() if decision.build else None,
        )  # fmt: skip
        try:
            record = read_record(decision)
        except (msgspec.MsgspecError, InterlockError, ValueError, RecursionError) as cause:
            damaged = Stage(name="record", status=Status.DIFFERENT, what=f"the record cannot be read: {cause}")
            return result(ran="", status=Status.DIFFERENT, stages=(damaged,))
        held = record_stage(record, tenant, await self._restoring.entries(tenant, decision.id))
        try:
            restored = await self._restoring.of(tenant, decision)
            stages = await self._stages(tenant, record, restored)
        except InterlockError as cause:
            stages, restored = (Stage(name="build", status=Status.NOT_RUN, what=f"{cause.what}"),), None
        stages = (held, *stages)
        ran, notes = (restored.ran, restored.notes) if restored else ("", ())
        return result(ran=ran, status=worst(stages), stages=stages, notes=notes)

    async def _stages(self, tenant: UUID, record: Record, restored: Restored) -> tuple[Stage, ...]:
        decision, declaration = record.decision, restored.declaration
        if record.reasons and record.reasons[0].code == REASON_CODE and not record.attempts:
            return (Stage(name="component 1", status=Status.NOT_RUN, what="a person took it: nothing was computed"),)
        if restored.exact and declaration.digest != decision.declaration:
            return (
                Stage(
                    name="build",
                    status=Status.DIFFERENT,
                    what="the build holds another file of the workflow than the one that the record names",
                    recorded=decision.declaration.hex(),
                    replayed=declaration.digest.hex(),
                ),
            )
        point = declaration.decisions.get(decision.point)
        if point is None:
            raise ArchiveMissing(f"the workflow's file declares no decision {decision.point!r}")
        return await self._run(tenant, record, restored, point)

    async def _run(self, tenant: UUID, record: Record, restored: Restored, point: DecisionPoint) -> tuple[Stage, ...]:
        veil = Veil() if point.purpose else None
        asked = _asked(tenant, record, restored, point)
        if point.autonomy is not None:
            asked = structs.replace(asked, certified=await self._restoring.certified(asked, record.evidence.autonomy))
        if veil is not None:
            asked = structs.replace(asked, value=await self._opened(tenant, point, record.input, veil), veil=veil)
        entered = _input_stage(asked, record, restored)
        features = await features_stage(asked, record)
        if point.features:
            used = record.features if veil is None else await self._opened_features(tenant, point, record, veil)
            read = merged(point.features, asked.value, used)
            asked = structs.replace(asked, value=read.value, features=read)
        opened = functools.partial(self._opened, tenant, point)
        draft, again = await self._draft(asked, record, restored, opened)
        if _stated(record, draft):  # a workflow may say what is at stake; where it stood is not on record
            asked = structs.replace(asked, exposure=record.decision.exposure)
            draft, again = await self._draft(asked, record, restored, opened)
        policy_gone = _policy_gone(asked, record, restored)
        if policy_gone:
            draft = _with_recorded_policy(draft, record)
        if record.held_off and draft.asking.stopped is None:
            draft = draft.held_off(record.held_off.what, record.held_off.code)
        if veil is not None and self._vault is not None:
            draft = await conceal(self._vault, draft)
            again.conceal(veil)
        stages = (
            entered,
            *features,
            *component_stages(record, again, draft),
            *route_stages(record, draft, again, policy_gone=policy_gone),
        )
        stages = told_by_other_code(stages, other_code_of(asked, again, restored.other_code))
        return stages if veil is None else tuple(_concealed(stage, veil) for stage in stages)

    async def _opened_features(
        self, tenant: UUID, point: DecisionPoint, record: Record, veil: Veil
    ) -> dict[str, FeatureUsed]:
        """The recorded features with their personal values, as the components saw them."""
        values = {name: one.value for name, one in record.features.items()}
        opened = await self._opened(tenant, point, values, veil)
        return {name: structs.replace(one, value=opened[name]) for name, one in record.features.items()}

    async def _draft(self, asked: Asked, record: Record, restored: Restored, opened: Any) -> tuple[Draft, AskingAgain]:
        again = AskingAgain(asked, record, restored, ask_models=self._ask_models, opened=opened)
        await again.ask()
        # the policy of then is looked for in what was brought back; without it the recorded word counts
        judged = asked
        if _policy_gone(asked, record, restored):
            judged = structs.replace(asked, point=structs.replace(asked.point, policy=None))
        draft = make_draft(judged, record.decision.input, again.asking, time.perf_counter())
        return structs.replace(draft, asked=asked), again

    async def _opened(
        self, tenant: UUID, point: DecisionPoint, value: Mapping[str, Any], veil: Veil | None = None
    ) -> dict[str, Any]:
        """A recorded value with its personal data, where the point states a purpose."""
        if not point.purpose:
            return dict(value)
        if self._vault is None:
            raise ArchiveMissing("its input holds personal data, and nothing here opens them")
        return dict(await self._vault.open(tenant, dict(value), point.purpose, veil if veil is not None else Veil()))


def _asked(tenant: UUID, record: Record, restored: Restored, point: DecisionPoint) -> Asked:
    decision = record.decision
    asked = Asked(
        tenant=tenant,
        workflow=decision.workflow,
        point=point,
        declaration=decision.declaration,
        library=restored.library,
        key=decision.key,
        value=record.input,
        exposure=decision.exposure if point.exposure is None else None,
        case_id=decision.case_id,
    )
    return structs.replace(asked, broken_data=record.broken_data(point, asked.choice_key))


def _concealed(stage: Stage, veil: Veil) -> Stage:
    """INVARIANT: what a replay tells holds no personal value, whatever a component's own words repeat."""
    told = {name: veil.mask_text(getattr(stage, name)) for name in ("what", "recorded", "replayed")}
    return structs.replace(stage, **told)


def _stated(record: Record, draft: Draft) -> bool:
    """Whether what is at stake must have been said by the workflow: the point's file finds another amount."""
    decision, source = record.decision, draft.asked.point.exposure
    differs = draft.exposure != decision.exposure
    return source is not None and decision.case_id is not None and decision.exposure is not None and differs


def _input_stage(asked: Asked, record: Record, restored: Restored) -> Stage:
    decision, point = record.decision, asked.point
    stage = functools.partial(Stage, name="input")
    if not point.input:
        return stage(status=Status.EQUAL, what="it has no contract of its own")
    then = decision.input_contract or "none"
    lacking = [what for path, what in restored.lacking.items() if "/contracts/" in path]
    try:
        now = asked.library.contract_name(point.input) or ""
        violations = asked.library.violations(point.input, asked.value)
    except InterlockError as cause:
        return stage(status=Status.NOT_RUN, what="; ".join([f"{then} is missing: {cause.what}", *lacking]))
    if now != then and restored.exact:
        if restored.ran == ARCHIVE and not lacking:  # the build is whole: the record is at fault
            return stage(status=Status.DIFFERENT, recorded=then, replayed=now)
        return stage(status=Status.NOT_RUN, what="; ".join([f"{then} is missing: here it would be {now}", *lacking]))
    if violations:
        broken = "; ".join(f"{one.where or '/'}: {one.rule}" for one in violations[:5])
        return stage(status=Status.DIFFERENT, what=now, recorded="it kept it", replayed=f"breaks {broken}")
    return stage(status=Status.EQUAL, what=now if now == then else f"{now} in the place of {then}")


def _policy_gone(asked: Asked, record: Record, restored: Restored) -> str:
    """Why the policy of then is not run; empty if it is, or if there was none."""
    point, then = asked.point, record.evidence.policy
    if point.policy is None or then is None:
        return ""
    if not then.digest:
        return f"{then.rules} could not be loaded then"
    try:
        digest = asked.library.component(point.policy).digest.hex()
    except InterlockError as cause:
        return f"{then.rules} is missing: {cause.what}"
    if digest == then.digest or not restored.exact:
        return ""
    return f"{then.rules} is not the version of then (SHA-256 {then.digest[:12]}, here {digest[:12]})"


def _with_recorded_policy(draft: Draft, record: Record) -> Draft:
    ruling, asking = record.evidence.policy, draft.asking
    if ruling is None:
        return draft
    verdicts = (*draft.verdicts, *ruling.verdicts)
    routed = choose_route(
        answered=asking.best is not None,
        sure=asking.best is not None and asking.best.sure,
        verdicts=verdicts,
        shortfall=asking.shortfall,
        person=asking.person,
        stopped=asking.stopped.what if asking.stopped else "",
        certified=asking.best.certified if asking.best else "",
    )
    return structs.replace(draft, verdicts=verdicts, routed=routed, ruling=ruling)
