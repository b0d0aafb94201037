"""Makes what the benchmarks decide with: the model (trained on applications made up here) and the table of 50 rows."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from reading import EMPLOYMENT, features

from interlock.packs.receipts.fitting import fit_trees

SEED = 20261121
TRAINED_ON = 4000
MANIFEST = """# Scores a made-up application. Written by bench/lending/make.py.
kind: onnx
name: credit-score
version: "1"
models:
  score: score.onnx
read: reading:read
bounded: true
"""


def application(dice: random.Random, number: int) -> dict[str, Any]:
    """One application of 30 fields that keeps its contract."""

    def money(most: int) -> str:
        return f"{dice.randrange(most)}.{dice.randrange(100):02d}"

    return {
        "account": f"DE{dice.randrange(10, 99)}{dice.randrange(10**17, 10**18)}",
        "reference": f"A-{number}",
        "applied_on": f"2026-{dice.randrange(1, 13):02d}-{dice.randrange(1, 29):02d}",
        "employment": dice.choice(EMPLOYMENT),
        "amount": money(100_000),
        "income": money(12_000),
        "income_other": money(2_000),
        "rent": money(3_000),
        "debts": money(80_000),
        "debt_payments": money(2_500),
        "savings": money(60_000),
        "credit_limit": money(30_000),
        "credit_used": money(30_000),
        "collateral": money(200_000),
        "term_months": dice.randrange(6, 121),
        "age_years": dice.randrange(18, 80),
        "years_employed": dice.randrange(0, 40),
        "years_at_address": dice.randrange(0, 40),
        "dependants": dice.randrange(0, 6),
        "accounts_open": dice.randrange(0, 12),
        "accounts_closed": dice.randrange(0, 20),
        "inquiries_6m": dice.randrange(0, 8),
        "late_30d": dice.randrange(0, 5),
        "late_60d": dice.randrange(0, 3),
        "late_90d": dice.choice((0, 0, 0, 0, 0, 0, 1)),
        "rate": f"0.{dice.randrange(100, 1900):04d}",
        "homeowner": dice.random() < 0.5,
        "customer": dice.random() < 0.5,
        "has_guarantor": dice.random() < 0.2,
        "channel": dice.choice(("web", "branch", "partner")),
    }


def make(folder: Path) -> None:
    """Write ``components`` into a folder."""
    dice = random.Random(SEED)
    made = [application(dice, number) for number in range(TRAINED_ON)]
    x = np.array([features(one) for one in made], dtype=np.float32)
    strain = x[:, 0] / 50_000 + x[:, 6] / 2_500 + x[:, 15] / 4 - x[:, 2] / 6_000 - x[:, 7] / 40_000
    noise = np.random.default_rng(SEED).normal(0, 0.4, len(made))
    repays = (strain + noise < 0.6).astype(np.int64)
    model = folder / "components" / "credit-score@1"
    model.mkdir(parents=True, exist_ok=True)
    (model / "score.onnx").write_bytes(fit_trees(x, repays, np.ones(len(made))).onnx())
    (model / "component.yaml").write_text(MANIFEST)
    (folder / "components" / "credit-policy@1.rules.json").write_text(json.dumps(policy(), indent=1))


def policy() -> dict[str, Any]:
    """The decision table: 50 rows and six columns; the first that fits says the route."""
    columns = ("late_90d", "employment", "repays", "amount", "term_months", "homeowner")
    rows: list[tuple[str, ...]] = [
        ("> 1", "", "", "", "", "", "reject", "arrears"),
        ("", "", "< 0.05", "", "", "", "reject", "score"),
    ]
    for kind, least in zip(EMPLOYMENT, ("0.10", "0.15", "0.20", "0.25"), strict=True):
        for place, most in enumerate((10_000, 25_000, 50_000, 75_000)):
            bar = float(least) + place / 20
            rows.append(("0", f"'{kind}'", f">= {bar:.2f}", f"< {most}", "<= 72", "", "automatic", "within_policy"))
            rows.append(
                ("0", f"'{kind}'", f">= {bar + 0.05:.2f}", f"< {most}", "> 72", "true", "automatic", "within_policy")
            )
            rows.append(
                ("0", f"'{kind}'", f">= {bar + 0.10:.2f}", f"< {most}", "> 72", "false", "automatic", "within_policy")
            )
    rows = rows[:49]
    rows.append(("", "", "", "", "", "", "review", "needs_person"))
    keys = [f"i{place}" for place in range(len(columns))]
    rules = [
        {
            "_id": f"r{number}",
            **dict(zip([*keys, "route", "reason"], [*row[:6], f"'{row[6]}'", f"'{row[7]}'"], strict=True)),
        }
        for number, row in enumerate(rows, 1)
    ]
    types = {
        "late_90d": {"type": "integer"},
        "employment": {"type": "string", "values": list(EMPLOYMENT)},
        "repays": {"type": "decimal"},
        "amount": {"type": "decimal"},
        "term_months": {"type": "integer"},
        "homeowner": {"type": "boolean"},
    }
    good = {
        "late_90d": 0,
        "employment": "employed",
        "repays": "0.9100",
        "amount": "9000.00",
        "term_months": 36,
        "homeowner": True,
    }
    table = {
        "hitPolicy": "first",
        "inputs": [
            {"id": key, "name": name.replace("_", " "), "field": name} for key, name in zip(keys, columns, strict=True)
        ],
        "outputs": [{"id": name, "name": name, "field": name} for name in ("route", "reason")],
        "rules": rules,
    }
    return {
        "interlock": {
            "name": "credit-policy",
            "version": "1",
            "owner": "risk@example.com",
            "description": "By which route an application goes.",
            "inputs": {name: {**kind, "description": name.replace("_", " ")} for name, kind in types.items()},
            "outputs": {
                "route": {"type": "string", "values": ["automatic", "review", "reject"], "description": "The route."},
                "reason": {
                    "type": "string",
                    "values": ["arrears", "score", "within_policy", "needs_person"],
                    "description": "Why.",
                },
            },
            "examples": [
                {"note": "a good one", "input": good, "output": {"route": "automatic", "reason": "within_policy"}}
            ],
        },
        "contentType": "application/vnd.gorules.decision",
        "nodes": [
            {"id": "in", "name": "application", "type": "inputNode", "position": {"x": 0, "y": 0}},
            {
                "id": "table",
                "name": "policy",
                "type": "decisionTableNode",
                "position": {"x": 1, "y": 0},
                "content": table,
            },
            {"id": "out", "name": "route", "type": "outputNode", "position": {"x": 2, "y": 0}},
        ],
        "edges": [
            {"id": "e1", "sourceId": "in", "targetId": "table", "type": "edge"},
            {"id": "e2", "sourceId": "table", "targetId": "out", "type": "edge"},
        ],
    }
