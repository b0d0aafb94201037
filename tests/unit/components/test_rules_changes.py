"""What differs between two versions of rules is said row by row, in words."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interlock.components.faults import Faults
from interlock.components.rules_changes import changes_of
from interlock.components.rules_file import RulesFile, read_rules_file

REFUNDS = Path(__file__).parents[3] / "examples" / "refunds" / "components" / "approve-refund@1.rules.json"


def test_what_differs_is_said_by_row_and_column_and_nothing_else() -> None:
    told = json.loads(REFUNDS.read_bytes())
    old = read(told)
    assert changes_of(old, old) == ()
    assert found(told, lambda table: table["rules"][1].update(amount="> 200")) == [
        ("refund", "row 2: if Amount", "> 1000", "> 200")
    ]
    assert found(told, lambda table: table["rules"][1].update(amount="")) == [
        ("refund", "row 2: if Amount", "> 1000", "any")
    ]
    late = "if Days since purchase > 30, then Approved false, Reason 'too_late'"
    much = "if Amount > 1000, then Approved false, Reason 'too_much'"
    assert found(told, lambda table: table["rules"].pop(0)) == [("refund", "row 1", late, "")]
    assert found(told, lambda table: table["rules"].insert(2, {**table["rules"][0], "days": "> 20"})) == [
        ("refund", "row 3", "", late.replace("30", "20"))
    ]
    assert found(told, lambda table: table["rules"].insert(1, table["rules"].pop(0))) == [
        ("refund", "a row that moved", f"row 2: {much}", f"row 1: {much}")
    ]
    assert found(told, lambda table: table.update(hitPolicy="collect", outputPath="found")) == [
        ("refund", "which rows count", "the first row that holds", "every row that holds")
    ]
    assert found(told, lambda table: table["rules"][2].update(_description="Whatever else comes.")) == []


def test_tables_inputs_and_outputs_that_come_and_go_are_named() -> None:
    told = json.loads(REFUNDS.read_bytes())
    other = copy.deepcopy(told)
    other["nodes"][1]["name"] = "approval"
    other["interlock"]["inputs"]["country"] = {"type": "string", "description": "Where."}
    changes = changes_of(read(told), read(other))
    assert [(one.name, len(one.changes)) for one in changes] == [("approval", 3), ("refund", 3), ("Inputs", 1)]
    assert changes[0].changes[2].after == "if anything, then Approved true, Reason 'within_policy'"
    assert (changes[1].changes[0].after, changes[2].changes[0].before) == ("", "")


def found(told: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> list[tuple[str, str, str, str]]:
    """What a change of the table leads to."""
    other = copy.deepcopy(told)
    change(other["nodes"][1]["content"])
    return [
        (table.name, one.what, one.before, one.after)
        for table in changes_of(read(told), read(other))
        for one in table.changes
    ]


def read(told: dict[str, Any]) -> RulesFile:
    """A file of rules."""
    faults = Faults("the file")
    read = read_rules_file(json.dumps(told).encode(), faults)
    assert read is not None, faults.wrong
    return read
