"""Checks of language models: whether what workflows ask is in the settings, has its key, and has a price."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from interlock.cases.registry import Registered
from interlock.cli.doctor.check import Check, fail, failed, ok
from interlock.components.component import ComponentRef, Kind
from interlock.config import Settings
from interlock.errors import InterlockError
from interlock.llm_settings import LlmSettings

if TYPE_CHECKING:
    from interlock.components.llm.model import LanguageModel


def check_models(entry: Registered, settings: Settings) -> Iterator[Check]:
    """Whether the language models of a workflow can be asked. Nobody is asked: it would cost."""
    choices = [choice for point in entry.declaration.decisions.values() for choice in point.steps]
    shares = [share.component for choice in choices for share in choice.shares]
    for reference in dict.fromkeys(one for one in shares if one.kind is Kind.LLM):
        try:
            yield _check(reference, cast("LanguageModel", entry.library.component(reference)), settings)
        except InterlockError as cause:
            yield failed(f"component {reference}", cause)


def _check(reference: ComponentRef, model: LanguageModel, settings: Settings) -> Check:
    from interlock.components.llm.provider import Provider  # noqa: PLC0415 - who asks no model pays for no HTTP client

    name, wanted = f"component {reference}", model.manifest.provider
    terms = settings.llm.get(wanted)
    if terms is None:
        what = f"it asks the provider {wanted}, and the settings have none of that name"
        return fail(name, what, f"add [llm.{wanted}] to interlock.toml")
    _fetch_key(terms)
    tariff = model.tariff(Provider(terms), datetime.now(UTC))
    if tariff is None:
        what = f"nobody says what {model.manifest.model} costs at {terms.base_url}, so it is never asked"
        return fail(name, what, 'write price: {input: "...", output: "..."} in its component.yaml')
    return ok(name, f"{model.manifest.model} at {terms.base_url}, prices of {tariff.source['table']}")


def _fetch_key(terms: LlmSettings) -> None:
    """See that the key is there.

    Raises:
        ConfigInvalid: it is not.
    """
    if terms.secret is not None:
        terms.secret.resolve(os.environ)
