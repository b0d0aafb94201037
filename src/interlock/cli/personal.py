"""What commands show of personal data: nothing, unless a purpose is stated; then that is on the ledger first."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from interlock.authority.judge import everything
from interlock.cli.options import who_acts
from interlock.cli.session import operator
from interlock.node import Node
from interlock.privacy.reading import read_personal

Purpose = Annotated[
    str,
    typer.Option(
        "--purpose", help="Show personal data, as JSON, for a purpose that their contract names; it is on the ledger."
    ),
]


async def opened(node: Node, document: Any, purpose: str, record: UUID) -> bytes:
    """A document as JSON with its personal data in clear, as far as the purpose allows.

    Args:
        node: The process.
        document: What is to be shown.
        purpose: For what.
        record: What it is, for the ledger.
    """
    body, who = msgspec.json.encode(document, enc_hook=str), who_acts("")
    node.authority.require(operator(node, who), "personal.read", everything(node.tenant))
    return await read_personal(node.vault, node.writer, node.tenant, body, purpose=purpose, who=who, record=record)
