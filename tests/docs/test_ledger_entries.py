"""The reference of the ledger's entries names every kind that the code writes, with its fields, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import interlock

from .pages import ROOT

SOURCE = Path(interlock.__file__).parent
PAGE = ROOT / "docs" / "reference" / "ledger-entries.md"
NOUNS = (
    "case|step|decision|action|review|exception|event|guard|circuit|key|quarantine|escalation|feature|cost|data|rules|contract"
    "|statement|ledger|search|subject|personal|workflow|component|migration|tenant|replay|backtest|recall|match|reconciliation|person|session|policies|notice|oversight|outcome|certificate"
    r"|queue(?=\.(?:saturated|relieved))|audit(?=\.(?:begun|drawn|answered))|control(?=\.begun)"
)
KIND = re.compile(rf"(?:{NOUNS})\.(?!html\Z)[a-z_]+")
IN_SQL = re.compile(r"insert into ledger_entry.*?'(\w+\.\w+)'", re.DOTALL)
NO_KIND = {
    "match.onnx": "a file",
    "component.yaml": "a file",
    "ledger.key": "a file",
}
"""What looks like a kind and is none."""
SCHEMA = SOURCE / "authority" / "policies" / "schema.cedarschema"
ACTS = set(re.findall(r'"([\w.]+)"', SCHEMA.read_text("utf-8"))) - {"personal.read"}  # which is an entry, too
"""What policies call acts; they are asked for by name, too."""
BUILT = {
    "f'action.{finished.state}'": ("action.done", "action.failed", "action.exception"),
    "f'action.{outcome}'": ("action.transient", "action.permanent", "action.in_doubt"),
    "f'queue.{turned.state}'": ("queue.saturated", "queue.relieved"),
    "f'escalation.{turn.state}'": ("escalation.fired", "escalation.watched", "escalation.cleared"),
    "f'step.{state}'": ("step.pending", "step.done", "step.failed"),
}
"""Kinds that the code puts together."""
NO_FACTS = {"subject", "case_id", "about", None}
"""Arguments of a call that stand beside the body."""
ROW = re.compile(r"^\| ((?:`[\w.]+`(?:, )?)+) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def kinds_of(node: ast.expr) -> tuple[str, ...]:
    """The kinds that an expression is, if it is one or is put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and KIND.fullmatch(node.value):
        return (node.value,)
    return BUILT.get(ast.unparse(node), ()) if isinstance(node, ast.JoinedStr) else ()


def written() -> dict[str, set[str]]:
    """Every kind that the code writes, with the fields that stand literally in its calls."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.expr):
                for kind in kinds_of(node):
                    found[kind].update()
            if isinstance(node, ast.Call):
                fields = {str(one.arg) for one in node.keywords if one.arg not in NO_FACTS}
                for kind in (kind for argument in node.args for kind in kinds_of(argument)):
                    found[kind].update(fields)
    for file in SOURCE.rglob("*.sql"):
        for kind in IN_SQL.findall(file.read_text("utf-8")):
            found[kind].update()
    return {kind: fields for kind, fields in found.items() if kind not in NO_KIND and kind not in ACTS}


def documented() -> dict[str, set[str]]:
    """Every kind of the page, with its fields."""
    found: dict[str, set[str]] = {}
    for kinds, _, _, fields in ROW.findall(PAGE.read_text("utf-8")):
        for kind in re.findall(r"`([\w.]+)`", kinds):
            assert kind not in found, f"{kind} stands twice on the page"
            found[kind] = set(re.findall(r"`(\w+)`", fields))
    return found


def test_every_kind_of_entry_is_documented_and_no_other() -> None:
    assert documented().keys() == written().keys()


def test_every_field_of_an_entry_is_documented() -> None:
    page = documented()
    missing = {kind: fields - page.get(kind, set()) for kind, fields in written().items()}
    assert {kind: fields for kind, fields in missing.items() if fields} == {}


ELSEWHERE = {"ledger.accepted": "tests of `ledger accept` look at what it leads to"}
"""Kinds that no test names, and why."""


def test_every_kind_of_entry_is_in_a_test() -> None:
    told = "".join(
        file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py") if file.name != Path(__file__).name
    )
    assert {kind for kind in written() if kind not in told} - ELSEWHERE.keys() == set()
