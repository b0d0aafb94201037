"""Evaluating flags through OpenFeature's client, off the event loop and within a time limit.

The one module that calls OpenFeature for workflows: its answers are turned into our own types at once.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails
from openfeature.provider import FeatureProvider
from openfeature.provider.no_op_provider import NoOpProvider

from interlock.cases.flags.flag import FlagGiven, FlagType, unfit
from interlock.components.threads import Threads
from interlock.db.text import storable
from interlock.errors import ComponentFailed, ConfigInvalid

log = logging.getLogger("interlock.flags")

TIMEOUT = timedelta(milliseconds=500)
"""How long an evaluation may take where the settings do not say."""
MOST_AT_ONCE = 8
_START_AGAIN_S = 5.0
_LONGEST_WHAT = 300
_domains = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagQuestion:
    """One flag for one case.

    Attributes:
        name: The flag's name.
        type: What its values are.
        default: The workflow's default; an exact number as text.
        key: The targeting key: that of the case.
        told: What the provider may go by.
    """

    name: str
    type: FlagType
    default: Any
    key: str
    told: Mapping[str, Any]


def provider_of(reference: str) -> Callable[[], FeatureProvider]:
    """The function that makes a provider, by ``module:function``; it is not called yet.

    Raises:
        ConfigInvalid: there is no such function.
    """
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
        if callable(found):
            return cast("Callable[[], FeatureProvider]", found)
        what = "it is no function"
    except Exception as cause:  # noqa: BLE001 - whatever a module raises when it is imported
        what = f"{type(cause).__name__}: {cause}"
    todo = "write package.module:function, which makes an OpenFeature provider"
    raise ConfigInvalid(f"{reference!r} leads to no provider: {what}", where="flags.provider", todo=todo)


class Flags:
    """The flags of one process. The provider is begun when the first flag is asked for.

    Args:
        make: Makes the provider.
        timeout: How long an evaluation may take.
    """

    def __init__(self, make: Callable[[], FeatureProvider] = NoOpProvider, *, timeout: timedelta = TIMEOUT) -> None:
        self._make = make
        self._timeout_s = timeout.total_seconds()
        self._threads = Threads("the provider of flags", MOST_AT_ONCE)
        self._beginning: asyncio.Task[OpenFeatureClient] | None = None
        self._failed_at = float("-inf")

    async def evaluate(self, asked: FlagQuestion) -> FlagGiven:
        """The flag's value for a case. It never raises: whatever goes wrong, the workflow's default holds, in time."""
        provider = ""
        try:
            async with asyncio.timeout(self._timeout_s):
                client = await self._client()
                found, provider = (await self._threads.run(lambda: _ask(client, asked))).result
        except TimeoutError:
            return _default(asked, "TIMEOUT", f"no answer within {self._timeout_s * 1000:.0f} ms", provider)
        except ComponentFailed as cause:
            return _default(asked, "BUSY", cause.what, provider)
        except Exception as cause:  # noqa: BLE001 - whatever a provider raises, the case goes on with the default
            return _default(asked, "GENERAL", f"{type(cause).__name__}: {cause}", provider)
        return _given(asked, found, provider)

    async def close(self) -> None:
        """Tell the provider that it is no longer needed; it has as long as for an evaluation."""
        if self._beginning is None:
            return
        if not self._beginning.done() or self._beginning.cancelled() or self._beginning.exception():
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
            return
        client = self._beginning.result()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._threads.run(client.provider.shutdown)
        except Exception as cause:  # noqa: BLE001 - it ends, whatever it says
            log.warning("the provider of flags did not end well: %s", cause)

    async def _client(self) -> OpenFeatureClient:
        """The client, once its provider has begun; one that failed to begin is begun again after a while."""
        now = asyncio.get_running_loop().time()
        failed = self._beginning is not None and self._beginning.done() and not self._well_begun()
        if self._beginning is None or (failed and now - self._failed_at > _START_AGAIN_S):
            self._beginning = asyncio.create_task(self._begin(), name="interlock-flags")
        return await asyncio.shield(self._beginning)

    def _well_begun(self) -> bool:
        return self._beginning is not None and not self._beginning.cancelled() and self._beginning.exception() is None

    async def _begin(self) -> OpenFeatureClient:
        try:
            return (await self._threads.run(self._begin_provider)).result
        except Exception as cause:
            self._failed_at = asyncio.get_running_loop().time()
            log.warning("the provider of flags could not begin; defaults hold until it can: %s", cause)
            raise

    def _begin_provider(self) -> OpenFeatureClient:
        # A domain of its own: what else in this process uses OpenFeature keeps its provider.
        domain = f"interlock-{next(_domains)}"
        api.set_provider_and_wait(self._make(), domain)
        return api.get_client(domain)


def _ask(client: OpenFeatureClient, asked: FlagQuestion) -> tuple[FlagEvaluationDetails[Any], str]:
    context = EvaluationContext(targeting_key=asked.key, attributes=dict(asked.told))
    found: FlagEvaluationDetails[Any]
    match asked.type:
        case FlagType.BOOLEAN:
            found = client.get_boolean_details(asked.name, asked.default, context)
        case FlagType.WHOLE:
            found = client.get_integer_details(asked.name, asked.default, context)
        case FlagType.NUMBER:
            found = client.get_float_details(asked.name, asked.default, context)
        case FlagType.TEXT | FlagType.EXACT:
            found = client.get_string_details(asked.name, asked.default, context)
        case FlagType.OBJECT:
            found = cast("FlagEvaluationDetails[Any]", client.get_object_details(asked.name, asked.default, context))
    return found, client.provider.get_metadata().name


def _given(asked: FlagQuestion, found: FlagEvaluationDetails[Any], provider: str) -> FlagGiven:
    provider = _words(provider)
    if found.error_code:
        return _default(asked, str(found.error_code), found.error_message or "", provider)
    wrong = unfit(asked.type, found.value)
    if wrong:
        return _default(asked, "TYPE_MISMATCH", wrong, provider)
    return FlagGiven(
        value=found.value,
        reason=_words(found.reason or "UNKNOWN"),
        variant=_words(found.variant or ""),
        provider=provider,
    )


def _default(asked: FlagQuestion, error: str, what: str, provider: str) -> FlagGiven:
    return FlagGiven(value=asked.default, reason="ERROR", provider=provider, error=_words(error), what=_words(what))


def _words(text: object) -> str:
    return storable(str(text))[:_LONGEST_WHAT]
