"""The settings by which the simulated books are reached, as the reference page shows them."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from interlock.actions.connector import Done, Found, Permanent, Request
from interlock.config import Settings
from interlock.connectors.registry import make_connector
from interlock.sim import SimulatedBooks

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "simulated-books.md"

MATCH: dict[str, Any] = {
    "reference": "invoices/1f0c",
    "date": "2026-03-31",
    "currency": "EUR",
    "lines": [{"account": "clearing:expected", "amount": "-12.30"}, {"account": "clearing:actual", "amount": "12.30"}],
    "amount": {"amount": "12.30", "currency": "EUR"},
}


async def test_the_example_books_and_takes_back(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
    books = SimulatedBooks(tmp_path / "ledger")
    await asyncio.to_thread(books.start)
    try:
        text = example.replace("http://127.0.0.1:20500", books.url)
        await asyncio.to_thread((tmp_path / "interlock.toml").write_text, text)
        connector = make_connector("books", Settings.load({}, {}, tmp_path).connectors["books"])

        def ask(operation: str, key: str, payload: dict[str, Any]) -> Request:
            deadline = datetime.now(UTC) + timedelta(seconds=20)
            return Request(operation=operation, key=key, payload=payload, deadline=deadline)

        booked = await connector.send(ask("book", "k", MATCH))
        assert isinstance(booked, Done)
        assert isinstance(await connector.look_up(ask("book", "k", MATCH)), Found)
        other = {**MATCH, "amount": {"amount": "12.31", "currency": "EUR"}}
        assert isinstance(await connector.send(ask("book", "k-2", other)), Permanent)
        back = {**MATCH, "undoes": {"key": "k", "response": booked.response}}
        assert isinstance(await connector.send(ask("unbook", "k~", back)), Done)
        assert isinstance(await connector.look_up(ask("unbook", "k~", back)), Found)
        assert isinstance(await connector.send(ask("unbook", "k~2", back)), Permanent)
        assert {one.balance for one in await asyncio.to_thread(books.accounts)} == {"0.00"}
        await connector.close()
    finally:
        await asyncio.to_thread(books.stop)
