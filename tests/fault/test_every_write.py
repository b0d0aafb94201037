"""Every write fails once, and succeeds once with its answer lost: each case ends the same, with the same books.

A write is a unit of work, named by a kind of ledger entry that it bears. The kinds are gathered from the code, so
that a new one fails here until a scene makes it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from tests.pg.register import Register
from tests.pg.stage import Stage, stage
from writes.cut import Cut, Moment
from writes.scenes import SCENES, World, plan

import interlock
from interlock.actions import action as action_rules
from interlock.authority.judge import load_authority
from interlock.sim import SimulatedProvider

SOURCE = Path(interlock.__file__).parent
KIND = re.compile(
    r"(case|decision|step|action|review|exception|event|guard|circuit|key|quarantine|escalation|feature|cost|data|rules|contract|outcome"
    r"|audit|certificate|control)\.[a-z_]+"
)
BUILT = {
    "f'action.{finished.state}'": ("action.done", "action.failed", "action.exception"),
    "f'action.{outcome}'": ("action.transient", "action.permanent", "action.in_doubt"),
    "f'escalation.{turn.state}'": ("escalation.fired", "escalation.watched", "escalation.cleared"),
    "f'step.{state}'": ("step.pending", "step.done", "step.failed"),
}
"""Kinds that the code puts together."""
ELSEWHERE = {
    "decision.replayed": "who had a decision made again; nothing rests on it: tests/pg/cli/test_replay.py",
    "decision.recalled": "what a recall takes back of its own accord; cut in tests/fault/test_recall_crashes.py",
    "rules.published": "a person publishes; no case is in it: tests/fault/test_publication_writes.py",
    "rules.reverted": "as rules.published",
    "contract.published": "as rules.published",
    "action.exception": "it is written with exception.opened, in one unit: tests/pg/actions/test_faults.py",
    "action.decided": "rides in the write exception.resolved, which is cut here",
    "event.returned": "rides in the writes decision.superseded and case.corrected, which are cut here",
    "case.migrated": "a person moves a case at rest to another version; no decision, dispatch or review is in it",
    "cost.reserved": "what a point spends in a day; cut in tests/fault/test_cost_writes.py",
    "cost.settled": "as cost.reserved",
    "cost.exhausted": "as cost.reserved",
    "escalation.fired": "what a process measures by itself; cut in tests/fault/test_escalation_writes.py",
    "escalation.watched": "as escalation.fired",
    "data.level_broken": "what a process measures by itself; cut in tests/fault/test_level_writes.py",
    "data.level_restored": "as data.level_broken",
    "data.batch_broken": "no case is in it; cut in tests/pg/batch/test_together.py",
    "quarantine.released": "no case is in it; cut in tests/fault/test_quarantine_writes.py",
    "quarantine.discarded": "as quarantine.released",
    "feature.loaded": "no case rests on it before it is loaded; cut in tests/pg/decisions/test_feature_loads.py",
    "escalation.cleared": "as escalation.fired",
    "review.verdict": "one unit, as review.claimed; tests/pg/oversight/test_verdicts.py",
    "review.held": "as review.verdict; whoever gave it is killed in tests/fault/test_verdict_crashes.py",
    "review.undone": "as review.held",
    "review.disagreed": "as review.verdict",
    "oversight.bulk_begun": "as review.verdict",
    "review.snoozed": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.snoozed": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "review.woken": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.woken": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "review.assigned": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.assigned": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "review.escalated": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.escalated": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "review.asked": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.asked": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "review.answered": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.answered": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "review.noted": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.noted": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.claimed": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "exception.released": "one unit, as review.claimed; tests/pg/oversight/test_handing.py",
    "audit.begun": "what a process does by itself; cut in tests/fault/test_audit_writes.py",
    "audit.drawn": "as audit.begun",
    "audit.answered": "as audit.begun",
    "control.begun": "before the first decision of a control group; cut in tests/fault/test_control_writes.py",
    "certificate.issued": "no case is in it; cut in tests/fault/test_certificate_crashes.py",
    "certificate.tried": "one entry alone: nothing follows from it",
    "certificate.withdrawn": "no case is in it; cut in tests/fault/test_certificate_crashes.py",
    "certificate.expired": "as certificate.withdrawn",
    "certificate.narrowed": "what a process measures by itself; cut in tests/fault/test_certificate_crashes.py",
    "certificate.crossed": "one unit, as certificate.narrowed, whose watcher is killed there",
    "certificate.watched": "as certificate.crossed",
    "certificate.refused": "one unit that takes a key of its own; tests/pg/autonomy/test_certificates.py",
}
"""Kinds that no scene here makes, and why."""
NO_KINDS = {"audit.surely_from"}
"""What looks like a kind and is none: a key of a workflow's file."""
KINDS = {kind: name for name, scene in SCENES.items() for kind in scene.writes}


def kinds_in_the_code() -> set[str]:
    """Every kind of ledger entry: constants that look like one, and those that are put together.

    The acts of the policies and the console's templates look alike: ``case.cancel``, ``case.html``. They are no kinds,
    since kinds are past participles; an act that is one, too, is not left out.
    """
    found: set[str] = set()
    acts = {act for act in load_authority().acts if not act.endswith("ed")}
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and KIND.fullmatch(node.value):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr) and KIND.match(re.sub(r"\{.*?\}", "x", ast.unparse(node)[2:-1])):
                found.update(BUILT[ast.unparse(node)])
    return {kind for kind in found - acts - NO_KINDS if not kind.endswith(".html")}


def test_every_kind_of_write_is_cut() -> None:
    found = kinds_in_the_code()
    assert found - KINDS.keys() - ELSEWHERE.keys() == set()
    assert KINDS.keys() <= found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider, Register() as register:
        yield World(provider, register)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked again is asked again at once."""
    monkeypatch.setattr(action_rules, "FIRST_PAUSE", timedelta(milliseconds=5))
    monkeypatch.setattr("interlock.actions.doubt._LOOK_AGAIN", timedelta(milliseconds=50))


class Books(NamedTuple):
    """What is left of a scene.

    Attributes:
        cases: Each case's state and conclusion.
        journal: Each step, with its state.
        actions: Each action's name and state.
        entries: The ledger's entries by kind; how often a case waited depends on the moment, and is left out.
        used: What the limits hold.
        effects: What is in the provider's book.
    """

    cases: list[tuple[str, str | None]]
    journal: list[tuple[str, int, str, str, str]]
    actions: list[tuple[str, str]]
    entries: Counter[str]
    used: int
    effects: list[tuple[str, str, str]]


class Before(NamedTuple):
    """What was in the books before a scene: entries by kind, and what the limits hold."""

    entries: Counter[str]
    used: int


async def books(on: Stage, world: World, ids: list[UUID], key: str, before: Before) -> Books:
    """Read all books after a scene."""
    records = [await on.record(one) for one in ids]
    entries = _entries(on.node.url) - before.entries
    del entries["case.waiting"]
    return Books(
        cases=[(record.case.state.value, record.case.conclusion) for record in records],
        journal=sorted((s.scope, s.ordinal, s.kind.value, s.name, s.state.value) for r in records for s in r.steps),
        actions=[(action.name, action.state.value) for record in records for action in record.actions],
        entries=entries,
        used=_used(on.node.url) - before.used,
        effects=[
            (entry.kind.value, entry.state.value, entry.key.rpartition(f"/{key}")[2])
            for entry in world.provider.book()
            if f"/{key}-" in entry.key
        ],
    )


def _used(url: str) -> int:
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        found = admin.execute("select coalesce(sum(used), 0)::bigint from guard_bucket where currency <> ''").fetchone()
    return int(found[0]) if found else 0


def _entries(url: str) -> Counter[str]:
    with psycopg.connect(url, options="-c search_path=interlock") as admin:
        return Counter(dict(admin.execute("select kind, count(*) from ledger_entry group by kind").fetchall()))


async def play(on: Stage, world: World, name: str, key: str, cut: Cut) -> Books:
    """Play a scene under a cut."""
    scene = SCENES[name]
    world.provider.set_faults(plan(scene))
    before = Before(_entries(on.node.url), _used(on.node.url))
    with cut:
        ids = await scene.play(on, world, key)
    return await books(on, world, list(ids), key, before)


@pytest.fixture(scope="module")
def as_it_is() -> dict[str, Books]:
    """The books of each scene that was played without a cut."""
    return {}


@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize("kind", KINDS)
async def test_a_write_that_fails_or_whose_answer_is_lost_changes_nothing(
    database_url: str, tmp_path: Path, world: World, as_it_is: dict[str, Books], kind: str, moment: Moment
) -> None:
    name = KINDS[kind]
    scene = SCENES[name]
    async with stage(database_url, scene.flows(tmp_path), connectors=scene.connectors(world)) as on:
        if name not in as_it_is:
            as_it_is[name] = await play(on, world, name, f"{kind}-whole-{moment.name}", Cut())
        cut = Cut(kind, moment)
        found = await play(on, world, name, f"{kind}-cut-{moment.name}", cut)
    assert cut.struck, f"{kind} was never written"
    assert found == as_it_is[name]
    assert all(count == 1 for count in Counter(found.effects).values())
