"""Our own program against the engine, on whole files that are drawn: outputs, rows, cells' texts and failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from interlock.components.component import Answer, Question
from interlock.components.faults import Faults
from interlock.components.rules import Rules
from interlock.components.rules_file import RulesFile, read_rules_file
from interlock.components.rules_graph import RulesGraph
from interlock.components.rules_lint import Probe, lint
from interlock.components.rules_program import RulesProgram
from interlock.errors import ComponentFailed

INPUTS: dict[str, Any] = {
    "amount": {"type": "decimal"},
    "other": {"type": "decimal", "if_missing": "-1.50"},
    "count": {"type": "integer"},
    "kind": {"type": "string", "values": ["a", "b", "A", "é"]},
    "name": {"type": "string"},
    "vip": {"type": "boolean"},
    "day": {"type": "date"},
    "age": {"type": "integer", "days_since": "day"},
}
NUMBERS = ["0", "1", "1.0", "2.50", "-1.50", "0.1", "100", "12345678901234567.89", "999999999999999999.999999999"]
TEXTS = ["", "a", "b", "A", "é", "other 0", "1", "true", "x y", "日本", "\U0001f600", "ﬀ", " "]
DAYS = ["2026-02-28", "2026-03-01", "2024-02-29", "0001-01-01", "9999-12-31"]
WORDS = [*TEXTS[:10], "ﬀ", " "]

amount_texts = st.one_of(
    st.sampled_from([*NUMBERS, "-0.00", "-0", "007.50", "0.000000001", "-999999999999999999.999999999"]),
    st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", fullmatch=True),
)
ODD: list[Any] = [None, "", "x", 1.5, True, 1, [], {}, "1e3", "NaN", float("nan"), 10**18, -(10**18), "\ud800"]
ODD.extend([b"1", Decimal("1.50"), Decimal("-0.0"), Decimal("NaN")])
"""Values that stand in the wrong place, or where the two may differ."""
odd = st.sampled_from(ODD) | st.sampled_from(
    ["١", "1\n", "a\x00", "\x1ca", "ß", "İ", "n" * 10_001, "2026-02-30", "+1", "1.", ".5", "0x1"]
)
inputs = st.fixed_dictionaries(
    {
        "amount": amount_texts | st.integers(-(10**18), 10**18),
        "count": st.integers(-3, 3) | st.sampled_from([10**18 - 1, 1 - 10**18, 100]),
        "kind": st.sampled_from(["a", "b", "A", "é"]),
        "name": st.sampled_from(TEXTS) | st.text(max_size=8),
        "vip": st.booleans(),
        "day": st.sampled_from(DAYS) | st.dates().map(str),
    },
    optional={"other": amount_texts | st.none(), "unknown": st.integers()},
)
times = st.sampled_from([datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)])

plain_numbers = st.sampled_from(
    ["0", "1", "1.0", "2.50", "100", "12345678901234567.89", "999999999999999999.999999999"]
)
signed = st.builds("{}{}".format, st.sampled_from(["", "-"]), plain_numbers)
comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
quoted = st.sampled_from([f"'{word}'" for word in WORDS])
booleans_text = st.sampled_from(["true", "false"])


def joined(items: st.SearchStrategy[str], symbol: str) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=3).map(symbol.join)


def ranges(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}{}..{}{}".format, st.sampled_from("[("), numbers, numbers, st.sampled_from("])"))


def number_cells(others: str) -> st.SearchStrategy[str]:
    test = st.one_of(
        st.builds("{} {}".format, comparisons, signed),
        signed,
        ranges(signed),
        st.builds("{} [{}]".format, st.sampled_from(["in", "not in"]), joined(signed, ", ")),
        st.builds("{} {}".format, comparisons, st.just(others)),
        st.builds("not ($ > {})".format, signed),
    )
    return st.just("") | joined(joined(test, " and "), ", ")


text_cells = st.just("") | joined(
    st.one_of(
        quoted,
        st.builds("{} {}".format, st.sampled_from(["==", "!="]), quoted),
        st.builds("{} [{}]".format, st.sampled_from(["in", "not in"]), joined(quoted, ", ")),
        st.builds("{}($, {})".format, st.sampled_from(["startsWith", "endsWith", "contains"]), quoted),
        st.builds("{}($) == {}".format, st.sampled_from(["upper", "lower", "trim"]), quoted),
        st.builds("$ + {} != name".format, quoted),
    ),
    ", ",
)
CELLS: dict[str, st.SearchStrategy[str]] = {
    "amount": number_cells("other"),
    "other": number_cells("count"),
    "count": number_cells("age"),
    "kind": st.just("") | joined(st.sampled_from(["'a'", "'b'", "'A'", "'é'", "!= 'a'", "not in ['a', 'b']"]), ", "),
    "name": text_cells,
    "vip": st.sampled_from(["", "", "true", "false", "$ == true", "not ($ == true)", "!= false", "not $", "$"]),
    "day": st.just("") | st.sampled_from([f"'{day}'" for day in DAYS] + ["!= '2026-03-01'", "in ['2026-02-28']"]),
    "age": number_cells("count"),
    "tax": number_cells("amount"),
    "free": st.sampled_from(
        [
            "",
            "amount > other and vip",
            "amount == other or not vip",
            "kind == 'a' and count in [1..3]",
            "name == 'a' or contains(name, kind)",
            "vip ? amount > 1 : count > 1",
            "amount in [other, 1.0, count]",
            "string(amount) == name",
            "trim(name) in ['a', 'b', kind]",
            "day == '2026-03-01' or age >= 0",
        ]
    ),
}
OUTPUTS: dict[str, st.SearchStrategy[str]] = {
    "rate": signed | st.sampled_from(["amount", "other", "-other", "vip ? amount : 1.50", "count"]),
    "reason": quoted
    | st.sampled_from(["name", "name + kind", "upper(name)", "lower(name)", "trim(name)", "string(other)"]),
    "sure": booleans_text | st.sampled_from(["vip", "amount > 1", "not vip"]),
    "whole": st.sampled_from(["0", "3", "count", "age", "vip ? count : 1"]),
}
TYPES: dict[str, dict[str, Any]] = {
    "rate": {"type": "decimal"},
    "reason": {"type": "string"},
    "sure": {"type": "boolean"},
    "whole": {"type": "integer"},
    "tax": {"type": "decimal"},
    "day": {"type": "date"},
    "amount": {"type": "decimal"},
    "seen": {"type": "integer"},
    "score": {"type": "decimal"},
}


def sums(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({} / {})".format, inner, st.sampled_from(["3", "4", "0.25", "100", "1.000", "7.5"])),
        st.builds("-({})".format, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "floor", "ceil"]), inner),
        st.builds("round({}, {})".format, inner, st.integers(0, 4)),
        st.builds("{}([{}, {}])".format, st.sampled_from(["sum", "min", "max"]), inner, inner),
        st.builds("({} > {} and {} * {} > 1 ? {} : {})".format, inner, inner, inner, inner, inner, inner),
    )


computed = st.recursive(
    st.sampled_from(["amount", "other", "count", "age", "0.06", "2.50", "0", "-1"]), sums, max_leaves=5
)


def node(key: str, content: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": key, "name": key, "type": kind, "content": content}


@st.composite
def tables(draw: st.DrawFn, key: str, fields: list[str], *, collects: bool) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=4, unique=True))
    given_out = draw(st.lists(st.sampled_from(sorted(OUTPUTS)), min_size=1, max_size=4, unique=True))
    rows = [
        {name: draw(CELLS[name]) for name in chosen} | {f"{name}_out": draw(OUTPUTS[name]) for name in given_out}
        for _ in range(draw(st.integers(1, 6)))
    ]
    if draw(st.integers(0, 4)):
        rows.append(dict.fromkeys(chosen, "") | {f"{name}_out": draw(OUTPUTS[name]) for name in given_out})
    content: dict[str, Any] = {
        "hitPolicy": "collect" if collects else "first",
        "passThrough": draw(st.booleans()) or collects,
        "inputs": [{"id": name, "name": name, "field": "" if name == "free" else name} for name in chosen],
        "outputs": [{"id": f"{name}_out", "name": f"{name} out", "field": name} for name in given_out],
        "rules": rows,
    }
    return node(key, content | ({"outputPath": "hits"} if collects else {}), "decisionTableNode")


def expressions(key: str, texts: dict[str, str]) -> dict[str, Any]:
    listed = [{"id": name, "key": name, "value": text} for name, text in texts.items()]
    return node(key, {"expressions": listed, "passThrough": True}, "expressionNode")


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    fields = [name for name in CELLS if name != "tax"]
    steps: list[dict[str, Any]] = []
    if draw(st.booleans()):
        steps.append(expressions("sums", {"tax": draw(computed), "amount": draw(computed)}))
        fields.append("tax")
    collects = draw(st.integers(0, 2)) == 0
    steps.append(draw(tables("table", fields, collects=collects)))
    content = steps[-1]["content"]
    given_out = [column["field"] for column in content["outputs"]]
    if collects:
        more = {"seen": "len(hits)"}
        if "rate" in given_out:
            more["score"] = draw(st.sampled_from(["sum(map(hits, #.rate))", "max(map(hits, #.rate))", "1.50"]))
        steps.append(expressions("after", more))
        outputs = {name: TYPES[name] for name in more}
        outputs["hits"] = {"type": "rows", "columns": {name: TYPES[name] for name in given_out}}
    else:
        outputs = {name: dict(TYPES[name]) for name in given_out}
        if "rate" in outputs and draw(st.booleans()):
            outputs["rate"]["places"] = draw(st.integers(0, 9))
        if content["passThrough"]:
            outputs |= {name: TYPES[name] for name in ("amount", "day") if draw(st.booleans())}
            outputs |= {"tax": TYPES["tax"]} if "tax" in fields else {}
    header = {"name": "drawn", "version": "1", "owner": "o@example.com", "description": "Drawn."}
    chain = [node("in", {}, "inputNode"), *steps, node("out", {}, "outputNode")]
    edges = [{"sourceId": one["id"], "targetId": other["id"]} for one, other in pairwise(chain)]
    return {"interlock": header | {"inputs": INPUTS, "outputs": outputs}, "nodes": chain, "edges": edges}


def read(content: dict[str, Any]) -> RulesFile | None:
    """The file, if the loader could take it; examples for rows that need one are left out, since more is asked."""
    faults = Faults("drawn")
    file = read_rules_file(json.dumps(content).encode(), faults)
    if file is None:
        return None
    probes = lint(file, faults)
    if faults.wrong:
        return None
    graph = RulesGraph(file)
    return file if all(fires(graph, probe) for probe in probes) else None


def fires(graph: RulesGraph, probe: Probe) -> bool:
    if probe.facts is None:
        return True
    try:
        return (probe.table, probe.row) in {(rule.table, rule.row) for rule in graph.run(probe.facts).fired}
    except ComponentFailed:
        return False


def outcome(answer: Callable[[Question], Answer], question: Question) -> str:
    try:
        return repr(answer(question))
    except ComponentFailed as failed:
        return f"{failed.what} {failed.where} {failed.todo}"


@st.composite
def mistaken(draw: st.DrawFn) -> dict[str, Any]:
    """An input, often with one value that does not belong there, or without one that does."""
    found = draw(inputs)
    name = draw(st.sampled_from(["", *INPUTS]))
    if draw(st.booleans()):
        found.pop(name, None)
    elif name:
        found[name] = draw(odd)
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(files(), st.lists(mistaken() | inputs, min_size=1, max_size=12), times)
def test_our_program_answers_as_the_engine(content: dict[str, Any], given: list[dict[str, Any]], now: datetime) -> None:
    file = read(content)
    event(f"read: {file is not None}")
    assume(file is not None)
    assert file is not None
    rules = Rules(file.header, b"", RulesGraph(file), RulesProgram(file))
    for one in given:
        question = Question(input=one, now=now)
        ours = outcome(rules.answer, question)
        event(f"answered: {ours.startswith('Answer')}")
        assert ours == outcome(rules.answer_by_zen, question), json.dumps(content["nodes"])
