"""Versions of the example's rules and contracts, made from its files by small changes."""

from __future__ import annotations

import json
from typing import Any

from tests.pg.stage import REFUNDS

RULES = (REFUNDS / "components" / "approve-refund@1.rules.json").read_text("utf-8")
DECISION = (REFUNDS / "contracts" / "refund-decision@1.odcs.yaml").read_text("utf-8")
REQUEST = (REFUNDS / "contracts" / "refund-request@1.odcs.yaml").read_text("utf-8")


def refund_rules(version: str, *, days: int = 30, reason: str = "within_policy", **header: Any) -> bytes:
    """The rules of refunds as another version: how many days count, and which reason the last row gives."""
    document = json.loads(RULES)
    document["interlock"] |= {"version": version, **header}
    table = document["nodes"][1]["content"]["rules"]
    table[0]["days"] = f"> {days}"
    table[2]["reason"] = f"'{reason}'"
    document["interlock"]["outputs"]["reason"]["values"] = ["too_late", "too_much", reason]
    for example in document["interlock"]["examples"]:
        if example["output"]["approved"]:
            example["output"]["reason"] = reason
            example["input"]["days_since_purchase"] = min(days, 30)
    return json.dumps(document, indent=1).encode()


def contract(text: str, version: str, **changes: tuple[str, str]) -> bytes:
    """A contract's file as another version, with some texts in it changed."""
    text = text.replace("version: 1.0.0", f"version: {version}")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text.encode()
