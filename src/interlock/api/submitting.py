"""Taking one case in over HTTP, by itself or as a line of a batch."""

from __future__ import annotations

from interlock.api.call import Call
from interlock.api.documents import Submission
from interlock.api.problems import Problem, problem_of
from interlock.cases.registry import Registered
from interlock.cases.store import FIND_CASE, QUARANTINES_OF_CASE, CaseState
from interlock.cases.submit import submit
from interlock.decisions.origin import Origin
from interlock.errors import ContractViolated, Violation


async def take_in(
    call: Call,
    registered: Registered,
    *,
    key: str,
    data: bytes,
    wrong: tuple[Violation, ...] = (),
    event: str = "",
) -> Submission | Problem:
    """Take a case in; the problem of one whose input breaks its contract names the case that waits for it.

    Args:
        call: Who brings it.
        registered: Its workflow.
        key: The idempotency key.
        data: The input: the bytes of a JSON document.
        wrong: What is wrong with it beside others that came with it.
        event: The source and id of the event that it came as, if it came as one.

    Raises:
        Refused: no usable key, or more bytes than a case may have.
        KeyReused: the key came before, with another input.
    """
    node = call.node
    who = call.caller.name
    taken = await submit(
        node.writer, call.tenant, registered, key=key, data=data, caller=who, levels=node.levels, wrong=wrong,
        origin=Origin(event=event, trace=call.trace),
    )  # fmt: skip
    state, held = CaseState.READY, ""
    if taken.violations or not taken.new:
        async with node.database.tenant(call.tenant) as connection:
            case = await FIND_CASE.one(connection, {"id": taken.case_id})
            waiting = await QUARANTINES_OF_CASE.all(connection, {"case_id": taken.case_id})
        state = case.state if case else state
        held = next((str(quarantined.id) for quarantined in waiting if not quarantined.point), "")
    if taken.violations and state is CaseState.QUARANTINED:
        violated = ContractViolated(
            f"the input breaks {registered.declaration.contract}; the case waits in quarantine",
            taken.violations,
            where="/input",
            todo=f"mend what is named and send it to /v1/quarantine/{held}/release",
            quarantine=held,
        )
        return problem_of(violated, call.trace, case=taken.case_id)
    return Submission(id=taken.case_id, state=state, new=taken.new, follow=f"/v1/cases/{taken.case_id}")
