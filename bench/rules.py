"""One evaluation of a decision table of 50 rows and 6 columns, by our own program and by zen, in one process.

Processor time of the whole way: reading the facts from our JSON, finding the row, writing the output, naming the row.
The floor reads the same record with msgspec into typed fields, exact amounts included, and decides nothing. The last
line is JSON for machines.
"""

from __future__ import annotations

import json
import platform
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any

import msgspec

from interlock.components.component import Question
from interlock.components.rules import Rules, load_rules

ROWS = 50
TURNS = 7
GOAL = 8.0
MOST_MICROSECONDS = 20.0
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INPUTS = {
    "total": {"type": "decimal"},
    "currency": {"type": "string", "values": ["MYR", "SGD", "USD"]},
    "age_days": {"type": "integer"},
    "country": {"type": "string"},
    "duplicate": {"type": "boolean"},
    "risk": {"type": "decimal"},
}
OUTPUTS = {
    "approved": {"type": "boolean"},
    "limit": {"type": "decimal", "places": 2},
    "reason": {"type": "string"},
}


class Record(msgspec.Struct):
    """The same record in typed fields: the floor."""

    total: Decimal
    currency: str
    age_days: int
    country: str
    duplicate: bool
    risk: Decimal


def table() -> bytes:
    """The table: amounts and risks in steps, by currency, country and age; a last row for all the rest."""
    rows = [
        {
            "total": f"[{100 * (row % 10)}..{100 * (row % 10) + 100})",
            "currency": f"'{('MYR', 'SGD', 'USD')[row % 3]}'",
            "age_days": f"<= {30 + row}" if row % 2 else "",
            "country": f"'{('MY', 'SG', 'US', 'ID')[row % 4]}', 'XX'" if row % 5 else "",
            "duplicate": "false",
            "risk": f"< 0.{row + 10}",
            "approved": "true" if row % 2 else "false",
            "limit": f"{100 * row}.50",
            "reason": f"'step {row + 1}'",
        }
        for row in range(ROWS - 1)
    ]
    rows.append(dict.fromkeys(INPUTS, "") | {"approved": "false", "limit": "0", "reason": "'a person looks'"})
    content = {
        "hitPolicy": "first",
        "inputs": [{"id": name, "name": name, "field": name} for name in INPUTS],
        "outputs": [{"id": name, "name": name, "field": name} for name in OUTPUTS],
        "rules": rows,
    }
    header = {"name": "bench", "version": "1", "owner": "bench@example.com", "description": "A table of 50 rows."}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "t", "name": "limits", "type": "decisionTableNode", "content": content},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [{"sourceId": "in", "targetId": "t"}, {"sourceId": "t", "targetId": "out"}]
    return json.dumps(
        {"interlock": header | {"inputs": INPUTS, "outputs": OUTPUTS}, "nodes": nodes, "edges": edges}
    ).encode()


def questions(count: int) -> list[Question]:
    """Records drawn with a fixed seed, so that every row and the last one answer some of them."""
    drawn = random.Random(1)
    return [
        Question(
            input={
                "total": f"{drawn.randrange(110_000) / 100:.2f}",
                "currency": drawn.choice(("MYR", "SGD", "USD")),
                "age_days": drawn.randrange(100),
                "country": drawn.choice(("MY", "SG", "US", "ID")),
                "duplicate": drawn.random() < 0.1,
                "risk": f"0.{drawn.randrange(100):02d}",
            },
            now=NOW,
        )
        for _ in range(count)
    ]


def microseconds(call: Callable[[Question], Any], asked: list[Question]) -> float:
    """Processor time of one call."""
    begin = time.process_time()
    for question in asked:
        call(question)
    return (time.process_time() - begin) / len(asked) * 1e6


def reader(question: Question) -> Record:
    """The floor: typed fields, and nothing decided."""
    return msgspec.convert(question.input, Record)


def measure(rules: Rules) -> dict[str, float]:
    """Medians of some turns, each of native, zen and floor one after the other."""
    asked = questions(20_000)
    turns = [
        (
            microseconds(rules.answer, asked),
            microseconds(rules.answer_by_zen, asked[:1000]),
            microseconds(reader, asked),
        )
        for _ in range(TURNS)
    ]
    native, zen, floor = (median(turn[place] for turn in turns) for place in range(3))
    ratio = median(turn[1] / turn[0] for turn in turns)
    return {"native_us": native, "zen_us": zen, "floor_us": floor, "ratio": ratio}


def main() -> None:
    """Measure and report."""
    begin = time.process_time()
    rules = load_rules(table(), "bench@1.rules.json")
    load = time.process_time() - begin
    if rules.engine != "native":
        raise SystemExit("the table is run by zen: there is nothing to compare")
    for question in questions(2000):
        if rules.answer(question) != rules.answer_by_zen(question):
            raise SystemExit(f"the two differ for {question.input}")
    found = measure(rules)
    print(f"{ROWS} rows, {len(INPUTS)} columns, {len(OUTPUTS)} outputs; processor time, median of {TURNS} turns")
    print(f"  native   {found['native_us']:8.2f} us an evaluation")
    print(f"  zen      {found['zen_us']:8.2f} us an evaluation, {found['ratio']:.0f} times as long")
    print(f"  floor    {found['floor_us']:8.2f} us to read the same record into typed fields with msgspec")
    print(f"  loading  {load * 1e3:8.1f} ms, every row fired in zen and compared")
    goals = [
        {
            "name": "times as fast as zen",
            "value": round(found["ratio"], 1),
            "goal": GOAL,
            "met": found["ratio"] >= GOAL,
        },
        {
            "name": "us an evaluation, at most",
            "value": round(found["native_us"], 2),
            "goal": MOST_MICROSECONDS,
            "met": found["native_us"] <= MOST_MICROSECONDS,
        },
    ]
    for goal in goals:
        print(f"  goal     {goal['name']} {goal['goal']}: {goal['value']}, {'met' if goal['met'] else 'MISSED'}")
    figures: dict[str, float | str] = {name: round(value, 3) for name, value in found.items()}
    figures |= {"rows": ROWS, "columns": len(INPUTS), "load_ms": round(load * 1e3, 1)}
    figures["python"] = platform.python_version()
    print(json.dumps({"bench": "rules", "figures": figures, "goals": goals}))


if __name__ == "__main__":
    main()
