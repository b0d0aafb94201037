from __future__ import annotations

import logging
from pathlib import Path
from uuid import uuid4

import pytest
from tests.unit.oversight.items import a_review, an_exception

from interlock.authority.actor import Actor, ActorKind, known_as
from interlock.authority.examples import differences, read_examples
from interlock.authority.judge import (
    Authority,
    Resource,
    account,
    everything,
    load_authority,
    shipped_examples,
    verdict_facts,
)
from interlock.errors import ConfigInvalid, Forbidden, ManyRefused
from interlock.oversight.task import task_resource

SHIPPED = load_authority()
HERE, ELSEWHERE = uuid4(), uuid4()


def person(*roles: str, name: str = "ana") -> Actor:
    return Actor(kind=ActorKind.PERSON, name=name, tenant=HERE, roles=roles)


def test_the_shipped_policies_keep_their_examples() -> None:
    examples = read_examples(shipped_examples(), "tests.yaml")
    assert len(examples) > 50
    assert list(differences(SHIPPED, examples)) == []


def test_every_policy_and_every_act_stands_in_an_example() -> None:
    examples = read_examples(shipped_examples(), "tests.yaml")
    decided = {one for example in examples for one in example.because or ()}
    shown = {act for example in examples for act in example.acts}
    only_met_elsewhere = {
        "nobody-reaches-into-another-tenant", "keys-that-submit", "keys-that-decide", "keys-that-review",
        "keys-that-stop", "keys-that-publish", "keys-that-load", "keys-that-administer", "owners-see-and-recall",
        "engineers-lift",
    }  # fmt: skip
    assert set(SHIPPED.ids) - decided <= only_met_elsewhere
    assert set(SHIPPED.acts) - shown <= {"event.send"}


def test_an_example_that_is_not_kept_is_told_with_its_place_and_what_decides() -> None:
    table = b"""examples:
  - {who: {roles: [viewer]}, acts: [view, queue.decide], allowed: true, why: viewers decide}
  - {who: {roles: [viewer]}, acts: [view], allowed: false}
  - {who: {roles: [viewer]}, acts: [veiw], allowed: false}
  - {who: {roles: [viewer]}, acts: [view], allowed: true, because: [leads-lead]}
  - {who: {roles: [lead]}, acts: [queue.lead], on: Task, facts: {exposure: much}, allowed: false}
"""
    told = [(one.place, one.act, one.what) for one in differences(SHIPPED, read_examples(table, "mine.yaml"))]
    assert told[:4] == [
        (1, "queue.decide", "it is refused: no policy permits it"),
        (2, "view", "it is allowed: everybody-looks"),
        (3, "veiw", "no act is called 'veiw': did you mean \"view\"?"),
        (4, "view", "it is decided by everybody-looks"),
    ]
    assert told[4][:2] == (5, "queue.lead")
    assert told[4][2].startswith("it cannot be judged")  # a refusal that rests on an error shows nothing


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"{",
        b"examples: 3",
        b"examples:\n  - {who: {}, acts: [view]}",
        b"examples:\n  - {who: {rolse: [a]}, acts: [view], allowed: true}",
    ],
)
def test_a_table_that_is_none_is_refused(table: bytes) -> None:
    with pytest.raises(ManyRefused):
        read_examples(table, "mine.yaml")


@pytest.mark.parametrize(
    ("actor", "act", "resource"),
    [
        (person("lead"), "unknown", everything(HERE)),
        (person("lead"), "", everything(HERE)),
        (person("lead"), "view", Resource(kind="Nothing", id="x", tenant=HERE)),
        (person("lead"), "view", Resource(kind="", id="", tenant=HERE)),
        (person("lead"), "queue.decide", Resource(kind="Task", id="x", tenant=HERE)),
        (person("lead"), "queue.decide", Resource(kind="Task", id="x", tenant=HERE, facts={"kind": 3})),
        (person("lead"), "stop.set", Resource(kind="Everything", id="x", tenant=HERE, facts={"more": "x"})),
        (person("lead", name="half \ud800"), "view", everything(HERE)),
    ],
)
def test_what_cannot_be_judged_is_refused_and_told(
    actor: Actor, act: str, resource: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        verdict = load_authority().judge(actor, act, resource)
    assert not verdict.allowed
    assert verdict.failed
    assert "could not judge" in caplog.text
    with pytest.raises(Forbidden):
        SHIPPED.require(actor, act, resource)


@pytest.mark.parametrize("name", ["O'Brien", 'x"y', "back\\s", "tab\tx", "José", "a\0b", 'Person::"root"', "名"])
def test_a_name_is_a_name_whatever_it_holds(name: str) -> None:
    assert SHIPPED.judge(person("viewer", name=name), "view", everything(HERE)).allowed
    assert not SHIPPED.judge(person("viewer", name=name), "queue.decide", everything(HERE)).allowed


def test_a_policy_with_an_error_refuses() -> None:
    text = (
        SHIPPED.text
        + """
    @id("broken") forbid (principal, action == Action::"queue.work", resource is Task)
    when { resource has exposure && resource.exposure * 9223372036854775807 > 3 };"""
    )
    broken = Authority(text, SHIPPED.schema)
    dear = task_resource(HERE, a_review(exposure_minor=2**50))
    verdict = broken.judge(person("reviewer"), "queue.work", dear)
    assert SHIPPED.judge(person("reviewer"), "queue.work", dear).allowed
    assert (verdict.allowed, verdict.because) == (False, ("reviewers-work-in-the-queue",))
    assert "overflow" in verdict.failed[0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("permit (", "cannot be read"),
        ("permit (principal, action, resource);", "no id"),
        (
            '@id("a") permit (principal, action, resource); @id("a") forbid (principal, action, resource);',
            "two policies",
        ),
        ('@id("a") permit (principal, action == Action::"fly", resource);', "not there"),
        ('@id("a") permit (principal, action, resource) when { resource.secret };', "not there"),
    ],
)
def test_policies_that_cannot_be_used_are_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigInvalid, match=what):
        Authority(text, SHIPPED.schema)


def test_a_folder_of_policies_is_read_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"no \*.cedar"):
        load_authority(tmp_path)
    with pytest.raises(ConfigInvalid, match="there is no folder"):
        load_authority(tmp_path / "gone")
    (tmp_path / "b.cedar").write_text(
        '@id("nobody-decides") forbid (principal, action == Action::"queue.decide", resource);'
    )
    (tmp_path / "a.cedar").write_text('@id("all") permit (principal, action, resource);')
    mine = load_authority(tmp_path)
    assert mine.ids == ("all", "nobody-decides")
    assert mine.digest != SHIPPED.digest
    assert mine.judge(person(), "publish", everything(HERE)).allowed
    assert not mine.judge(person("lead"), "queue.decide", everything(HERE)).allowed


def test_the_refusal_names_the_policy_that_forbids() -> None:
    with pytest.raises(Forbidden, match="nobody-changes-their-own-parts"):
        SHIPPED.require(person("admin"), "people.manage", account(HERE, "ANA"))
    with pytest.raises(Forbidden, match="no policy permits it"):
        SHIPPED.require(person("viewer"), "publish", everything(HERE))


def test_what_an_entry_says_of_a_verdict_leads_to_the_policies() -> None:
    verdict = SHIPPED.require(person("engineer"), "publish", everything(HERE))
    assert verdict_facts(verdict) == {"policies": SHIPPED.digest[:16], "because": ("engineers-mend",)}


def test_who_is_written_in_two_ways_is_one() -> None:
    assert known_as(" Ana ") == known_as("cli:ANA") == known_as("ana")
    assert known_as("Straße") == known_as("STRASSE")


def test_a_task_is_what_it_is() -> None:
    review = task_resource(HERE, a_review(exposure_minor=1250), handed_in_by="ben", decided_by=["cem"], needed=2)
    assert review.facts["handed_in_by"] == "ben"
    assert (review.facts["kind"], review.facts["queue"], review.facts["exposure"]) == ("review", "refunds", 1250)
    trouble = task_resource(HERE, an_exception(), handed_in_by="", way="answer")
    assert (trouble.facts["kind"], trouble.facts["point"], trouble.facts["team"]) == (
        "exception",
        "action-failed",
        "shop",
    )
    assert trouble.facts["handed_in_by"] is None
    assert SHIPPED.judge(person("reviewer"), "queue.decide", review).allowed
    assert SHIPPED.judge(person("engineer"), "exception.resolve", trouble).allowed
    assert not SHIPPED.judge(person("reviewer", name="cem"), "queue.decide", review).allowed


def test_a_file_that_cannot_be_read_is_named_with_the_line_of_its_policy(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_text('@id("all") permit (principal, action, resource);')
    for text, line in (
        ('@id("one") permit (principal, action, resource);\n\n@id("two") permit (principal, action\n', "line 3: "),
        ("permit (principal, action\n", "b.cedar cannot be read: "),
    ):
        (tmp_path / "b.cedar").write_text(text)
        with pytest.raises(ConfigInvalid, match=line) as told:
            load_authority(tmp_path)
        assert "b.cedar" in told.value.what
        assert "policies check --folder" in told.value.todo
