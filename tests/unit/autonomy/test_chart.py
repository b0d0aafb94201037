from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from bench.ground.chart import Series, chart

from interlock.console.charts import Axis, ticks

SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_is_well_formed_without_script_or_style_whatever_its_names() -> None:
    drawn = chart(
        'a "<script>" & more',
        (
            Series(name="<b>", points=((0.0, 0.0), (1.0, 10.0))),
            Series(name="b", points=((0.5, 5.0),), line=False),
            Series(name="c", points=((0.0, 99.0), (1.0, -99.0)), dashed=True),
        ),
        Axis(name="x", least=0, most=1, percent=True),
        Axis(name="y", least=0, most=10),
    )
    root = ET.fromstring(drawn)  # noqa: S314 - made here
    assert root.find(f"{SVG}title") is not None
    lines = root.findall(f"{SVG}polyline")
    assert lines[0].get("points") == "64.0,352.0 692.0,36.0"
    assert lines[1].get("points") == "64.0,36.0 692.0,352.0"
    assert "style" not in drawn
    assert "<script" not in drawn
    circle = root.find(f"{SVG}circle")
    assert circle is not None
    assert (circle.get("cx"), circle.get("cy")) == ("378.0", "194.0")


def test_ticks_are_round_and_few() -> None:
    assert ticks(Axis(name="", least=0, most=1)) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(Axis(name="", least=0, most=370)) == [0, 100, 200, 300]
    assert ticks(Axis(name="", least=3, most=3)) == [3]
