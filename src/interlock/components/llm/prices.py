"""What tokens cost: by the component's own file, or by the price table of genai-prices, as it is installed.

The one place that talks to that library. The table is never fetched: the one that was installed counts, and its hash
stands beside every cost.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import genai_prices
import msgspec
from genai_prices import data
from genai_prices.data_snapshot import DataSnapshot

from interlock.usage import Usage

_EXACT = Context(prec=60)
_MILLION = Decimal(1_000_000)


class Tariff(msgspec.Struct, frozen=True):
    """Prices of one model.

    Attributes:
        source: Where they stand, for the record: what a reader needs to compute a cost again.
        cost: The cost of one request in USD, exact, for what it used up at a time.
    """

    source: dict[str, Any]
    cost: Callable[[Usage, datetime], Decimal]


class DeclaredPrice(msgspec.Struct, frozen=True, kw_only=True):
    """Prices that stand in a component's file, in USD for a million tokens.

    Attributes:
        input: Of the prompt.
        output: Of the answer, reasoning included.
        cached_input: Of what came from the provider's cache; None: as the rest of the prompt.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None


def declared_tariff(price: DeclaredPrice) -> Tariff:
    """The tariff of prices that stand in the component's file, whose digest covers them."""
    cached = price.input if price.cached_input is None else price.cached_input

    def cost(usage: Usage, _at: datetime) -> Decimal:
        with localcontext(_EXACT):
            fresh = price.input * (usage.input - usage.cached_input)
            return (fresh + cached * usage.cached_input + price.output * usage.output) / _MILLION

    return Tariff({"table": "component.yaml"}, cost)


def table_tariff(model: str, *, provider: str, base_url: str, at: datetime) -> Tariff | None:
    """The tariff of a model in the price table; None if the table does not know what it costs.

    Args:
        model: The model, as the provider calls it.
        provider: Whose prices count, as the table calls it; empty: found by the address.
        base_url: The provider's address.
        at: The time at which the prices must be known.
    """
    table = _table()

    def cost(usage: Usage, at: datetime) -> Decimal:
        tokens: dict[str, int | None] = {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cache_read_tokens": usage.cached_input or None,
            "output_reasoning_tokens": usage.reasoning or None,
        }
        with localcontext(_EXACT):
            return table.calc(
                genai_prices.Usage(**tokens), model, provider or None, None if provider else base_url, at
            ).total_price

    try:
        whose, found = table.find_provider_model(model, None, provider or None, None if provider else base_url)
        prices = found.get_prices(at)
        cost(Usage(input=3, cached_input=1, output=2, reasoning=1), at)
    except (LookupError, ValueError):
        return None
    if getattr(prices, "input_mtok", None) is None or getattr(prices, "output_mtok", None) is None:
        return None  # what it does not name would count as free
    version, digest = table_version()
    source = {"table": f"genai-prices {version}", "sha256": digest, "provider": whose.id, "model": found.id}
    return Tariff(source, cost)


@functools.cache
def table_version() -> tuple[str, str]:
    """The version of the installed price table and the SHA-256 of its file, in hex."""
    return genai_prices.__version__, hashlib.sha256(Path(data.__file__).read_bytes()).hexdigest()


@functools.cache
def _table() -> DataSnapshot:
    # A table of our own: the library's could be exchanged for a fetched one by anybody in this process. By vars, since
    # the type checker reads the whole literal of 1.6 MB to know what `data.providers` is: for more than a minute.
    return DataSnapshot(providers=vars(data)["providers"], from_auto_update=False)
