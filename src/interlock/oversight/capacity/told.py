"""What is told of a queue in its file, and what is said of a forecast: which one it is, and what it rests on. Pure."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from interlock.durations import format_duration
from interlock.oversight.capacity.course import Flow
from interlock.oversight.capacity.history import WEEK_H, Service
from interlock.oversight.capacity.waiting import PROMISED
from interlock.percentages import percent

_BURSTS = 5.0


class QueueTold(msgspec.Struct, frozen=True, kw_only=True):
    """What workflows' files say of a queue.

    Attributes:
        name: Its name.
        capacity: How many may wait.
        due: How soon one should be resolved.
        when_full: What is done when it is full: ``hold`` or ``reject``.
        before: How long before what comes would wait too long that is done; None: only when it is full.
        second_looks: Which part of what is answered a second person answers, too, without knowing; as in "0.05".
        workflows: Whose reviews wait there.
    """

    name: str
    capacity: int
    due: timedelta
    when_full: str = "hold"
    before: timedelta | None = None
    second_looks: str = "0"
    workflows: tuple[str, ...] = ()


def explain(told: QueueTold, flow: Flow, service: Service, hours: int, *, settled: bool) -> tuple[str, ...]:
    """Which forecast was made, why, what it assumes, and when it is not to be trusted, a sentence or two each.

    Args:
        told: What files say of the queue.
        flow: What the forecast was made of.
        service: How long one piece takes.
        hours: How many whole hours are counted.
        settled: Whether it is Erlang's formula.
    """
    due = format_duration(told.due)
    assumed = (
        "It assumes that what comes is like the same hours of the last four weeks, raised or lowered by the last six "
        "hours; that people work as in the same hours of the week; that whoever is free takes the next piece; and that "
        "all wait in the order in which they came."
    )
    measured = (
        f"One takes {(service.hours or 0) * 60:.1f} minutes, {service.why}. Chance is {flow.variability:.1f} times "
        "that of Erlang's own case."
    )
    needed = (
        f"Needed is the fewest people with whom at most {percent(PROMISED, 0)} of what comes waits longer than {due}, "
        "with what waits now worked off within that time."
    )
    return (_chosen(flow, due, settled=settled), assumed, measured, _trust(flow, service, hours), needed)


def _chosen(flow: Flow, due: str, *, settled: bool) -> str:
    load, present = flow.arrivals[0] * flow.service, flow.people[0]
    if settled:
        return (
            f"Erlang's formula: {present:g} at work can take on what comes, which keeps {load:.1f} of them busy, and "
            f"no more wait than are at work. It says which part will wait longer than {due}."
        )
    return (
        f"A fluid: {present:g} at work, {flow.backlog} waiting, and what comes keeps {load:.1f} people busy. What "
        "waits goes down by what people answer and up by what comes, hour by hour; the band is what chance adds."
    )


def _trust(flow: Flow, service: Service, hours: int) -> str:
    doubts: list[str] = []
    if hours < WEEK_H:
        doubts.append(f"only {hours} hours are known, so that no week can be compared")
    if service.hands_on is None:
        doubts.append("few answers were measured")
    if flow.variability > _BURSTS:
        doubts.append("arrivals come in bursts, which no mean foretells")
    if doubts:
        return f"Trust it less than usual: {'; '.join(doubts)}."
    return (
        "Do not trust it on holidays, after a change of what is sent here, or when people change the hours in which "
        "they work."
    )
