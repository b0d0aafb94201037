"""The suite finds nothing wrong with a connector that keeps its promises, and each promise that one breaks."""

# ruff: noqa: D101, D102, ARG002 - the names of the broken ones say what they break; their methods are the protocol's
from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interlock.actions.connector import (
    Abilities,
    Absent,
    Done,
    Found,
    InDoubt,
    LookedUp,
    Permanent,
    Read,
    Request,
    Sent,
    Transient,
    Unknown,
    Voidance,
    Voided,
)
from interlock.connectors.conformance import Trial, violations


class Notebook:
    """A connector that writes effects down in memory, and keeps every promise."""

    def __init__(self, *, dead: bool = False) -> None:
        self.dead = dead
        self.closed = False
        self.effects: list[tuple[str, str]] = []
        self.voided: set[str] = set()

    @property
    def name(self) -> str:
        return "notebook"

    @property
    def abilities(self) -> Abilities:
        day = timedelta(days=1)
        return Abilities(simulated=True, honours_keys=True, key_retention=day, can_look_up=True, can_void=True)

    def under(self, key: str) -> str | None:
        return next((to for name, to in self.effects if name == key), None)

    async def send(self, request: Request) -> Sent:
        if request.operation != "write":
            return Permanent("there is no such operation", "no-operation")
        to = request.payload.get("to")
        if not isinstance(to, str) or not to.isprintable() or not request.key.isascii():
            return Permanent("this cannot be written", "unsendable")
        if self.dead or self.closed or request.deadline <= datetime.now(UTC):
            return Transient("it was not sent", code="unsent")
        await asyncio.sleep(0.002)
        if request.key in self.voided or self.under(request.key) not in (None, to):
            return Permanent("the key is used up", "key-used")
        return await self.write(request.key, to)

    async def write(self, key: str, to: str) -> Sent:
        if self.under(key) is None:
            self.effects.append((key, to))
        return Done({"to": to})

    async def look_up(self, request: Request) -> LookedUp:
        if self.dead or self.closed:
            return Unknown("it was not asked")
        to = self.under(request.key)
        return Absent() if to is None else Found({"to": to}, to == request.payload["to"])

    async def void(self, request: Request) -> Voidance:
        if self.dead or self.closed:
            return Unknown("it was not asked")
        to = self.under(request.key)
        if to is not None:
            return Found({"to": to}, to == request.payload["to"])
        self.voided.add(request.key)
        return Voided()

    async def read_fact(self, name: str, parameters: Mapping[str, Any], deadline: datetime) -> Read | Unknown:
        return Unknown(f"there is no fact {name}, {parameters}, {deadline}")

    async def close(self) -> None:
        self.closed = True


class WritesTwice(Notebook):
    async def write(self, key: str, to: str) -> Sent:
        self.effects.append((key, to))
        return Done({"to": to})


class Raises(Notebook):
    async def send(self, request: Request) -> Sent:
        return Done({"to": request.payload["to"].upper()}) if not request.payload else await super().send(request)


class Nameless(Notebook):
    async def send(self, request: Request) -> Sent:
        sent = await super().send(request)
        return Transient(sent.what) if isinstance(sent, Transient) else sent


class NamesAtLength(Notebook):
    async def send(self, request: Request) -> Sent:
        sent = await super().send(request)
        return Permanent(sent.what, "no such operation") if isinstance(sent, Permanent) else sent


class IgnoresDeadlines(Notebook):
    async def send(self, request: Request) -> Sent:
        return await super().send(Request(
            operation=request.operation, key=request.key, payload=request.payload,
            deadline=datetime.now(UTC) + timedelta(hours=1),
        ))  # fmt: skip


class NeverAnswers(Notebook):
    async def look_up(self, request: Request) -> LookedUp:
        await asyncio.sleep(3600)
        return Absent()


class SwallowsCancellation(Notebook):
    async def send(self, request: Request) -> Sent:
        try:
            return await super().send(request)
        except asyncio.CancelledError:
            return InDoubt("it was cancelled", code="cancelled")


class DeniesEffects(Notebook):
    async def look_up(self, request: Request) -> LookedUp:
        return Absent()


class MatchesAnything(Notebook):
    async def look_up(self, request: Request) -> LookedUp:
        found = await super().look_up(request)
        return Found(found.response, matches=True) if isinstance(found, Found) else found


class OnlySaysVoid(Notebook):
    async def void(self, request: Request) -> Voidance:
        return Unknown("it was not asked") if self.dead or self.closed else Voided()


class CallsTheDeadAbsent(Notebook):
    async def look_up(self, request: Request) -> LookedUp:
        return Absent() if self.dead else await super().look_up(request)


class WorksWhenClosed(Notebook):
    async def close(self) -> None:
        pass


class ClosesOnce(Notebook):
    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("it is closed")
        await super().close()


class AnswersNoJson(Notebook):
    async def write(self, key: str, to: str) -> Sent:
        await super().write(key, to)
        return Done({"to": object()})


class ForgetsToSayForHowLong(Notebook):
    @property
    def abilities(self) -> Abilities:
        return Abilities(simulated=True, honours_keys=True)


class CannotLookOrVoid(Notebook):
    """It can neither look up nor void, and still says absent and voided."""

    @property
    def abilities(self) -> Abilities:
        return Abilities(simulated=True)


class RaisesOnFacts(Notebook):
    async def read_fact(self, name: str, parameters: Mapping[str, Any], deadline: datetime) -> Read | Unknown:
        raise KeyError(name)


class CallsTheDeadFit(Notebook):
    async def examine(self, deadline: datetime) -> str:
        return ""


def trial_of(kind: type[Notebook], *, silent: Notebook | None = None) -> Trial:
    numbers = itertools.count()
    connector = kind()

    def ask(key: str, to: str = "ana") -> Request:
        soon = datetime.now(UTC) + timedelta(seconds=0.5)
        return Request(operation="write", key=key, payload={"to": to}, deadline=soon)

    async def count(key: str) -> int:
        return sum(name == key for name, _ in connector.effects)

    return Trial(
        connector=connector,
        dead=kind(dead=True),
        ask=ask,
        other=lambda key: ask(key, "ben"),
        new_key=lambda: f"key-{next(numbers)}",
        count=count,
        silent=silent,
    )


async def test_a_connector_that_keeps_its_promises_breaks_none() -> None:
    assert await violations(trial_of(Notebook, silent=Notebook(dead=True))) == ()


@pytest.mark.parametrize(
    ("kind", "rules"),
    [
        (WritesTwice, {"one-effect"}),
        (Raises, {"never-raises"}),
        (Nameless, {"failure-has-a-code"}),
        (NamesAtLength, {"failure-has-a-code"}),
        (IgnoresDeadlines, {"late-is-transient", "one-effect"}),
        (SwallowsCancellation, {"cancellation-ends"}),
        (DeniesEffects, {"done-is-found", "dead-is-unknown"}),
        (MatchesAnything, {"another-does-not-match"}),
        (OnlySaysVoid, {"void-has-no-effect", "one-effect", "done-is-found", "another-does-not-match"}),
        (CallsTheDeadAbsent, {"dead-is-unknown"}),
        (WorksWhenClosed, {"closed-is-transient", "one-effect"}),
        (ClosesOnce, {"close-is-idempotent"}),
        (AnswersNoJson, {"response-is-json"}),
        (ForgetsToSayForHowLong, {"abilities-fit", "cannot-look-up-is-unknown", "cannot-void-is-unknown"}),
        (CannotLookOrVoid, {"cannot-look-up-is-unknown", "cannot-void-is-unknown"}),
        (CallsTheDeadFit, {"examined-right"}),
        (RaisesOnFacts, {"never-raises", "unknown-fact-is-unknown"}),
    ],
)
async def test_each_promise_that_is_broken_is_named(kind: type[Notebook], rules: set[str]) -> None:
    assert {violation.rule for violation in await violations(trial_of(kind))} == rules


async def test_an_answer_that_never_comes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.connectors.conformance.ROOM_S", 0.1)
    rules = {violation.rule for violation in await violations(trial_of(NeverAnswers))}
    assert "deadline-is-kept" in rules


async def test_what_is_claimed_of_a_silent_system_is_named() -> None:
    found = await violations(trial_of(Notebook, silent=Notebook()))
    assert {violation.rule for violation in found} == {"silence-proves-nothing"}
