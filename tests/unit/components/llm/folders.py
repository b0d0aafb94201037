"""What the tests of language models share: a component's folder, a provider, a question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from interlock.components.component import Answer, Question, Tally, Wanted
from interlock.components.llm.model import LanguageModel, load_llm
from interlock.components.llm.provider import Providers
from interlock.contracts import Contract, check, json_schema, load_contract
from interlock.llm_settings import LlmSettings
from interlock.setting_forms import SecretRef
from interlock.sim.llm import Says, SimulatedModel

NOW = datetime(2026, 7, 1, tzinfo=UTC)
RIGHT = '{"category": "fraud", "amount": "12.30", "note": null}'
SYSTEM = "You sort claims.\n"
USER = "Sort this claim:\n{{input.text}}\n"
FREE = 'price: {input: "0", output: "0"}'
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: category
name: category
version: 1.2.0
status: active
team: {name: claims, members: [{username: ana@example.com, role: owner}]}
schema:
  - name: category
    logicalType: object
    properties:
      - {name: category, logicalType: string, required: true, logicalTypeOptions: {maxLength: 40}}
      - {name: amount, logicalType: number, physicalType: "decimal(12,2)", required: true}
      - {name: note, logicalType: string}
"""


def manifest(
    confidence: str = "none", *, more: str = FREE, parameters: str = "{temperature: 0, max_tokens: 50}"
) -> str:
    """A ``component.yaml``."""
    return (
        "kind: llm\nname: sorter\nversion: '1'\nprovider: main\nmodel: small-1\n"
        f"parameters: {parameters}\nconfidence: {confidence}\n{more}\n"
    )


def write(root: Path, text: str = "", *, system: str = SYSTEM, user: str = USER, **files: bytes) -> Path:
    """A component's folder."""
    folder = root / "components" / "sorter@1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "component.yaml").write_text(text or manifest(), "utf-8")
    (folder / "system.md").write_text(system, "utf-8")
    (folder / "user.md").write_text(user, "utf-8")
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def contract(root: Path) -> Contract:
    """The contract of the answers."""
    path = root / "category.odcs.yaml"
    path.write_text(CONTRACT, "utf-8")
    return load_contract(path)


def question(root: Path, value: Mapping[str, Any] | None = None) -> Question:
    """A question whose answer is a category."""
    wanted = contract(root)
    told = Wanted(
        contract=wanted.reference, schema=json_schema(wanted), violations=lambda answer: check(wanted, answer)
    )
    return Question(input=value or {"text": "a claim"}, now=NOW, wanted=told)


def settings(url: str, **changes: Any) -> LlmSettings:
    """A provider's table."""
    terms: dict[str, Any] = {"name": "main", "base_url": url, "timeout": timedelta(seconds=5), **changes}
    return LlmSettings(**terms)


class Desk:
    """A component, the simulated server that it asks, and its question."""

    def __init__(self, root: Path, server: SimulatedModel, providers: Providers, component: LanguageModel) -> None:
        self.root = root
        self.server = server
        self.providers = providers
        self.component = component
        self.tally = Tally()

    async def ask(self, value: Mapping[str, Any] | None = None, *, within: float = 5.0) -> Answer:
        """Ask it."""
        until = asyncio.get_running_loop().time() + within
        return await self.component.ask(question(self.root, value), until=until, tally=self.tally)


@asynccontextmanager
async def desk(
    root: Path,
    text: str = "",
    *,
    says: Says = lambda _asked: RIGHT,
    environ: Mapping[str, str] | None = None,
    secret: SecretRef | None = None,
    terms: Mapping[str, Any] | None = None,
    **files: Any,
) -> AsyncGenerator[Desk]:
    """All of it, as long as this is open."""
    folder = write(root, text, **files)
    async with SimulatedModel(says) as server:
        providers = Providers({"main": settings(server.url, secret=secret, **(terms or {}))}, environ or {})
        try:
            yield Desk(root, server, providers, load_llm(folder, lambda: providers))
        finally:
            await providers.close()
