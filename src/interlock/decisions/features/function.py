"""The functions that compute features: found by name, with a digest of their code, and held to their time."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import importlib
import inspect
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from interlock.components.source import sources
from interlock.components.threads import Threads
from interlock.decisions.features.feature import Dated, plain
from interlock.decisions.pace import QUICK_S, ROW
from interlock.errors import ComponentFailed, ComponentLate, DeclarationInvalid, Violation

Call = Callable[[Mapping[str, Any], datetime], Any]


class Function:
    """One function that computes a feature from a decision's input and its time.

    A change of threads and back costs more than most functions do: one that is declared to be bounded and was quick
    many times in a row is called on the event loop, and one slow answer sends it back to threads of its own.

    Attributes:
        reference: ``module:function``.
        digest: SHA-256 over its name, its module and what that imports of its own package, in hex.
    """

    def __init__(self, reference: str, call: Call, digest: str) -> None:
        self.reference = reference
        self.digest = digest
        self._call = call
        self._threads = Threads(reference)
        self._row = 0

    async def compute(
        self, value: Mapping[str, Any], now: datetime, until: float, *, bounded: bool = False
    ) -> tuple[Any, datetime]:
        """The value, as JSON holds it, and since when it holds.

        Args:
            value: The input, checked; the function is given a copy of its own.
            now: The time of the decision, UTC.
            until: When it must have answered, on the event loop's clock.
            bounded: Whether the workflow's file declares that the input's contract bounds its time, so that it may be
                called where nothing can cut it.

        Raises:
            ComponentLate: it did not answer in time.
            ComponentFailed: it raised, or dated its value in the future or without a time zone.
        """
        left_s = until - time.monotonic()  # not the loop's own time, which stands still while anything computes on it
        if left_s <= 0:
            raise ComponentLate("the time was used up before it was asked")
        limit: asyncio.Timeout | None = None
        try:
            if bounded and self._row >= ROW:
                answer = self._timed(value, now, until)
            else:
                async with asyncio.timeout_at(until) as limit:
                    answer = (await self._threads.run(lambda: self._timed(value, now, until))).result
        except TimeoutError as cause:
            if limit is None or not limit.expired():
                raise ComponentFailed(f"it raised TimeoutError: {cause}") from cause
            self._row = 0
            raise ComponentLate(f"no answer within {left_s * 1000:.0f} ms") from None
        except ComponentFailed:
            raise
        except Exception as cause:
            raise ComponentFailed(f"it raised {type(cause).__name__}: {cause}") from cause
        return _dated(answer, now)

    def _timed(self, value: Mapping[str, Any], now: datetime, until: float) -> Any:
        """INVARIANT: what comes after its time is not used, on the event loop either, where nothing cuts it."""
        began = time.perf_counter()
        try:
            return _in_time(self._call(copy.deepcopy(value), now), until)
        except Exception:
            raise
        except BaseException as cause:  # no function ends a server, nor passes for a cancellation
            raise ComponentFailed(f"it raised {type(cause).__name__}: {cause}") from cause
        finally:
            self._row = self._row + 1 if time.perf_counter() - began < QUICK_S else 0


def _in_time(answer: Any, until: float) -> Any:
    late_s = time.monotonic() - until
    if late_s > 0:
        raise ComponentLate(f"its answer came {late_s * 1000:.0f} ms late")
    return answer


def _dated(answer: Any, now: datetime) -> tuple[Any, datetime]:
    if not isinstance(answer, Dated):
        return plain(answer), now
    at: Any = answer.at
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ComponentFailed("it dated its value without a time zone")
    if at > now:
        raise ComponentFailed(f"it dated its value {at.isoformat()}, after the decision")
    return plain(answer.value), at.astimezone(UTC)


_loaded: dict[str, Function] = {}
"""Code does not change while a process runs, so each function is loaded once."""


def load_function(reference: str) -> Function:
    """A function by ``module:function``.

    Raises:
        DeclarationInvalid: there is no such function, it does not take (input, now), or its source cannot be read.
    """
    known = _loaded.get(reference)
    if known is not None:
        return known
    module, _, name = reference.partition(":")
    try:
        call = _plain_function(getattr(importlib.import_module(module), name))
        digest = _digest(module, name)
    except Exception as cause:
        wrong = Violation(
            where=reference,
            what=f"{type(cause).__name__}: {cause}",
            rule="feature",
            todo="write module:function, of a plain function of (input, now)",
        )
        raise DeclarationInvalid(f"there is no feature {reference}", (wrong,)) from cause
    return _loaded.setdefault(reference, Function(reference, call, digest))


def _plain_function(call: Any) -> Call:
    if not callable(call) or inspect.iscoroutinefunction(call):
        raise TypeError("it is no plain function")
    inspect.signature(call).bind({}, datetime.now(UTC))
    return call


def _digest(module: str, name: str) -> str:
    told = hashlib.sha256(name.encode())
    for part, source in sorted(sources(module).items()):
        told.update(b"\0%b\0%d\0" % (part.encode(), len(source)))
        told.update(source)
    return told.hexdigest()
