from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit.verify.a_log import ORIGIN, Log, Signer, canonical, check, lines, mth, text

from interlock_verify.refusal import Unreadable

OLD, NEW = Signer(1), Signer(2)


def only(bundle: dict[str, Any] | bytes, *signers: Signer, **more: Any) -> tuple[str, str, str]:
    """Place, rule and words of the one failure that there is."""
    findings = check(bundle, *signers, **more)
    assert findings.wrong == len(findings.failures) == 1, list(map(str, findings.failures))
    one = findings.failures[0]
    return one.where, one.rule, str(one)


def compact(bundle: dict[str, Any]) -> bytes:
    """A bundle on one line."""
    return canonical(bundle).encode()


def indented(bundle: dict[str, Any]) -> bytes:
    """A bundle on many lines."""
    return json.dumps(bundle, indent=1).encode()


@pytest.mark.parametrize("form", [compact, lines, indented])
def test_a_bundle_verifies_in_each_of_its_forms(form: Callable[[dict[str, Any]], bytes]) -> None:
    findings = check(form(Log().grow(7).bundle(2, 5, earlier=3)))
    assert (findings.wrong, findings.signed, findings.entries, findings.good, findings.records) == (0, True, 2, 2, 2)
    assert (findings.first, findings.last, findings.whole) == (2, 5, False)
    assert [one.size for one in findings.follows] == [3]


def test_all_entries_of_the_log_are_said_to_be_all() -> None:
    log = Log().grow(5)
    assert check(log.bundle()).whole
    assert not check(log.bundle(0, 1, 2, 3)).whole
    repeated = log.bundle(0, 1, 2, 3, 3)
    findings = check(repeated)
    assert not findings.whole
    assert [one.rule for one in findings.failures] == ["twice"]
    assert check(log.bundle(4, 2, 0, 3, 1)).whole  # in whatever order


def test_a_bundle_may_prove_nothing_but_its_checkpoint() -> None:
    bundle = Log().grow(3).bundle()
    bundle["entries"] = []
    del bundle["earlier"], bundle["rotations"]
    assert check(bundle).wrong == 0
    empty = Log().bundle()
    assert check(empty).wrong == 0
    assert not check(empty).whole


def test_every_failure_is_counted_and_the_first_bad_entry_is_named_first() -> None:
    log = Log().grow(6)
    bundle = log.bundle()
    for number in (2, 4):
        bundle["entries"][number]["leaf"] = bundle["entries"][number]["leaf"].replace("12.30 MYR", "99.30 MYR")
    findings = check(bundle)
    assert (findings.wrong, findings.good, findings.entries) == (2, 4, 6)
    first = findings.failures[0]
    assert (first.where, first.rule, first.index, first.id) == ("entries[2]", "inclusion", 2, str(UUID(int=9002)))
    assert f"index 2, id {UUID(int=9002)}: it is not leaf 2 of the signed tree" in str(first)


def changed(**what: Any) -> dict[str, Any]:
    """A bundle of the entries 1 and 3, the second of them changed."""
    bundle = Log().grow(5).bundle(1, 3)
    bundle["entries"][1].update(what)
    return bundle


@pytest.mark.parametrize(
    ("what", "rule", "words"),
    [
        ({"index": 2}, "inclusion", "not leaf 2 of the signed tree"),
        ({"index": 1}, "inclusion", "not leaf 1 of the signed tree"),
        ({"index": 5}, "inclusion", "a tree of 5 leaves has no leaf 5"),
        ({"index": -1}, "form", "index is not a count"),
        ({"index": True}, "form", "index is not a count"),
        ({"index": 3.0}, "form", "index is not a count"),
        ({"index": 10**80}, "inclusion", "has no leaf"),
        ({"proof": []}, "inclusion", "too short"),
        ({"proof": [text(bytes(32))] * 4}, "inclusion", "too long"),
        ({"proof": [text(bytes(31))] * 3}, "form", "a hash that is not 32 bytes"),
        ({"proof": ["=" * 44] * 3}, "form", "no base64"),
        ({"proof": [text(bytes(32))] * 65}, "form", "more than 64"),
        ({"proof": None}, "form", "proof is not a list"),
        ({"leaf": None}, "form", "leaf is not a text"),
        ({"leaf": "{}"}, "form", "lacks 'at'"),
        ({"leaf": "[" * 100_000}, "form", "nested deeper"),
        ({"leaf": "NaN"}, "form", "NaN"),
        ({"record": 5}, "form", "record is not a text"),
        ({"record": "{}"}, "record", "its hash is another"),
        ({"more": 1}, "form", "has 'more', which this verifier does not know"),
    ],
)
def test_what_is_wrong_with_an_entry_is_named(what: dict[str, Any], rule: str, words: str) -> None:
    where, found, said = only(changed(**what))
    assert (where, found) == ("entries[1]", rule)
    assert words in said


def test_a_leaf_cannot_be_presented_as_another_ones() -> None:
    bundle = Log().grow(5).bundle(1, 3)
    bundle["entries"][0]["leaf"], bundle["entries"][1]["leaf"] = (
        bundle["entries"][1]["leaf"],
        bundle["entries"][0]["leaf"],
    )
    assert [one.rule for one in check(bundle).failures] == ["inclusion", "inclusion"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"v": 2}, "of version 2"),
        ({"v": True}, "of version True"),
        ({"v": "1"}, "of version 1; "),
        ({"id": "ABCDEF00-0000-0000-0000-000000000000"}, "no UUID"),
        ({"tenant": "x"}, "tenant is 'x', no UUID"),
        ({"case": 1}, "case is not a text"),
        ({"at": "yesterday"}, "time is 'yesterday', no time with its zone"),
        ({"at": "2026-05-01T10:00:00"}, "no time with its zone"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "no time with its zone"),
        ({"body": []}, "body is not an object"),
        ({"extra": 1}, "'extra', which this verifier does not know"),
    ],
)
def test_a_leaf_of_another_form_is_not_understood_though_it_is_in_the_tree(said: dict[str, Any], words: str) -> None:
    log = Log()
    ids = {name: str(UUID(int=1)) for name in ("id", "subject")}
    log.add(**{"at": "2026-05-01T10:00:00Z", "case": None, "body": {}, **ids, **said})
    _, rule, found = only(log.bundle())
    assert rule == "form"
    assert words in found


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"id": str(UUID(int=5))}, "record's id is"),
        ({"tenant": str(UUID(int=5))}, "record's tenant is"),
        ({"case_id": str(UUID(int=5))}, "record's case_id is"),
        ({"decided_at": "2026-05-01T10:00:01Z"}, "was decided at 2026-05-01T10:00:01Z, its entry"),
        ({"decided_at": 5}, "decided_at is not a text"),
        ({"output_hash": "0" * 64}, "record's output_hash is not that of its entry"),
        ({"output_hash": None}, "record's output_hash is not that of its entry"),
        ({"route": "review"}, "record's route is not that of its entry"),
        ({"output": text(b"another")}, "record's output is not the one that its hash says"),
        ({"output": "?"}, "'?' is no base64"),
        ({"facts": text(b"f"), "facts_hash": text(bytes(32))}, "record's facts is not the one"),
    ],
)
def test_a_record_that_says_something_else_than_its_entry_is_told_though_its_hash_is_right(
    said: dict[str, Any], words: str
) -> None:
    log = Log().grow(1)
    record = canonical({**json.loads(log.records[0]), **said})
    leaf = json.loads(log.leaves[0])
    leaf["body"]["record"] = Log.digest(record)
    log.leaves, log.records = [canonical(leaf)], {0: record}
    _, _, found = only(log.bundle())
    assert words in found


@pytest.mark.parametrize("record", ["x", "[]", '{"a":1,"a":2}', '{"a":NaN}'])
def test_a_record_that_cannot_be_read_is_told_though_its_hash_is_right(record: str) -> None:
    log = Log().grow(1)
    leaf = json.loads(log.leaves[0])
    leaf["body"]["record"] = Log.digest(record)
    log.leaves, log.records = [canonical(leaf)], {0: record}
    assert only(log.bundle())[1] == "record"


def test_a_record_that_no_entry_vouches_for_is_nobodys() -> None:
    log = Log()
    log.add(at="2026-05-01T10:00:00Z", case=None, body={}, id=str(UUID(int=1)), subject=str(UUID(int=2)))
    log.records[0] = "{}"
    assert "vouches for no record" in only(log.bundle())[2]
    log.records.clear()
    assert check(log.bundle()).wrong == 0


def test_a_checkpoint_that_nobody_signed_proves_nothing() -> None:
    log = Log().grow(3)
    assert only(log.bundle(), NEW)[:2] == ("checkpoint", "signature")
    bundle = log.bundle(1)
    bundle["checkpoint"] = bundle["checkpoint"].replace(text(mth(log.data())), text(bytes(32)))
    findings = check(bundle)
    assert not findings.signed
    assert [one.where for one in findings.failures] == ["checkpoint", "entries[0]"]
    bundle["checkpoint"] = "x"
    findings = check(bundle)
    assert findings.checkpoint is None
    assert [one.where for one in findings.failures] == ["checkpoint"]


def test_a_bundle_of_another_origin_is_refused() -> None:
    bundle = Log().grow(2).bundle()
    bundle["origin"] = "elsewhere"
    assert only(bundle)[1] == "origin"


def test_the_log_grew_from_the_checkpoint_that_the_auditor_kept() -> None:
    log = Log().grow(8)
    held = log.note(5)
    assert [one.size for one in check(log.bundle(1, earlier=5), held=held).follows] == [5, 5]
    assert check(log.bundle(1), held=log.note()).wrong == 0  # the same checkpoint
    assert check(log.bundle(1, earlier=0), held=Log().note()).wrong == 0  # an empty log
    where, rule, said = only(log.bundle(1), held=held)
    assert (where, rule) == ("your checkpoint", "consistency")
    assert "ask for a proof" in said
    assert only(log.bundle(1), held="x")[0] == "your checkpoint"
    assert only(log.bundle(1), held=Log([NEW]).grow(5).note())[1] == "signature"


def test_a_log_that_was_rolled_back_is_told() -> None:
    held = Log().grow(8).note()
    where, rule, said = only(Log().grow(5).bundle(1), held=held)
    assert (where, rule) == ("your checkpoint", "rollback")
    assert "ROLLBACK: the log had 8 entries and has 5 in this bundle" in said
    bundle = Log().grow(5).bundle(1)
    bundle["earlier"] = {"checkpoint": held, "consistency": []}
    assert only(bundle)[:2] == ("earlier", "rollback")


def another(size: int) -> Log:
    """A log with another past, signed by the same key."""
    log = Log().grow(size)
    log.leaves[0] = log.leaves[0].replace("12.30 MYR", "12.31 MYR")
    return log


def test_a_log_that_tells_two_stories_is_told() -> None:
    log = Log().grow(5)
    for held in (another(5).note(), another(3).note()):
        where, rule, said = only(log.bundle(1, earlier=3), held=held)
        assert (where, rule) == ("your checkpoint", "fork")
        assert "FORK: two signed trees" in said
    forged = log.bundle(1, earlier=3)
    forged["earlier"]["checkpoint"] = another(3).note()
    assert only(forged)[:2] == ("earlier", "consistency")
    forged["earlier"] = {"checkpoint": another(5).note(), "consistency": []}
    assert only(forged)[:2] == ("earlier", "fork")
    assert only(log.bundle(1), published={5: bytes(32)})[:2] == ("checkpoint", "fork")


def test_a_change_of_the_key_is_followed() -> None:
    log = Log([NEW]).grow(6)
    change = log.note(4, f"next-key {NEW}", signers=[OLD, NEW])
    findings = check(log.bundle(1, rotations=(change,)), OLD)
    assert (findings.wrong, findings.changes) == (0, 1)
    assert only(log.bundle(1), OLD)[1] == "signature"
    bad = check(log.bundle(1, rotations=(change.replace("\n4\n", "\n5\n"),)), OLD)
    assert [(one.where, one.rule) for one in bad.failures] == [
        ("rotations[0]", "signature"),
        ("checkpoint", "signature"),
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"),
        (b"{}", "no bundle of the format"),
        (b"[]", "is an object"),
        (b"\xff", "no UTF-8"),
        (b"\xef\xbb\xbf{}", "no JSON"),
        (b'{"format":"interlock-bundle-1","format":"interlock-bundle-1"}', "stands twice"),
        (b'{"format":"interlock-bundle-1","a":NaN}', "NaN is no JSON"),
        (b'{"format":"interlock-bundle-1","a":-Infinity}', "no JSON"),
        (b'{"format":"interlock-bundle-1","a":1e999}', "out of bounds"),
        (b'{"format":"interlock-bundle-1","a":' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"format":"interlock-bundle-1","a":' + b"[" * 70 + b"]" * 70 + b"}", "nested deeper"),
        (b'{"format":"interlock-bundle-1","a":' + b"[" * 99_999 + b"]" * 99_999 + b"}", "nested deeper"),
        (b'{"format":"interlock-bundle-1","a":"\\ud800"}', "half a character"),
        (b'{"format":"interlock-bundle-1","\\udc00":1}', "half a character"),
        (b'{"format":"interlock-bundle-2"}', "no bundle of the format"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":1}', "checkpoint is not a text"),
        (b'{"format":"interlock-bundle-1","origin":"a"}', "lacks 'checkpoint'"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","entries":{}}', "not a list"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","rotations":0}', "not a list"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","rotations":[0]}', "a rotation is not a text"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","earlier":1}', "`earlier` is not an object"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","earlier":{}}', "lacks 'checkpoint'"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","entries":[]}\nx', "follows the document"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","entries":[]} {}', "no JSON"),
        (b'{"format":"interlock-bundle-1","origin":"a","checkpoint":"","entries":[],"x":1}', "does not know"),
    ],
)
def test_what_is_no_bundle_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        check(data)


def test_a_line_that_is_damaged_does_not_hide_the_others() -> None:
    whole = lines(Log().grow(4).bundle())
    rows = whole.splitlines(keepends=True)
    rows[2] = rows[2][:-10] + b"\n"
    findings = check(b"".join(rows))
    assert (findings.entries, findings.good) == (4, 3)
    assert [(one.where, one.rule) for one in findings.failures] == [("line 3", "form")]
    assert [one.where for one in check(whole[:-20]).failures] == ["line 5"]
    assert check(whole + b"\xff\n").failures[0].where == "line 6"


def test_a_line_without_end_is_not_taken_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock_verify.bundle.MOST_LINE", 3000)
    header = lines(Log().grow(1).bundle()).splitlines(keepends=True)[0]
    findings = check(header + b"[" * 5000)
    assert [str(one) for one in findings.failures] == ["line 2: longer than 0 MiB; the rest was not read"]
    monkeypatch.setattr("interlock_verify.bundle.MOST_DOCUMENT", 100)
    with pytest.raises(Unreadable, match="write it as JSON lines"):
        check(header)
    with pytest.raises(Unreadable, match="write it as JSON lines"):
        check(b"{\n" + b"[" * 200)


def test_names_that_are_no_plain_text_are_shown_as_codes() -> None:
    bundle = Log().grow(1).bundle()
    bundle["origin"] = "a\x1b[31m\u202e" + "b" * 1000
    said = only(bundle)[2]
    assert "a\\u001b[31m\\u202ebbb" in said
    assert said.isprintable()
    assert len(said) < 300
    assert ORIGIN not in said


def test_a_thousand_failures_are_named_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock_verify.check.MOST_NAMED", 3)
    bundle = Log().grow(1).bundle()
    bundle["entries"] = [1] * 9
    findings = check(bundle)
    assert (findings.wrong, len(findings.failures)) == (9, 3)


def test_a_bundle_is_held_against_what_was_published_whatever_its_size() -> None:
    real, forged = Log().grow(8), Log().grow(6)
    forged.leaves[4] = forged.leaves[5]
    roots = {size: mth(real.data(size)) for size in (3, 5, 8)}
    assert only(forged.bundle(1), published=roots)[:2] == ("published", "consistency")  # between 5 and 8
    grown = Log().grow(9)
    assert check(grown.bundle(1, earlier=8), published=roots).wrong == 0
    assert "follows the newest one" in only(grown.bundle(1), published=roots)[2]
    assert only(grown.bundle(1, earlier=5), published=roots)[:2] == ("published", "consistency")
    assert only(grown.bundle(1, earlier=8), published={8: bytes(32)})[:2] == ("published", "fork")
    assert check(real.bundle(1), published=roots).wrong == 0
    assert check(real.bundle(1), published={0: mth([])}).wrong == 0


def test_an_entry_counts_once_wherever_it_stands() -> None:
    log = Log().grow(3)
    log.leaves.append(log.leaves[1])
    assert only(log.bundle())[:2] == ("entries[3]", "twice")
