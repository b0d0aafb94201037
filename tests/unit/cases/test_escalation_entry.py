"""Escalation rules as a workflow's file states them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from interlock.cases.declaration import read_declaration
from interlock.errors import DeclarationInvalid, Violation
from interlock.oversight.escalation import FORMS, EscalationRule, Measure, Response, shown_age

HEAD = """\
workflow: claims
contract: claim@1
decisions:
  assess: {components: [rules:r@1, person], output: verdict@1}
escalation:
"""


def read(*rules: str) -> tuple[EscalationRule, ...]:
    text = HEAD + "".join(f"  - {rule}\n" for rule in rules)
    return read_declaration(text.encode(), "f.yaml").escalation


def violations(*rules: str) -> tuple[Violation, ...]:
    with pytest.raises(DeclarationInvalid) as refused:
        read(*rules)
    return refused.value.violations


def test_every_kind_is_read() -> None:
    found = read(*(f'{{when: "{form}", do: stop}}' for form in FORMS.values()))
    assert [(rule.measure, rule.bound, rule.window, rule.sample) for rule in found] == [
        (Measure.OPEN_EXCEPTIONS, 20, None, None),
        (Measure.OLDEST_EXCEPTION, 48 * 3600 + 1, None, None),
        (Measure.OPEN_REVIEWS, 200, None, None),
        (Measure.OLDEST_REVIEW, 24 * 3600 + 1, None, None),
        (Measure.FAILED_ACTIONS, 10, timedelta(minutes=15), None),
        (Measure.ACTIONS_IN_DOUBT, 5, None, None),
        (Measure.OVERRIDES, 15, None, 50),
    ]
    assert {(rule.workflow, rule.do, rule.pause) for rule in found} == {("claims", Response.STOP, None)}
    assert set(FORMS) == set(Measure)


@pytest.mark.parametrize(
    ("when", "bound"),
    [
        ("open exceptions > 20", 21),
        ("open exceptions>=20", 20),
        ("open  exceptions   >= 20", 20),
        ("oldest review >= 90m", 5400),
        ("failed actions > 0 in 30s", 1),
        ("overrides >= 33% of 10 reviews", 4),  # 3.3 reviews: three are not a third
        ("overrides > 33% of 10 reviews", 4),
        ("overrides > 30% of 10 reviews", 4),
        ("overrides >= 100% of 5 reviews", 5),
    ],
)
def test_the_least_value_that_satisfies_a_condition_is_its_bound(when: str, bound: int) -> None:
    (rule,) = read(f'{{when: "{when}", do: notify}}')
    assert rule.bound == bound
    assert rule.when == " ".join(when.split())


def test_a_pause_has_an_end_and_says_it() -> None:
    (rule,) = read('{when: "open reviews >= 200", do: pause, for: 30m}')
    assert (rule.do, rule.pause) == (Response.PAUSE, timedelta(minutes=30))
    assert rule.said == "open reviews >= 200: pause for 30m"


def test_a_file_without_rules_has_none() -> None:
    assert read_declaration(HEAD.replace("escalation:\n", "").encode(), "f.yaml").escalation == ()


WRONG = [
    ('{when: "open exception >= 3", do: stop}', "when", "measures nothing that is known", 'mean "open exceptions"'),
    ('{when: "drift > 3", do: stop}', "when", "measures nothing that is known", "known: actions in doubt"),
    ('{when: "open exceptions = 3", do: stop}', "when", "no condition on open exceptions", "open exceptions >= 20"),
    ('{when: "open exceptions >= 3h", do: stop}', "when", "no condition on open exceptions", "open exceptions >= 20"),
    ('{when: "open exceptions >= 3 in 1h", do: stop}', "when", "no condition on", "open exceptions >= 20"),
    ('{when: "open exceptions >= 0", do: stop}', "when", "always holds", "above zero"),
    ('{when: "oldest review > 24", do: stop}', "when", "no condition on oldest review", "oldest review > 24h"),
    ('{when: "oldest review > 24%", do: stop}', "when", "no condition on oldest review", "oldest review > 24h"),
    ('{when: "oldest review > 24w", do: stop}', "when", "no length of time", "24h"),
    ('{when: "oldest review > 24ms", do: stop}', "when", "no whole number of seconds", "48h"),
    ('{when: "failed actions >= 10", do: stop}', "when", "no condition on failed actions", "in 15m"),
    ('{when: "failed actions >= 10 in 32d", do: stop}', "when", "32d is no window", "31 days"),
    ('{when: "failed actions >= 10 in soon", do: stop}', "when", "no length of time", "24h"),
    ('{when: "overrides >= 30%", do: stop}', "when", "no condition on overrides", "of 50 reviews"),
    ('{when: "overrides >= 3 of 50 reviews", do: stop}', "when", "no condition on overrides", "of 50 reviews"),
    ('{when: "overrides >= 30% of 1001 reviews", do: stop}', "when", "1001 reviews are no sample", "1 to 1000"),
    ('{when: "overrides > 100% of 50 reviews", do: stop}', "when", "never holds", "at most 100%"),
    ('{when: "open exceptions >= 3", do: halt}', "do", "nothing that can be done", "notify, pause or stop"),
    ('{when: "open exceptions >= 3", do: pause}', "", '"for" is missing', "do: stop"),
    ('{when: "open exceptions >= 3", do: stop, for: 1h}', "for", "stop has no end", "do: pause"),
    ('{when: "open exceptions >= 3", do: pause, for: 1ms}', "for", "shorter than a second", "1h"),
    ("{do: stop}", "", '"when" is missing', "open exceptions >= 20"),
    ('{when: "open exceptions >= 3"}', "", '"do" is missing', "notify, pause or stop"),
    ('{when: "open exceptions >= 3", do: stop, until: 1h}', "until", "no such key", "known: do, for, when"),
    ("stop", "", "stands where keys and values should", "{key: value}"),
]


@pytest.mark.parametrize(("rule", "key", "what", "todo"), WRONG)
def test_each_mistake_is_named_with_file_line_key_and_remedy(rule: str, key: str, what: str, todo: str) -> None:
    (found,) = violations('{when: "open reviews >= 9", do: stop}', rule)
    assert found.where == "f.yaml:7"
    assert found.what.startswith(f"escalation[1]{'.' if key else ''}{key}: ")
    assert what in found.what
    assert todo in found.todo


def test_a_rule_stands_once_but_may_have_two_responses() -> None:
    twice = '{when: "open reviews >= 9", do: stop}'
    (found,) = violations(twice, '{when: "open  reviews >= 9", do: stop}')
    assert '"open reviews >= 9" with do: stop stands here twice' in found.what
    assert len(read(twice, twice.replace("stop", "notify"))) == 2


def test_there_are_at_most_fifty() -> None:
    rules = [f'{{when: "open reviews >= {n}", do: notify}}' for n in range(1, 52)]
    assert len(read(*rules[:50])) == 50
    (found,) = violations(*rules)
    assert "there are 51 rules" in found.what


@pytest.mark.parametrize(("seconds", "said"), [(8, "8s"), (725, "12m 5s"), (176520, "49h 2m"), (0, "0s")])
def test_an_age_is_said_for_people(seconds: int, said: str) -> None:
    assert shown_age(seconds) == said
