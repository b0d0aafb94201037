"""Rules that decide: a file of decision tables, loaded only if nothing in it could go wrong in silence.

A file is run by our own program (``rules_program``), forty times as fast as the engine; the engine stays the judge.

INVARIANT: every row of a loaded file was fired by the engine, on an input that the loader found or on an example.
INVARIANT: our own program answered all of these as the engine did; else the engine runs the file.
INVARIANT: amounts are exact from our JSON through the tables and back: strings in, decimals inside, strings out.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from interlock.components.arithmetic import Beyond
from interlock.components.component import Answer, ComponentRef, Kind, Question
from interlock.components.engine import Fact
from interlock.components.facts import days_since, missing_fact, read_fact
from interlock.components.faults import Faults
from interlock.components.rules_file import RulesFile, read_rules_file
from interlock.components.rules_graph import RulesGraph
from interlock.components.rules_header import Example, Header, InputField
from interlock.components.rules_lint import Probe, lint
from interlock.components.rules_program import AskEngine, RulesProgram
from interlock.errors import ComponentFailed, RulesInvalid

log = logging.getLogger("interlock.rules")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rules:
    """A loaded rules file: a component. ``load_rules`` makes one.

    Attributes:
        header: What the file says of itself: owner, description, inputs and outputs.
    """

    def __init__(self, header: Header, digest: bytes, graph: RulesGraph, program: RulesProgram | None) -> None:
        self.header = header
        self._ref = ComponentRef(Kind.RULES, header.name, header.version)
        self._digest = digest
        self._graph = graph
        self._program = program

    @classmethod
    def unproven(cls, data: bytes, file: str) -> Rules:
        """Rules whose examples may fail and whose rows nobody saw fire; to show what they do, not to decide.

        Raises:
            RulesInvalid: they cannot be run at all; everything that is wrong is named.
        """
        faults = Faults(file)
        read = read_rules_file(data, faults)
        if read is not None:
            lint(read, faults)
        graph = _ready(read, faults) if read is not None and not faults.wrong else None
        if read is None or graph is None:
            raise _invalid(faults)
        return cls(read.header, rules_digest(data), graph, None)

    @property
    def ref(self) -> ComponentRef:
        """``rules:NAME@VERSION``."""
        return self._ref

    @property
    def digest(self) -> bytes:
        """SHA-256 over the file's bytes."""
        return self._digest

    @property
    def engine(self) -> Literal["native", "zen"]:
        """What answers: our own program, which asks zen where it is not sure, or zen alone."""
        return "zen" if self._program is None else "native"

    def answer(self, question: Question) -> Answer:
        """Run the tables.

        Raises:
            ComponentFailed: the input is not what the file declares, no row of a table fires, or a value cannot be
                computed exactly.
        """
        if self._program is not None:
            try:
                return self._program.answer(question.input, question.now)
            except AskEngine:
                pass
        return self.answer_by_zen(question)

    def answer_by_zen(self, question: Question) -> Answer:
        """Run the tables in the engine that is the judge of our own.

        Raises:
            ComponentFailed: as ``answer``.
        """
        return self._graph.run(read_facts(self.header.inputs, question))


def load_rules(data: bytes, file: str) -> Rules:
    """Read, check and prove a rules file (docs/reference/decision-tables.md).

    Args:
        data: Its bytes.
        file: Its name, for the places of what is wrong.

    Raises:
        RulesInvalid: everything that is wrong, by table, row and column.
    """
    faults = Faults(file)
    read = read_rules_file(data, faults)
    probes = lint(read, faults) if read is not None else ()
    graph = _ready(read, faults) if read is not None and not faults.wrong else None
    program = None
    if read is not None and graph is not None:
        proof = _Proof(read.header, graph, _program(read, file), faults)
        proof.prove(probes)
        program = proof.program
    if read is None or graph is None or faults.wrong:
        raise _invalid(faults)
    return Rules(read.header, rules_digest(data), graph, program)


def _invalid(faults: Faults) -> RulesInvalid:
    return RulesInvalid(
        f"{len(faults.wrong)} thing{'s' * (len(faults.wrong) > 1)} in this file would fail or never fire",
        tuple(faults.wrong),
        where=faults.file,
        todo="mend each of them; docs/reference/decision-tables.md says what is meant",
    )


def rules_digest(data: bytes) -> bytes:
    """SHA-256 over a rules file's bytes."""
    return hashlib.sha256(data).digest()


def read_facts(inputs: Mapping[str, InputField], question: Question) -> dict[str, Fact]:
    """The facts that a file declares, from a question; whatever else the input holds is left out.

    Raises:
        ComponentFailed: one is missing without a declared value for that, or not of its type.
    """
    facts: dict[str, Fact] = {}
    for name, declared in inputs.items():
        if declared.days_since:
            continue
        value = question.input.get(name)
        value = declared.if_missing if value is None else value
        if value is None:
            raise missing_fact(name, declared.type)
        facts[name] = read_fact(name, value, declared.type, declared.values)
    for name, declared in inputs.items():
        if declared.days_since:
            facts[name] = days_since(cast("str", facts[declared.days_since]), question.now)
    return facts


def _ready(file: RulesFile, faults: Faults) -> RulesGraph | None:
    for name, declared in file.header.inputs.items():
        if declared.if_missing is not None:
            try:
                read_fact(name, declared.if_missing, declared.type, declared.values)
            except ComponentFailed as cause:
                faults.add(f"interlock.inputs.{name}, if_missing", cause.what, "type", cause.todo)
    if faults.wrong:
        return None
    try:
        return RulesGraph(file)
    except ComponentFailed as cause:
        faults.add("", cause.what, "engine", "report this file: our reading and the engine's differ")
        return None


def _program(file: RulesFile, name: str) -> RulesProgram | None:
    try:
        return RulesProgram(file)
    except Beyond:
        log.warning("%s holds what only zen computes; it is run by zen, more slowly", name)
        return None


@dataclass(slots=True)
class _Proof:
    """Every row fired once, by the input that was found for it or by an example, and the same by our own program.

    Attributes:
        header: What the file says of itself.
        graph: The judge.
        program: Our own program; None once it differed.
        faults: Where what is wrong is noted.
    """

    header: Header
    graph: RulesGraph
    program: RulesProgram | None
    faults: Faults

    def prove(self, probes: Iterable[Probe]) -> None:
        fired = self._run_examples()
        for probe in probes:
            place = f"table {probe.table!r}, row {probe.row}"
            is_shown = (probe.table, probe.row) in fired
            if probe.facts is None:
                if not is_shown:
                    self.faults.add(place, "no input is known that fires it", "unproven", "add an example that does")
                continue
            answer = self._judge(probe.facts, place)
            if is_shown:
                continue
            todo = "add an example that fires it"
            if isinstance(answer, ComponentFailed):
                self.faults.add(place, f"for {_readable(probe.facts)} {answer.what}", "unproven", todo)
                continue
            fired |= _rows(answer)
            if (probe.table, probe.row) not in fired:
                self.faults.add(place, f"it does not fire for {_readable(probe.facts)}", "unproven", todo)

    def _run_examples(self) -> set[tuple[str, int]]:
        fired: set[tuple[str, int]] = set()
        for number, example in enumerate(self.header.examples, 1):
            place = f"example {number}{f' ({example.note})' * bool(example.note)}"
            todo = "mend the example or the table"
            try:
                answer = self._judge(self._facts(example), place)
            except ComponentFailed as cause:
                answer = cause
            if isinstance(answer, ComponentFailed):
                self.faults.add(place, f"it fails: {answer.what}", "example", answer.todo or todo)
                continue
            fired |= _rows(answer)
            if answer.output != example.output:
                self.faults.add(place, f"it gives {answer.output}, not {example.output}", "example", todo)
        return fired

    def _facts(self, example: Example) -> dict[str, Fact]:
        unknown = sorted(example.input.keys() - self.header.inputs.keys())
        if unknown:
            raise ComponentFailed(f"its input {unknown[0]!r} is declared nowhere", todo="name a declared input")
        return read_facts(self.header.inputs, Question(input=example.input, now=example.now or _EPOCH))

    def _judge(self, facts: Mapping[str, Fact], place: str) -> Answer | ComponentFailed:
        """What the engine answers; our own program is given up if it answers otherwise."""
        answer = _outcome(self.graph.run, facts)
        if self.program is not None:
            try:
                ours = _outcome(self.program.run, facts)
            except AskEngine:
                return answer
            if _told(ours) != _told(answer):
                log.warning(
                    "%s, %s: zen and our own program differ (for %s: %s, %s); it is run by zen, more slowly",
                    self.faults.file,
                    place,
                    _readable(facts),
                    _told(answer),
                    _told(ours),
                )
                self.program = None
        return answer


def _outcome(run: Callable[[Mapping[str, Fact]], Answer], facts: Mapping[str, Fact]) -> Answer | ComponentFailed:
    try:
        return run(facts)
    except ComponentFailed as cause:
        return cause


def _told(outcome: Answer | ComponentFailed) -> str:
    """Everything that can be seen of an outcome, types included."""
    return repr(outcome) if isinstance(outcome, Answer) else f"{outcome.what} {outcome.where} {outcome.todo}"


def _rows(answer: Answer) -> set[tuple[str, int]]:
    return {(rule.table, rule.row) for rule in answer.fired}


def _readable(facts: Mapping[str, Fact]) -> str:
    return ", ".join(f"{name} {fact}" for name, fact in facts.items())
