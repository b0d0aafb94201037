"""What the work is worth, for people and for programs."""

from __future__ import annotations

from .conftest import Run


def test_value_says_what_is_not_known_and_leads_to_what_is_behind_it(run: Run) -> None:
    shown = run("value", "desk")
    assert "Losses by wrong decisions" in shown.out
    assert "not known" in shown.out
    assert "no outcome is recorded" in shown.out
    (report,) = run("value", "--json").document["workflows"]
    assert (report["workflow"], report["cases"]) == ("desk", 0)
    assert {one["name"]: one["value"] for one in report["figures"]}["margin"] is None
    assert "Nothing is behind it" in run("value", "desk", "--behind", "losses").out
    assert run("value", "desk", "--behind", "slowest", "--json").document == {"behind": "slowest", "rows": []}
    assert "there is no workflow 'nobody'" in run("value", "nobody", code=4).err
    assert "interlock value WORKFLOW --behind LOOK" in run("value", "--behind", "losses", code=2).err
    assert "no span to look at" in run("value", "--since", "400d", code=2).err
