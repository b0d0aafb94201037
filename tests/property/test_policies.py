"""The shipped policies: no tenant reaches into another, more forbidding allows nothing more, duties stay apart."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.authority.actor import Actor, ActorKind, known_as
from interlock.authority.examples import resource_of
from interlock.authority.judge import Authority, Resource, load_authority

SHIPPED = load_authority()
HERE, ELSEWHERE = (UUID(f"00000000-0000-7000-8000-00000000000{n}") for n in (1, 2))
ROLES = ("viewer", "reviewer", "lead", "owner", "engineer", "auditor", "admin")
SCOPES = ("submit", "decide", "read", "review", "stop", "publish", "load", "admin", "operate", "personal")
NAMES = ("ana", "Ana", "cli:ana", "ben", "O'Brien", "")
DECIDING = ("queue.decide", "queue.settle")
names = st.sampled_from(NAMES)
acts = st.sampled_from(SHIPPED.acts)
parts = st.lists(st.sampled_from(ROLES + SCOPES), unique=True)


@st.composite
def actors(draw: st.DrawFn) -> Actor:
    kind = draw(st.sampled_from(ActorKind))
    roles = tuple(draw(parts)) if kind is not ActorKind.OPERATOR else ()
    teams = tuple(draw(st.lists(names, max_size=2)))
    return Actor(kind=kind, name=draw(names), tenant=HERE, roles=roles, teams=teams)


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    kind = draw(st.sampled_from(["Everything", "Task", "Scope", "Account"]))
    facts: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "Everything": st.builds(dict[str, Any]),
        "Task": st.fixed_dictionaries(
            {},
            optional={
                "handed_in_by": names,
                "decided_by": st.lists(names, max_size=3),
                "exposure": st.integers(-(2**63), 2**63 - 1),
                "disagreed": st.booleans(),
                "way": st.sampled_from(["retry", "answer", "abandon"]),
            },
        ),
        "Scope": st.fixed_dictionaries(
            {"installation": st.booleans(), "answered": st.booleans(), "owners": st.lists(names, max_size=2)},
            optional={"set_by": names},
        ),
        "Account": st.fixed_dictionaries({"name": names}),
    }
    return resource_of(kind, draw(facts[kind]))


@settings(max_examples=150)
@given(actors(), acts, resources())
def test_nobody_gets_anything_of_another_tenant(actor: Actor, act: str, resource: Resource) -> None:
    stranger = Actor(kind=actor.kind, name=actor.name, tenant=ELSEWHERE, roles=actor.roles, teams=actor.teams)
    assert not SHIPPED.judge(stranger, act, resource).allowed


_CONDITIONS = (
    "true",
    "principal is Person",
    'principal in Role::"lead"',
    "resource is Task",
    'principal.name == "ana"',
)
_STRICTER = [
    Authority(
        f'{SHIPPED.text}\n@id("more") forbid (principal, action, resource) when {{ {condition} }};', SHIPPED.schema
    )
    for condition in _CONDITIONS
]


@settings(max_examples=150)
@given(actors(), acts, resources(), st.sampled_from(_STRICTER))
def test_another_forbid_never_allows_more(actor: Actor, act: str, resource: Resource, stricter: Authority) -> None:
    assert SHIPPED.judge(actor, act, resource).allowed or not stricter.judge(actor, act, resource).allowed


@settings(max_examples=150)
@given(actors(), st.sampled_from(DECIDING), resources())
def test_nobody_decides_what_they_handed_in_or_decided(actor: Actor, act: str, resource: Resource) -> None:
    if SHIPPED.judge(actor, act, resource).allowed and resource.kind == "Task":
        handed_in_by, decided_by = resource.facts.get("handed_in_by"), resource.facts.get("decided_by", ())
        assert not isinstance(handed_in_by, str) or known_as(actor.name) != known_as(handed_in_by)
        assert not isinstance(decided_by, list) or known_as(actor.name) not in map(known_as, decided_by)


@settings(max_examples=60)
@given(names, st.sampled_from([act for act in SHIPPED.acts if act.startswith(("queue.", "exception."))]), resources())
def test_an_admin_alone_never_decides(name: str, act: str, resource: Resource) -> None:
    admin = Actor(kind=ActorKind.PERSON, name=name, tenant=HERE, roles=("admin",))
    assert not SHIPPED.judge(admin, act, resource).allowed


@settings(max_examples=60)
@given(actors(), st.text(max_size=20).filter(lambda act: act not in SHIPPED.acts), resources())
def test_an_unknown_act_is_refused(actor: Actor, act: str, resource: Resource) -> None:
    assert not SHIPPED.judge(actor, act, resource).allowed


@settings(max_examples=60)
@given(actors(), acts, resources())
def test_a_verdict_is_the_same_each_time_and_says_what_it_rests_on(actor: Actor, act: str, resource: Resource) -> None:
    first, again = SHIPPED.judge(actor, act, resource), load().judge(actor, act, resource)
    assert first == again
    assert first.because or not first.allowed
    assert set(first.because) <= set(SHIPPED.ids)


def load() -> Authority:
    """The same policies, that have judged nothing yet."""
    return Authority(SHIPPED.text, SHIPPED.schema)
