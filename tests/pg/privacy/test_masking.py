"""What is hidden of a person in what components give and say, and what stays as it was."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.pg.acting import acts
from tests.pg.decisions.test_decide import Says
from tests.pg.privacy.test_deciding import ask, node
from tests.pg.privacy.world import ADA, everything, found_in

from interlock.cases.changed import check_change, keep_change
from interlock.components.component import ComponentRef, Kind
from interlock.decisions.decision import Decision, Route
from interlock.node import Node
from interlock.oversight.queue import Answer
from interlock.oversight.resolving import Terms, resolve
from interlock.oversight.review import Resolution
from interlock.privacy.export import export_subject
from interlock.privacy.subject import Subjects
from interlock.privacy.token import MARKER

__all__ = ["node"]
Admin = psycopg.Connection[tuple[Any, ...]]


async def ask_one_who_says(node: Node, value: dict[str, Any], **said: Any) -> Decision:
    """Decide with another component in the place of the rules."""
    library = node.registry.named("raises").for_tenant(node.tenant).library
    says = Says("x", **said)
    says.ref = ComponentRef(Kind.RULES, "approve-raise", "1")
    library._components[says.ref] = says  # pyright: ignore[reportPrivateUsage]
    return await ask(node, value)


@pytest.mark.parametrize("name", ["App", "Row", "Table", "Email"])
async def test_somebody_who_is_called_like_a_field_is_decided_on_like_anybody(node: Node, name: str) -> None:
    decision = await ask(node, {**ADA, "name": name})
    assert decision.answer is not None
    assert sorted(decision.answer) == ["approved", "email", "reason"]
    assert decision.answer["reason"].startswith("for " + MARKER)


async def test_an_output_keeps_a_word_that_somebody_is_called(node: Node) -> None:
    output = {"email": ADA["email"], "approved": True, "reason": "grant"}
    decision = await ask_one_who_says(node, {**ADA, "name": "Grant"}, output=output)
    assert decision.answer is not None
    assert decision.answer["reason"] == "grant"


async def test_an_output_that_names_nobody_goes_to_a_person(node: Node) -> None:
    decision = await ask_one_who_says(node, ADA, output={"email": "", "approved": True, "reason": "x"})
    assert decision.route is Route.REVIEW


async def test_what_an_output_breaks_is_told_without_its_values(node: Node, admin: Admin) -> None:
    output = {"email": ADA["email"], "approved": "Eve Secretova", "reason": "x"}
    decision = await ask_one_who_says(node, ADA, output=output)
    assert decision.route is Route.REVIEW
    assert "Secretova" not in everything(admin)


@pytest.mark.parametrize("pad", [277, 290])
async def test_words_that_are_cut_within_a_value_lose_its_beginning(node: Node, admin: Admin, pad: int) -> None:
    await ask_one_who_says(node, ADA, raises=ValueError("x" * pad + ADA["email"]))
    text = everything(admin)
    assert "xxx" + MARKER in text
    assert "xada" not in text


async def test_what_a_reviewer_repeats_is_hidden_and_whom_they_name_is_found(node: Node, admin: Admin) -> None:
    decision = await ask(node, {**ADA, "salary": "6217.43"})
    assert decision.review is not None
    registered = node.registry.named("raises").for_tenant(node.tenant)
    output = {"email": "bob@example.org", "approved": True, "reason": f"for {ADA['name']}, says bob@example.org"}
    said = Answer(resolution=Resolution.CHANGE, reason_code="x", output=output)
    terms = Terms(check=check_change(registered, "approve"), keep=keep_change(registered, node.tenant))
    await resolve(node.desk, acts(node.tenant, "rosa"), decision.review, said, terms)
    text = everything(admin)
    assert found_in(text) == []
    assert "bob@example.org" not in text
    subjects = Subjects(node.database, node.writer, node.vault, node.tenant)
    export = await export_subject(subjects, "bob@example.org", who="dpo", why="asked")
    assert "review" in {one.kind for one in export.records}
