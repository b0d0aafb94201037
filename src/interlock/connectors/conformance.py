"""Tries a connector against the system that it speaks to: does it keep the promises that ``actions`` rests on?

For the tests of any connector, against a system where an effect costs nothing. What is tried needs no faults to be
injected; a connector's own tests cut connections and lose answers besides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from interlock.actions.connector import Absent, Connector, Done, Found, Permanent, Request, Sent, Transient, Unknown
from interlock.errors import Violation


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried.

    Attributes:
        connector: The connector, against a system that works.
        dead: The same connector, against an address at which nothing listens.
        ask: Makes a request for one effect under a key, always with the same payload, its deadline some seconds away.
        other: Makes a request under a key for another amount or payee.
        new_key: Makes a key that was never used.
        count: Counts the effects under a key, by a way that is not the connector's.
    """

    connector: Connector
    dead: Connector
    ask: Callable[[str], Request]
    other: Callable[[str], Request]
    new_key: Callable[[], str]
    count: Callable[[str], Awaitable[int]]


async def violations(trial: Trial) -> tuple[Violation, ...]:
    """Every promise that the connector breaks; none if it conforms. Causes a few effects."""
    found: list[Violation] = []
    found += await _tried_once(trial)
    found += await _tried_unsent(trial)
    if trial.connector.abilities.honours_keys:
        found += await _tried_twice(trial)
    if trial.connector.abilities.can_look_up:
        found += await _looked_up(trial)
    return tuple(found)


async def _tried_once(trial: Trial) -> list[Violation]:
    key = trial.new_key()
    sent = await trial.connector.send(trial.ask(key))
    return _expect("done-is-done", "send", sent, Done) + await _expect_effects(trial, key, 1)


async def _tried_twice(trial: Trial) -> list[Violation]:
    key = trial.new_key()
    await trial.connector.send(trial.ask(key))
    again = await trial.connector.send(trial.ask(key))
    return _expect("same-key-again", "send", again, Done) + await _expect_effects(trial, key, 1)


async def _tried_unsent(trial: Trial) -> list[Violation]:
    """Requests that cannot have had an effect, and must be said to have had none."""
    key = trial.new_key()
    asked = trial.ask(key)
    late = msgspec.structs.replace(asked, deadline=asked.deadline - timedelta(days=1))
    unknown = msgspec.structs.replace(asked, operation="no_such_operation")
    found = _expect("dead-is-transient", "send", await trial.dead.send(asked), Transient)
    found += _expect("late-is-transient", "send", await trial.connector.send(late), Transient)
    found += _expect("unknown-operation-is-permanent", "send", await trial.connector.send(unknown), Permanent)
    return found + await _expect_effects(trial, key, 0)


async def _looked_up(trial: Trial) -> list[Violation]:
    key = trial.new_key()
    found = _expect("unknown-is-absent", "look_up", await trial.connector.look_up(trial.ask(key)), Absent)
    found += await _expect_effects(trial, key, 0)
    await trial.connector.send(trial.ask(key))
    shown = await trial.connector.look_up(trial.ask(key))
    found += _expect("done-is-found", "look_up", shown, Found)
    if isinstance(shown, Found) and not shown.matches:
        found.append(_violation("found-matches", "look_up", f"what was asked for does not match {shown.response}"))
    other = await trial.connector.look_up(trial.other(key))
    if isinstance(other, Found) and other.matches:
        found.append(_violation("another-does-not-match", "look_up", f"{other.response} matches another request"))
    found += _expect("dead-is-unknown", "look_up", await trial.dead.look_up(trial.ask(key)), Unknown)
    return found + await _expect_effects(trial, key, 1)


def _expect(rule: str, where: str, answer: Sent | object, wanted: type[object]) -> list[Violation]:
    if isinstance(answer, wanted):
        return []
    return [_violation(rule, where, f"{wanted.__name__} was due, and it answered {answer!r:.500}")]


async def _expect_effects(trial: Trial, key: str, wanted: int) -> list[Violation]:
    count = await trial.count(key)
    what = f"{count} effects under one key, and {wanted} were due"
    return [] if count == wanted else [_violation("one-effect", "send", what)]


def _violation(rule: str, where: str, what: str) -> Violation:
    return Violation(where=where, what=what, rule=rule, todo="see interlock.actions.connector for what is promised")
