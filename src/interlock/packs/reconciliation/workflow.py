"""Reconciliation: what no match explains is followed until somebody, or a later match, settles it.

A case is one break. Matches have no code here: the round asks the point ``match`` for each, and the case that follows
its decision books it; see ``rounds``. A break that a later match explains is recalled by the round, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from interlock.cases.case import Case
from interlock.cases.requests import Said
from interlock.cases.workflow import workflow
from interlock.money import Money

ACCEPTED = "accepted"
WRITTEN_OFF = "written_off"
"""How a break concludes; by these words the round knows what became of it."""


@workflow("reconciliation", version="1.0.0", mends="interlock.packs.reconciliation.quarantined:entry_mending")
async def reconciliation(case: Case) -> str:
    """Follow one break: wait, remind, escalate, do as a person says. Concludes as ``written_off`` or ``accepted``."""
    found = case.input
    amount = Money(found["held_up"], found["currency"])
    decided = await case.decide("cause", found, exposure=amount)
    plan = by_settings(found) if decided.rejected else decided.output
    await wait_for_the_other_side(case, plan)
    what = f"{found['what']} {plan['todo']}".strip()
    while True:
        said = await case.ask(f"break-{found['cause']}", what, group=group_of(found), exposure=amount)
        match said.value["settle"]:
            case "accept":
                return ACCEPTED
            case "write_off":
                refused = await write_off(case, said, amount)
                if not refused:
                    return WRITTEN_OFF
                what = f"{refused} {found['what']}"
            case _:
                until = said.value.get("until")
                waits = timedelta(days=max(plan["escalate_after"], 1))
                again = beginning_of(until) if until else await case.now() + waits
                await case.wait(f"the other side, as {said.by} said", until=again)
                what = f"It was to wait until {again:%Y-%m-%d}, as {said.by} said. {found['what']}"


async def wait_for_the_other_side(case: Case, plan: Mapping[str, Any]) -> None:
    """Wait until the reminder, put that on record, and wait until the escalation. What is past is not waited for."""
    reminder = days_after(case.input["value_on"], plan["remind_after"])
    escalation = days_after(case.input["value_on"], plan["escalate_after"])
    if reminder >= escalation:
        reminder = escalation
    elif reminder > await case.now():
        await case.wait(f"the other side; a reminder on {reminder:%Y-%m-%d}", until=reminder)
    if escalation > await case.now():
        if reminder < escalation:
            await case.step("reminder", reminder_of, escalation.date().isoformat())
        await case.wait(f"the other side; an exception on {escalation:%Y-%m-%d}", until=escalation)


async def write_off(case: Case, said: Said, amount: Money) -> str:
    """Give the amount up, if that is approved; else why not."""
    found = case.input
    asked = {
        "entry": found["entry"],
        "amount": found["held_up"],
        "currency": found["currency"],
        "cause": found["cause"],
        "what": found["what"],
        "asked_by": said.by,
        "reason": said.value["reason"],
    }
    decided = await case.decide("write_off", asked, exposure=amount)
    if decided.rejected or not decided.output["approved"]:
        return f"{decided.by} refused to write it off."
    if decided.by == f"person:{said.by}":  # INVARIANT: above the limit two people stand for what is given up
        return f"{said.by} asked for the write-off and approved it; somebody else has to."
    await case.act("write_off", {**found["journal"], "amount": amount}, because=decided)
    return ""


def by_settings(found: Mapping[str, Any]) -> dict[str, Any]:
    """How long one waits where nobody says it of this break."""
    return {"remind_after": found["remind_days"], "escalate_after": found["escalate_days"], "todo": ""}


def group_of(found: Mapping[str, Any]) -> str:
    """What breaks of one cause have in common: they are settled by the same people in the same way."""
    return f"{found['reconciliation']} {found['side']} {found['account']}"


def beginning_of(day: str) -> datetime:
    """A day's first moment, UTC."""
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def days_after(day: str, days: int) -> datetime:
    """The first moment, UTC, of the day that comes so many days later; of the last day that there is, if none does."""
    start = beginning_of(day)
    left = datetime.max.replace(tzinfo=UTC) - start
    return start + min(timedelta(days=days), timedelta(days=left.days))


def reminder_of(escalates_on: str) -> dict[str, str]:
    """What is on record of a reminder."""
    return {"escalates_on": escalates_on}
