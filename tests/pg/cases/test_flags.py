# pyright: reportPrivateUsage=false
"""Feature flags in a workflow: given once, kept by the journal, typed, in time, and the default whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import AbstractProvider, Metadata
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.pg.stage import QuietWorker, Stage, declared, settings_for

from interlock.cases.case import Case
from interlock.cases.explain import as_text, explain
from interlock.cases.flags.evaluate import FlagQuestion, Flags, provider_of
from interlock.cases.flags.file_provider import FileProvider
from interlock.cases.flags.flag import FlagGiven, FlagType
from interlock.cases.guard import check_code, inside_workflow
from interlock.cases.journal import StepKind
from interlock.cases.registry import Registered, Registry
from interlock.cases.store import CaseState
from interlock.errors import ConfigInvalid, WorkflowMisuse
from interlock.node import open_node

FILE = """\
flags:
  reader: {variants: {old: "reader-1", new: "reader-2"}, defaultVariant: %s}
  only-ana: {variants: {on: true, off: false}, defaultVariant: off, targets: [{variant: on, customer: Ana}]}
  by-caller: {variants: {on: true, off: false}, defaultVariant: off, targets: [{variant: on, workflow: switched}]}
  limit: {variants: {low: "31.00"}, defaultVariant: low}
  share: {variants: {x: 0.25}, defaultVariant: x}
  most: {variants: {x: 7}, defaultVariant: x}
  terms: {variants: {x: {days: 30, words: [a, b]}}, defaultVariant: x}
"""


class Switch:
    """A stage with its file of flags.

    Args:
        on: The stage.
        file: The file.
    """

    def __init__(self, on: Stage, file: Path) -> None:
        self.on = on
        self.file = file

    def write(self, reader: str) -> None:
        """Write the file."""
        self.file.write_text(FILE % reader)


class Opened:
    """Opens a stage whose flags are in a file, or come from a provider."""

    def __init__(self, url: str, flow: Registered, file: Path, flags: Flags | None = None, workers: int = 1) -> None:
        self.settings = replace(settings_for(url), flags_file=file, flags_timeout=timedelta(seconds=5))
        self.flow, self.file, self.flags, self.workers = flow, file, flags, workers

    async def __aenter__(self) -> Switch:
        self.opened = open_node(self.settings, registry=Registry([self.flow]))
        node = await self.opened.__aenter__()
        if self.flags:
            node = replace(node, tools=replace(node.tools, flags=self.flags))
        self.on = Stage(node)
        await self.on.__aenter__()
        for _ in range(self.workers):
            await self.on.work()
        return Switch(self.on, self.file)

    async def __aexit__(self, *ended: object) -> None:
        await self.on.__aexit__(None, None, None)
        await self.opened.__aexit__(None, None, None)
        if self.flags:
            await self.flags.close()


async def switched(case: Case) -> str:
    """Ask, wait, and ask again: the first answer is kept, the second is of its own time."""
    first = await case.flag("reader", "none")
    await case.wait("a moment", span=timedelta(hours=1))
    return f"{first} then {await case.flag('reader', 'none')}"


async def test_an_answer_is_kept_and_a_later_question_is_answered_anew(database_url: str, tmp_path: Path) -> None:
    flow = declared(switched, tmp_path)
    async with Opened(database_url, flow, tmp_path / "flags.yaml") as switch:
        switch.write("old")
        case_id = await switch.on.submit()
        await switch.on.until(case_id, CaseState.WAITING)
        switch.write("new")
        await asyncio.sleep(0.3)
        _wake(database_url)
        assert (await switch.on.until(case_id)).conclusion == "reader-1 then reader-2"  # the code ran twice
        record = await switch.on.record(case_id)
        told = as_text(explain(record))
    assert [step.name for step in record.steps if step.kind is StepKind.FLAG] == ["reader", "reader"]
    assert 'It was "reader-1", variant old by the provider file flags.yaml, because STATIC.' in told
    assert "Flag reader (step 2)" in told


def _wake(url: str) -> None:
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        admin.execute("update journal set due = now() where state = 'pending'")
        admin.execute("update cases set wake_at = now() where state = 'waiting'")


async def every_type(case: Case) -> str:
    """Ask for a flag of each type, and for one told about."""
    given = [
        await case.flag("only-ana", default=False, context={"customer": case.input["customer"]}),
        await case.flag("by-caller", default=False),
        await case.flag("reader", "none"),
        await case.flag("most", 1),
        await case.flag("share", 0.5),
        await case.flag("limit", Decimal("1.50")),
        await case.flag("terms", {"days": 0}),
        await case.flag("nothing", Decimal("0.10")),
        await case.flag("reader", 5),
        await case.flag("most", default=True),
    ]
    await case.wait("a moment", span=timedelta(milliseconds=20))
    return "; ".join(f"{type(one).__name__} {one}" for one in given)


async def test_each_type_is_the_default_s_at_first_and_on_replay(database_url: str, tmp_path: Path) -> None:
    flow = declared(every_type, tmp_path, name="switched")
    async with Opened(database_url, flow, tmp_path / "flags.yaml") as switch:
        switch.write("old")
        case_id = await switch.on.submit()
        case = await switch.on.until(case_id)
        told = as_text(explain(await switch.on.record(case_id)))
    assert case.fence == 2
    assert case.conclusion == (
        "bool True; bool True; str reader-1; int 7; float 0.25; Decimal 31.00; dict {'days': 30, 'words': ['a', 'b']}; "
        "Decimal 0.10; int 5; bool True"
    )
    assert "The workflow's default 5 held by the provider file flags.yaml: TYPE_MISMATCH: reader is of the" in told
    assert "FLAG_NOT_FOUND: flags.yaml has no flag nothing" in told


async def side_by_side(case: Case) -> str:
    """Ask in branches, which replay in any order."""

    async def ask(name: str, default: str) -> str:
        given = await case.flag(name, default)
        await case.wait("a moment", span=timedelta(milliseconds=20))
        return given

    return ", ".join(await case.gather(ask("reader", "none"), ask("nothing", "default"), ask("reader", "none")))


async def test_branches_keep_answers_of_their_own(database_url: str, tmp_path: Path) -> None:
    async with Opened(database_url, declared(side_by_side, tmp_path), tmp_path / "flags.yaml") as switch:
        switch.write("old")
        case = await switch.on.until(await switch.on.submit())
    assert case.conclusion == "reader-1, default, reader-1"
    assert case.fence > 1  # the code ran again after the wait


# -------------------------------------------------------------------------------------------------- crash and replay


async def paying(case: Case) -> str:
    """Decide by a flag what a step does."""
    reader = await case.flag("reader", "none")
    done = await case.step("read", str, reader)
    await case.wait("a moment", span=timedelta(hours=1))
    return f"{reader} {done}"


async def test_a_worker_that_dies_after_the_flag_leaves_its_answer(database_url: str, tmp_path: Path) -> None:
    """Its worker dies once the step is on record; the next one has other flags, and must go the same way."""
    flow = declared(paying, tmp_path)
    async with Opened(database_url, flow, tmp_path / "flags.yaml") as switch:
        switch.write("old")
        case_id = await switch.on.submit()
        await switch.on.until(case_id, CaseState.WAITING)
        await _kill(switch.on.workers[0])
        switch.write("new")
        await asyncio.sleep(0.3)
        _wake(database_url)
        await switch.on.work()
        case = await switch.on.until(case_id)
        assert case.conclusion == "reader-1 reader-1"


async def test_an_answer_that_was_never_on_record_is_asked_for_again(database_url: str, tmp_path: Path) -> None:
    """The worker dies between the evaluation and the commit: nothing rests on the answer, and the next one counts."""
    answers: list[str] = []
    dead = asyncio.Event()
    file = tmp_path / "flags.yaml"

    class Dies(Flags):
        """Gives the answer to a worker that is dead by then."""

        async def evaluate(self, asked: FlagQuestion) -> FlagGiven:
            """Die after the first evaluation."""
            given = await super().evaluate(asked)
            answers.append(given.value)
            if len(answers) == 1:
                file.write_text(FILE % "new")
                dead.set()
                await asyncio.Event().wait()  # until its worker is cut off
            return given

    flow = declared(paying, tmp_path)
    flags = Dies(lambda: FileProvider(file), timeout=timedelta(seconds=5))
    file.write_text(FILE % "old")
    async with Opened(database_url, flow, file, flags) as switch:
        case_id = await switch.on.submit()
        await dead.wait()
        await asyncio.sleep(0.4)
        await _kill(switch.on.workers[0])
        await switch.on.work()
        await switch.on.until(case_id, CaseState.WAITING)
        _wake(database_url)
        assert (await switch.on.until(case_id)).conclusion == "reader-2 reader-2"
    assert answers == ["reader-1", "reader-2"]


async def _kill(worker: QuietWorker) -> None:
    """What is left of a worker that is killed: its cases, and a lock that is free."""
    for task in [*worker._loops, *worker._running]:
        task.cancel()
    await asyncio.gather(*worker._loops, *worker._running, return_exceptions=True)
    lock, worker.lock = worker.lock, None
    assert lock
    await lock.close()


# ----------------------------------------------------------------------------------------------- providers at fault


class Faulty(AbstractProvider):
    """A provider that does what it is told to do."""

    def __init__(self, does: Callable[[], Any], begins: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.does, self.begins, self.ended = does, begins, False

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - OpenFeature's
        """Begin."""
        self.begins()

    def shutdown(self) -> None:
        """End."""
        self.ended = True

    def get_metadata(self) -> Metadata:
        """Its name."""
        return Metadata("faulty")

    def _resolve(self, *_: Any, **__: Any) -> FlagResolutionDetails[Any]:
        return FlagResolutionDetails(self.does())

    resolve_boolean_details = _resolve
    resolve_string_details = _resolve
    resolve_integer_details = _resolve
    resolve_float_details = _resolve
    resolve_object_details = _resolve


def question(kind: FlagType, default: Any) -> FlagQuestion:
    return FlagQuestion(name="f", type=kind, default=default, key="k", told={})


def raises(cause: BaseException) -> Callable[[], Any]:
    def does() -> Any:
        raise cause

    return does


WRONG: list[tuple[FlagType, Any, Callable[[], Any], str]] = [
    (FlagType.BOOLEAN, True, lambda: "yes", "TYPE_MISMATCH"),
    (FlagType.BOOLEAN, True, lambda: 0, "TYPE_MISMATCH"),
    (FlagType.WHOLE, 1, lambda: True, "TYPE_MISMATCH"),
    (FlagType.WHOLE, 1, lambda: 2**53, "TYPE_MISMATCH"),
    (FlagType.NUMBER, 1.0, lambda: float("nan"), "TYPE_MISMATCH"),
    (FlagType.NUMBER, 1.0, lambda: float("inf"), "TYPE_MISMATCH"),
    (FlagType.EXACT, "1.0", lambda: "1e5", "TYPE_MISMATCH"),
    (FlagType.EXACT, "1.0", lambda: "NaN", "TYPE_MISMATCH"),
    (FlagType.TEXT, "a", lambda: "a\0b", "TYPE_MISMATCH"),
    (FlagType.TEXT, "a", lambda: "\ud800", "TYPE_MISMATCH"),
    (FlagType.TEXT, "a", lambda: "x" * 200_000, "TYPE_MISMATCH"),
    (FlagType.TEXT, "a", lambda: None, "TYPE_MISMATCH"),
    (FlagType.OBJECT, {}, lambda: {1: 2}, "TYPE_MISMATCH"),
    (FlagType.OBJECT, {}, lambda: {"a": {1, 2}}, "TYPE_MISMATCH"),
    (FlagType.OBJECT, {}, lambda: {"a": float("nan")}, "TYPE_MISMATCH"),
    (FlagType.TEXT, "a", raises(ValueError("\ud800\0")), "GENERAL"),
    (FlagType.TEXT, "a", raises(SystemExit()), "GENERAL"),
    (FlagType.TEXT, "a", raises(KeyboardInterrupt()), "GENERAL"),
]


@pytest.mark.parametrize(("kind", "default", "does", "error"), WRONG)
async def test_whatever_a_provider_answers_the_default_holds(
    kind: FlagType, default: Any, does: Callable[[], Any], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "openfeature")  # it logs the provider's words as they are, half characters too
    flags = Flags(lambda: Faulty(does), timeout=timedelta(seconds=5))
    given = await flags.evaluate(question(kind, default))
    assert (given.value, given.reason, given.error) == (default, "ERROR", error)
    msgspec.json.encode(given).decode().encode()
    assert "\0" not in given.what
    await flags.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds whoever waits for it until the test is over."""
    held = threading.Event()
    yield held
    held.set()


async def test_a_dead_provider_gives_the_default_in_time_again_and_again(gate: threading.Event) -> None:
    flags = Flags(lambda: Faulty(gate.wait), timeout=timedelta(milliseconds=100))
    began = time.monotonic()
    found = await asyncio.gather(*(flags.evaluate(question(FlagType.TEXT, "a")) for _ in range(20)))
    assert time.monotonic() - began < 2
    assert {one.error for one in found} == {"TIMEOUT"}
    began = time.monotonic()
    later = [await flags.evaluate(question(FlagType.TEXT, "a")) for _ in range(20)]
    assert time.monotonic() - began < 1  # refused at once: no case waits for what is known to hang
    assert {one.error for one in later} == {"BUSY"}
    gate.set()
    await asyncio.sleep(0.1)
    await flags.close()


async def test_one_that_never_begins_holds_nobody_up(gate: threading.Event) -> None:
    flags = Flags(lambda: Faulty(lambda: "x", lambda: [None][gate.wait() - 1]), timeout=timedelta(milliseconds=100))
    for _ in range(3):
        given = await flags.evaluate(question(FlagType.TEXT, "a"))
        assert (given.value, given.error) == ("a", "TIMEOUT")
    await flags.close()


async def test_one_that_fails_to_begin_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.cases.flags.evaluate._START_AGAIN_S", 0.0)
    begins = iter([raises(ConnectionError("not yet")), lambda: None])
    flags = Flags(lambda: Faulty(lambda: "x", next(begins)), timeout=timedelta(seconds=5))
    first = await flags.evaluate(question(FlagType.TEXT, "a"))
    assert (first.value, first.error) == ("a", "GENERAL")
    assert "not yet" in first.what
    await asyncio.sleep(0.01)
    assert (await flags.evaluate(question(FlagType.TEXT, "a"))).value == "x"
    await flags.close()


async def test_any_provider_serves_and_is_told_of_the_case_and_ended() -> None:
    told: list[tuple[str | None, Mapping[str, Any]]] = []

    def choose(_flag: InMemoryFlag[str], context: EvaluationContext) -> FlagResolutionDetails[str]:
        told.append((context.targeting_key, context.attributes))
        return FlagResolutionDetails("there", variant="v", reason="TARGETING_MATCH")

    memory = InMemoryProvider({"f": InMemoryFlag("v", {"v": "there"}, context_evaluator=choose)})
    flags = Flags(lambda: memory, timeout=timedelta(seconds=5))
    given = await flags.evaluate(replace(question(FlagType.TEXT, "a"), told={"workflow": "w"}))
    assert (given.value, given.variant, given.reason) == ("there", "v", "TARGETING_MATCH")
    assert given.provider == "In-Memory Provider"
    assert told == [("k", {"workflow": "w"})]
    assert api.get_provider_metadata().name == "No-op Provider"  # the process's own is left alone
    faulty = Faulty(lambda: "x")
    ending = Flags(lambda: faulty, timeout=timedelta(seconds=5))
    await ending.evaluate(question(FlagType.TEXT, "a"))
    await ending.close()
    assert faulty.ended


def test_a_setting_that_leads_nowhere_is_refused() -> None:
    assert provider_of("openfeature.provider.no_op_provider:NoOpProvider")
    for reference in ("nowhere:f", "math:nothing", "math:pi"):
        with pytest.raises(ConfigInvalid, match="leads to no provider"):
            provider_of(reference)


# -------------------------------------------------------------------------------------------------- workflow's misuse


MISUSED: list[tuple[Any, Any, dict[str, Any], str]] = [
    ("", True, {}, "no name of a flag"),
    ("a\0", True, {}, "no name of a flag"),
    ("\ud800", True, {}, "no name of a flag"),
    ("x" * 201, True, {}, "no name of a flag"),
    (1, True, {}, "no name of a flag"),
    ("f", None, {}, "NoneType"),
    ("f", object(), {}, "object"),
    ("f", float("nan"), {}, "unusable"),
    ("f", Decimal("NaN"), {}, "unusable"),
    ("f", 2**60, {}, "unusable"),
    ("f", "\ud800", {}, "unusable"),
    ("f", {"a": object()}, {}, "unusable"),
    ("f", True, {"tenant": "x"}, "told anyway"),
    ("f", True, {"a": object()}, "unusable"),
    ("f", True, {"a": "\0"}, "unusable"),
]


@pytest.mark.parametrize(("name", "default", "context", "said"), MISUSED)
def test_what_cannot_be_asked_or_recorded_is_refused(
    name: Any, default: Any, context: dict[str, Any], said: str
) -> None:
    case: Any = object.__new__(Case)
    with pytest.raises(WorkflowMisuse, match=said):
        case.flag(name, default, context=context)


client = api.get_client("a domain of a test")


async def by_hand(case: Case) -> str:
    """Ask OpenFeature past the journal."""
    return client.get_string_value("reader", "none")


def hidden() -> str:
    return client.get_string_value("reader", "none")


async def hidden_away(case: Case) -> str:
    """The same, where reading the code does not show it."""
    return hidden()


def test_a_workflow_that_asks_openfeature_itself_is_refused_when_it_is_declared() -> None:
    with pytest.raises(WorkflowMisuse, match=r"client\.get_string_value") as refused:
        check_code(by_hand)
    assert refused.value.todo == "await case.flag(name, default)"
    check_code(every_type)


async def test_a_workflow_that_hides_it_is_refused_when_it_runs(database_url: str, tmp_path: Path) -> None:
    async with Opened(database_url, declared(hidden_away, tmp_path), tmp_path / "flags.yaml") as switch:
        case_id = await switch.on.submit()
        case = await switch.on.until(case_id)
        assert case.state is CaseState.EXCEPTION
        assert case.waiting_for
        assert "evaluated a flag past its journal" in case.waiting_for
        assert hidden() == "none"  # outside of a workflow it may be asked
        with inside_workflow("w"), pytest.raises(WorkflowMisuse):
            hidden()


async def test_a_provider_that_is_not_there_stops_workers_and_no_command(database_url: str, tmp_path: Path) -> None:
    settings = replace(settings_for(database_url), flags_provider="nowhere:make")
    async with open_node(settings, registry=Registry([declared(switched, tmp_path)])) as node:
        with pytest.raises(ConfigInvalid, match="leads to no provider"):
            node.worker()
        given = await node.tools.flags.evaluate(question(FlagType.TEXT, "a"))
        assert (given.value, given.error) == ("a", "GENERAL")
        assert "leads to no provider" in given.what
