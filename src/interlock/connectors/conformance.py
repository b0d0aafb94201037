"""Tries a connector against the system that it speaks to: does it keep the promises that ``actions`` rests on?

For the tests of any connector, against a system where an effect costs nothing::

    async def test_it_conforms() -> None:
        trial = Trial(connector=..., dead=..., ask=..., other=..., new_key=..., count=...)
        assert await violations(trial) == ()

docs/howto/write-a-connector.md goes through it. What is tried needs no faults to be injected; a connector's own tests
cut connections and lose answers besides.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from interlock.actions.connector import (
    Absent,
    Connector,
    Done,
    Examinable,
    FactReader,
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
from interlock.errors import Violation

ROOM_S = 2.0
"""How long after a request's deadline an answer is still waited for, in seconds."""
SILENT_FOR_S = 1.0
"""How long a request to a system that never answers is given, in seconds."""

T = TypeVar("T")

_CODE = re.compile(r"[\x21-\x7e]{1,100}\Z")
_CANCELLED_AFTER_S = (0.0, 0.001, 0.01, 0.05)
_AT_ONCE = 5
_STRANGE_KEYS = ("", "schlüssel", "a\r\nb: c", "a\0b", "\ud800", "x" * 10_000)
_STRANGE_PAYLOADS: tuple[dict[str, Any], ...] = (
    {},
    {"to": None, "amount": None},
    {"to": "a\r\nBcc: b", "amount": "a\0b"},
    {"to": "\ud800", "amount": 1.5},
    {"to": ["x"], "amount": {"amount": {"amount": "1.00"}}},
    {"to": "x" * 100_000, "amount": 10**40},
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried.

    Attributes:
        connector: The connector, against a system that works. It is closed at the end.
        dead: The same connector, against an address at which nothing listens. It is closed at the end.
        ask: Makes a request for one effect under a key, always with the same payload, its deadline some seconds away.
        other: Makes a request under a key for another amount or payee.
        new_key: Makes a key that was never used.
        count: Counts the effects under a key, by a way that is not the connector's.
        silent: The same connector, against an address that takes connections and never answers, as ``silence`` makes
            one; None: that is not tried.
    """

    connector: Connector
    dead: Connector
    ask: Callable[[str], Request]
    other: Callable[[str], Request]
    new_key: Callable[[], str]
    count: Callable[[str], Awaitable[int]]
    silent: Connector | None = None


async def violations(trial: Trial) -> tuple[Violation, ...]:
    """Every promise that the connector breaks; none if it conforms. Causes some dozens of effects."""
    run = _Run(trial)
    await run.try_abilities()
    await run.try_once()
    await run.try_unsent()
    await run.try_strange()
    if trial.connector.abilities.honours_keys:
        await run.try_again()
    await (run.try_looking() if trial.connector.abilities.can_look_up else run.try_not_looking())
    await (run.try_voiding() if trial.connector.abilities.can_void else run.try_not_voiding())
    await run.try_facts()
    await run.try_examining()
    if trial.silent is not None:
        await run.try_silence(trial.silent)
    await run.try_cancelling()
    await run.try_closing()
    return tuple(run.found)


@asynccontextmanager
async def silence() -> AsyncGenerator[int]:
    """A port on loopback that takes connections and never says anything, for the trial's ``silent``."""
    writers: list[asyncio.StreamWriter] = []

    def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # lets the transports tell their sockets


class _Run:
    """One trial under way; ``found`` gathers what is broken."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.found: list[Violation] = []

    async def try_abilities(self) -> None:
        """What it declares fits together."""
        abilities = self.trial.connector.abilities
        if abilities.honours_keys != (abilities.key_retention > timedelta(0)):
            self.add("abilities-fit", "abilities", f"honours_keys and key_retention contradict each other: {abilities}")
        if abilities != self.trial.connector.abilities:
            self.add("abilities-fit", "abilities", "they are not the same when they are asked for again")

    async def try_once(self) -> None:
        """A request has its effect once, and says so."""
        key = self.trial.new_key()
        self.expect("done-is-done", "send", await self.send(self.trial.ask(key)), Done)
        await self.expect_effects(key, 1)

    async def try_again(self) -> None:
        """Under a key that is honoured there is one effect, whatever comes under it again, and however many at once."""
        key = self.trial.new_key()
        await self.send(self.trial.ask(key))
        self.expect("same-key-again", "send", await self.send(self.trial.ask(key)), Done)
        await self.expect_effects(key, 1)
        await self.send(self.trial.other(key))
        await self.expect_effects(key, 1)
        key = self.trial.new_key()
        sent = await asyncio.gather(*(self.send(self.trial.ask(key)) for _ in range(_AT_ONCE)))
        if not any(isinstance(one, Done) for one in sent):
            self.add("same-key-at-once", "send", f"of {_AT_ONCE} at once under one key none was done: {sent!r:.500}")
        await self.expect_effects(key, 1)

    async def try_unsent(self) -> None:
        """Requests that cannot have had an effect, and must be said to have had none."""
        key = self.trial.new_key()
        asked = self.trial.ask(key)
        unknown = msgspec.structs.replace(asked, operation="no_such_operation")
        self.expect("dead-is-transient", "send", await self.send(asked, self.trial.dead), Transient)
        self.expect("unknown-operation-is-permanent", "send", await self.send(unknown), Permanent)
        for ago in (timedelta(days=1), timedelta(milliseconds=100)):
            late = msgspec.structs.replace(asked, deadline=datetime.now(UTC) - ago)
            self.expect("late-is-transient", "send", await self.send(late), Transient)
        await self.expect_effects(key, 0)

    async def try_strange(self) -> None:
        """Whatever a payload or a key holds is answered, never raised, and has at most one effect."""
        for payload in _STRANGE_PAYLOADS:
            key = self.trial.new_key()
            await self.send(msgspec.structs.replace(self.trial.ask(key), payload=payload))
            if (count := await self.trial.count(key)) > 1:
                self.add("one-effect", "send", f"{count} effects of one request with the payload {payload!r:.100}")
        plain = self.trial.ask(self.trial.new_key())
        for key in _STRANGE_KEYS:
            strange = msgspec.structs.replace(plain, key=key)
            await self.send(strange)
            await self.look_up(strange)
            await self.void(strange)
        await self.try_once()

    async def try_looking(self) -> None:
        """A look-up finds what is there, says what is not, compares, and causes nothing."""
        key = self.trial.new_key()
        self.expect("unknown-is-absent", "look_up", await self.look_up(self.trial.ask(key)), Absent)
        await self.expect_effects(key, 0)
        await self.send(self.trial.ask(key))
        shown = await self.look_up(self.trial.ask(key))
        self.expect("done-is-found", "look_up", shown, Found)
        if isinstance(shown, Found) and not shown.matches:
            self.add("found-matches", "look_up", f"what was asked for does not match {shown.response}")
        other = await self.look_up(self.trial.other(key))
        if isinstance(other, Found) and other.matches:
            self.add("another-does-not-match", "look_up", f"{other.response} matches another request")
        dead = await self.look_up(self.trial.ask(key), self.trial.dead)
        self.expect("dead-is-unknown", "look_up", dead, Unknown)
        await self.expect_effects(key, 1)

    async def try_not_looking(self) -> None:
        """Asked all the same, it says that it does not know: absent would be taken for proof."""
        asked = self.trial.ask(self.trial.new_key())
        self.expect("cannot-look-up-is-unknown", "look_up", await self.look_up(asked), Unknown)

    async def try_voiding(self) -> None:
        """Under a void key nothing happens any more; an effect that came first is found."""
        key = self.trial.new_key()
        for _ in range(2):
            self.expect("void-is-voided", "void", await self.void(self.trial.ask(key)), Voided)
        if isinstance(sent := await self.send(self.trial.ask(key)), Done):
            self.add("void-has-no-effect", "send", f"under a void key it was done: {sent!r:.500}")
        await self.expect_effects(key, 0)
        dead = await self.void(self.trial.ask(key), self.trial.dead)
        self.expect("dead-is-unknown", "void", dead, Unknown)
        key = self.trial.new_key()
        await self.send(self.trial.ask(key))
        shown = await self.void(self.trial.ask(key))
        self.expect("done-is-found", "void", shown, Found)
        if isinstance(shown, Found) and not shown.matches:
            self.add("found-matches", "void", f"what was asked for does not match {shown.response}")
        other = await self.void(self.trial.other(key))
        if isinstance(other, Voided) or (isinstance(other, Found) and other.matches):
            self.add("another-does-not-match", "void", f"for another request it said {other!r:.500}")
        await self.expect_effects(key, 1)
        await self._race()

    async def _race(self) -> None:
        """Voiding and sending at once: what was said to be void has no effect, ever."""
        for _ in range(_AT_ONCE):
            key = self.trial.new_key()
            asked = self.trial.ask(key)
            _, said = await asyncio.gather(self.send(asked), self.void(asked))
            if isinstance(said, Voided):
                await self.expect_effects(key, 0)

    async def try_not_voiding(self) -> None:
        """Asked all the same, it says that it does not know."""
        asked = self.trial.ask(self.trial.new_key())
        self.expect("cannot-void-is-unknown", "void", await self.void(asked), Unknown)

    async def try_facts(self) -> None:
        """A connector that brings facts says so where it does not know one."""
        connector = self.trial.connector
        if not isinstance(connector, FactReader):
            return
        request = self.trial.ask(self.trial.new_key())

        async def read() -> Read | Unknown:
            return await connector.read_fact("no_such_fact", {}, request.deadline)

        self.expect("unknown-fact-is-unknown", "read_fact", await self._said("read_fact", request, read()), Unknown)

    async def try_examining(self) -> None:
        """A connector that can tell whether the other side is fit tells one that is from one that is not there."""
        request = self.trial.ask(self.trial.new_key())
        for connector, is_fit in ((self.trial.connector, True), (self.trial.dead, False)):
            if isinstance(connector, Examinable):
                fault = await self._said("examine", request, connector.examine(request.deadline))
                if fault is None or (not fault) is not is_fit:
                    self.add("examined-right", "examine", f"{fault!r:.500} of a system that is {is_fit=}")

    async def try_silence(self, silent: Connector) -> None:
        """A system that takes connections and never answers: no effect is denied or claimed, and deadlines hold."""
        asked = self.trial.ask(self.trial.new_key())
        soon = msgspec.structs.replace(asked, deadline=datetime.now(UTC) + timedelta(seconds=SILENT_FOR_S))
        sent = await self.send(soon, silent)
        if not isinstance(sent, Transient | InDoubt):
            self.add("silence-proves-nothing", "send", f"without any answer it said {sent!r:.500}")
        if silent.abilities.can_look_up:
            soon = msgspec.structs.replace(soon, deadline=datetime.now(UTC) + timedelta(seconds=SILENT_FOR_S))
            self.expect("silence-proves-nothing", "look_up", await self.look_up(soon, silent), Unknown)
        await silent.close()

    async def try_cancelling(self) -> None:
        """A request that is cancelled ends at once, leaves at most its one effect, and the connector goes on."""
        for pause in _CANCELLED_AFTER_S:
            key = self.trial.new_key()
            sending = asyncio.ensure_future(self.trial.connector.send(self.trial.ask(key)))
            await asyncio.sleep(pause)
            if sending.cancel():
                await asyncio.wait({sending}, timeout=ROOM_S)
                if not sending.done():
                    self.add("cancellation-ends", "send", f"it goes on {ROOM_S} s after it was cancelled")
                elif not sending.cancelled():
                    self.add("cancellation-ends", "send", f"cancelled, it did not end as cancelled: {sending!r:.500}")
            if self.trial.connector.abilities.honours_keys:
                self.expect("same-key-again", "send", await self.send(self.trial.ask(key)), Done)
            if (count := await self.trial.count(key)) > 1:
                self.add("one-effect", "send", f"{count} effects under the key of a request that was cancelled")
        await self.try_once()

    async def try_closing(self) -> None:
        """Closing can be repeated, and what is asked afterwards is not sent."""
        for connector in (self.trial.connector, self.trial.dead):
            for _ in range(2):
                try:
                    await asyncio.wait_for(connector.close(), ROOM_S)
                except Exception as cause:  # noqa: BLE001 - whatever it raises breaks the promise
                    self.add("close-is-idempotent", "close", f"it raised {type(cause).__name__}: {cause}"[:500])
        key = self.trial.new_key()
        self.expect("closed-is-transient", "send", await self.send(self.trial.ask(key)), Transient)
        await self.expect_effects(key, 0)

    async def send(self, request: Request, connector: Connector | None = None) -> Sent | None:
        sent = await self._said("send", request, (connector or self.trial.connector).send(request))
        match sent:
            case Transient(_, _, code) | Permanent(_, code) | InDoubt(_, _, code):
                if not _CODE.match(code):
                    self.add("failure-has-a-code", "send", f"{code!r:.120} is no short name of what went wrong: {sent}")
            case Done(response):
                try:
                    msgspec.json.encode(response)
                except (TypeError, ValueError, UnicodeError) as cause:
                    self.add("response-is-json", "send", f"{cause}: {response!r:.500}")
            case None:
                pass
        return sent

    async def look_up(self, request: Request, connector: Connector | None = None) -> LookedUp | None:
        return await self._said("look_up", request, (connector or self.trial.connector).look_up(request))

    async def void(self, request: Request, connector: Connector | None = None) -> Voidance | None:
        return await self._said("void", request, (connector or self.trial.connector).void(request))

    async def _said(self, where: str, request: Request, answer: Awaitable[T]) -> T | None:
        """The answer; None, and a violation, where it raised or did not come in time."""
        left = max((request.deadline - datetime.now(UTC)).total_seconds(), 0.0)
        try:
            async with asyncio.timeout(left + ROOM_S):
                return await answer
        except TimeoutError:
            self.add("deadline-is-kept", where, f"no answer {ROOM_S} s after its deadline of {left:.1f} s")
        except Exception as cause:  # noqa: BLE001 - whatever it raises breaks the promise
            self.add("never-raises", where, f"it raised {type(cause).__name__}: {cause}"[:500])
        return None

    def expect(self, rule: str, where: str, answer: object, wanted: type[object]) -> None:
        if not isinstance(answer, wanted):
            self.add(rule, where, f"{wanted.__name__} was due, and it answered {answer!r:.500}")

    async def expect_effects(self, key: str, wanted: int) -> None:
        if (count := await self.trial.count(key)) != wanted:
            self.add("one-effect", "send", f"{count} effects under one key, and {wanted} were due")

    def add(self, rule: str, where: str, what: str) -> None:
        todo = "see interlock.actions.connector for what is promised"
        self.found.append(Violation(where=where, what=what, rule=rule, todo=todo))
