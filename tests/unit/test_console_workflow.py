"""A workflow as the console draws it: its steps as the code writes them, and where the boxes stand."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

from interlock.cases.declaration import load_declaration
from interlock.console.workflow_code import CodeStep, steps_in
from interlock.console.workflow_graph import Counts, draw, ordered

_CODE = """
async def refunds(case):
    other.decide("not the case's")
    refund = await case.decide("approve", case.input)
    if refund.output["approved"]:
        await case.act("pay", {}, because=refund)
        await case.act("pay", {}, because=refund)
    await case.act(name_of(case), {})
    await case.wait("a night", span=NIGHT)
    said = await case.ask("odd", "what now?")
"""
_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "refunds" / "refunds.workflow.yaml"


def test_steps_stand_in_the_order_of_the_code_each_once() -> None:
    assert steps_in(ast.parse(textwrap.dedent(_CODE))) == (
        CodeStep(kind="decide", name="approve"),
        CodeStep(kind="act", name="pay", rests_on="approve"),
        CodeStep(kind="wait", name="a night"),
        CodeStep(kind="ask", name="odd"),
    )


def test_code_that_calls_no_case_has_no_steps() -> None:
    assert steps_in(ast.parse("async def nothing(): pass")) == ()
    assert steps_in(ast.parse("x = 1")) == ()


def test_what_only_the_file_names_is_drawn_behind_what_the_code_does() -> None:
    declaration = load_declaration(_EXAMPLE)
    steps = ordered(declaration, (CodeStep(kind="act", name="pay"), CodeStep(kind="decide", name="gone")))
    assert [(one.kind, one.name) for one in steps] == [("act", "pay"), ("decide", "approve")]
    assert [(one.kind, one.name) for one in ordered(declaration, ())] == [("decide", "approve"), ("act", "pay")]


def test_boxes_do_not_overlap_and_show_what_stands_there() -> None:
    declaration = load_declaration(_EXAMPLE)
    counts = {
        "decide:approve": Counts(waiting="7", done="10,000+"),
        "act:pay": Counts(done="3", failed=1, doubtful=2),
    }
    drawn = draw(declaration, ordered(declaration, ()), counts)
    boxes = {box.id: box for box in drawn.boxes}
    assert list(boxes) == ["case", "decide:approve", "people:approve", "act:pay"]
    assert boxes["decide:approve"].lines == ("10,000+ in 24 h",)
    assert boxes["people:approve"].lines[-1] == "7 waiting"
    assert boxes["act:pay"].lines[:2] == ("3 in 24 h", "1 failed, 2 in doubt")
    assert boxes["act:pay"].alarm
    assert len({(box.x, box.y) for box in drawn.boxes}) == len(drawn.boxes)
    assert max(box.x for box in drawn.boxes) < drawn.width
    assert len(drawn.lines) == 4
