"""A language model as a component: ``llm:NAME@VERSION``. It is asked on the event loop, within a deadline."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from interlock.components.component import Answer, ComponentRef, Question, Tally, Wanted
from interlock.components.llm.bill import Bill
from interlock.components.llm.calling import complete
from interlock.components.llm.chat import Completion
from interlock.components.llm.confidence import Measured, Sample, measure
from interlock.components.llm.conversation import (
    Message,
    Request,
    Send,
    converse,
    first_messages,
    most_input_again,
    request_of,
)
from interlock.components.llm.manifest import LlmManifest, Method
from interlock.components.llm.manifest_file import read_llm_manifest
from interlock.components.llm.prices import Tariff, declared_tariff, table_tariff
from interlock.components.llm.provider import Provider, Providers
from interlock.components.llm.scorer import ModelScorer, Scorer, read_table
from interlock.components.llm.template import Place
from interlock.errors import ComponentFailed, ComponentInvalid, ComponentLate, NotFound, Violation
from interlock.usage import Usage

ProvidersInForce = Callable[[], Providers | None]
"""Tells the providers of this process; None where it has none, as where files are only checked."""


class LanguageModel:
    """A loaded folder. ``load_llm`` makes one.

    Args:
        manifest: What the folder says.
        scorer: Its scorer, if its confidence comes from one.
        providers: Tells the providers of this process.

    Attributes:
        manifest: What the folder says.
    """

    def __init__(self, manifest: LlmManifest, scorer: Scorer | None, providers: ProvidersInForce) -> None:
        self.manifest = manifest
        self._scorer = scorer
        self._providers = providers
        self._tariffs: dict[str, Tariff] = {}

    @property
    def ref(self) -> ComponentRef:
        """``llm:NAME@VERSION``."""
        return self.manifest.ref

    @property
    def digest(self) -> bytes:
        """SHA-256 over everything that makes the answer and is ours: manifest, prompts, scorer."""
        return self.manifest.digest

    @property
    def places(self) -> tuple[Place, ...]:
        """The parts of the input that its prompt asks for."""
        return self.manifest.user.places

    def answer(self, question: Question) -> Answer:
        """Never answers so.

        Raises:
            ComponentFailed: always; ``ask`` asks it.
        """
        del question
        raise ComponentFailed(f"{self.ref} answers only where it can be waited for", todo="await ask")

    def most_cost(self, question: Question) -> Decimal | None:
        """The most that asking this can cost: every sample with every repair, every attempt's answer lost but paid.

        Returns:
            USD, exact; 0 where ``ask`` fails before anything is paid; None: what its model costs is not known.
        """
        manifest, wanted = self.manifest, question.wanted
        try:
            provider = self._provider()
            tariff = self.tariff(provider, question.now)
            if tariff is None or wanted is None:
                return None
            first = request_of(manifest, wanted, first_messages(manifest, wanted, question.input))
        except ComponentFailed:
            return Decimal(0)
        again = most_input_again(manifest, first)
        asked = tariff.cost(Usage(input=first.most_input, output=manifest.most_output), question.now)
        repaired = tariff.cost(Usage(input=again, output=manifest.most_output), question.now)
        times = manifest.confidence.samples * provider.terms.attempts
        return times * (asked + manifest.repairs * repaired)

    async def ask(self, question: Question, *, until: float, tally: Tally | None = None) -> Answer:
        """Ask the model, and answer by a deadline.

        Args:
            question: With what is ``wanted``.
            until: The deadline on the event loop's clock.
            tally: Where to count what it uses up.

        Raises:
            ComponentLate: there was no answer in time.
            ComponentFailed: there is no usable answer. Both bear what the asking cost.
        """
        counted = tally or Tally()
        limit = asyncio.timeout_at(until)
        try:
            async with limit:
                return await self._ask(question, until, counted)
        except TimeoutError:
            late = ComponentLate(f"{self.manifest.provider} did not answer in time")
            late.cost, late.usage = counted.cost, counted.usage
            raise late from None
        except ComponentFailed as cause:
            cause.cost, cause.usage = counted.cost, counted.usage
            raise

    def tariff(self, provider: Provider, at: datetime) -> Tariff | None:
        """The prices of its model; None: nobody says what it costs."""
        base_url = provider.terms.base_url
        if base_url in self._tariffs:
            return self._tariffs[base_url]
        price = self.manifest.price
        tariff = declared_tariff(price.declared) if price.declared else None
        if tariff is None:
            model = price.model or self.manifest.model
            tariff = table_tariff(model, provider=price.table, base_url=base_url, at=at)
        return tariff and self._tariffs.setdefault(base_url, tariff)

    async def _ask(self, question: Question, until: float, tally: Tally) -> Answer:
        manifest, wanted = self.manifest, question.wanted
        if wanted is None:
            raise ComponentFailed(f"{self.ref} was asked without the contract of its answer")
        provider = self._provider()
        tariff = self.tariff(provider, question.now)
        if tariff is None:
            raise ComponentFailed(
                f"what {manifest.model} costs is not known, which counts as over any budget",
                todo='declare it in the component\'s file: price: {input: "0.15", output: "0.60"}',
            )
        bill = Bill(tally, tariff, question.now, manifest.most_output)
        messages = first_messages(manifest, wanted, question.input)

        async def send(request: Request) -> Completion:
            return await complete(provider, request, until=until, bill=bill)

        samples = await self._samples(wanted, messages, send)
        measured = measure(manifest.confidence, samples, self._scorer)
        evidence = self._evidence(measured, tally, tariff, bill, provider.origin)
        evidence["request_sha256"] = hashlib.sha256(request_of(manifest, wanted, messages).body).hexdigest()
        return Answer(
            output=measured.sample.value,
            confidence=measured.confidence,
            evidence=evidence,
            cost=tally.cost,
            usage=tally.usage,
        )

    async def _samples(self, wanted: Wanted, messages: Sequence[Message], send: Send) -> Sequence[Sample]:
        """Every sample that came about, in order; all are asked for at once.

        Raises:
            ComponentFailed: none did; says why the first did not.
        """
        manifest = self.manifest
        if manifest.confidence.samples == 1:
            return (await converse(manifest, wanted, messages, 0, send),)

        async def one(number: int) -> Sample | ComponentFailed:
            try:
                return await converse(manifest, wanted, messages, number, send)
            except ComponentFailed as cause:
                return cause

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(manifest.confidence.samples)]
        outcomes = [task.result() for task in tasks]
        samples = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
        if not samples:
            raise next(outcome for outcome in outcomes if isinstance(outcome, ComponentFailed))
        return samples

    def _provider(self) -> Provider:
        name = self.manifest.provider
        providers = self._providers()
        if providers is None:
            raise ComponentFailed(
                f"this process has no provider {name!r}", todo=f"write [llm.{name}] in interlock.toml"
            )
        try:
            return providers.named(name)
        except NotFound as cause:
            raise ComponentFailed(cause.what, where=cause.where, todo=cause.todo) from cause

    def _evidence(self, measured: Measured, tally: Tally, tariff: Tariff, bill: Bill, origin: str) -> dict[str, Any]:
        usage, completion = tally.usage, measured.sample.completion
        evidence: dict[str, Any] = {
            "model": completion.model or self.manifest.model,
            "provider": self.manifest.provider,
            "address": origin,
            "confidence": measured.evidence,
            "tokens": {
                "input": usage.input,
                "cached_input": usage.cached_input,
                "output": usage.output,
                "reasoning": usage.reasoning,
            },
            "requests": usage.requests,
            "repairs": measured.sample.repairs,
            "cost": f"{tally.cost.normalize():f} USD",
            "prices": tariff.source,
        }
        if completion.fingerprint:
            evidence["system_fingerprint"] = completion.fingerprint
        if bill.estimated:
            evidence["estimated_requests"] = bill.estimated
        return evidence


def load_llm(folder: Path, providers: ProvidersInForce, manifest: LlmManifest | None = None) -> LanguageModel:
    """Load a component's folder; nothing is asked yet.

    Args:
        folder: ``NAME@VERSION/`` with ``component.yaml``, ``system.md`` and ``user.md``.
        providers: Tells the providers of this process.
        manifest: Its manifest, if it was read already.

    Raises:
        ComponentInvalid: everything that is wrong with the folder.
    """
    read = manifest if manifest is not None else read_llm_manifest(folder)
    terms = read.confidence
    if terms.method is not Method.SCORER:
        return LanguageModel(read, None, providers)
    data = (folder / terms.file).read_bytes()
    try:
        scorer: Scorer = read_table(data) if terms.file.endswith(".json") else ModelScorer(data, terms.features)
    except (ComponentFailed, ValueError) as cause:
        wrong = Violation(where=f"{folder.name}/{terms.file}", what=str(cause), rule="scorer", todo="fit it anew")
        raise ComponentInvalid(f"the component {folder.name} cannot be loaded", (wrong,), where=str(folder)) from cause
    return LanguageModel(read, scorer, providers)
