from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit.verify.a_log import ORIGIN, Log, Signer, text, trust

from interlock_verify.checkpoint import Trust, read_checkpoint
from interlock_verify.merkle import EMPTY_ROOT
from interlock_verify.note import read_key, read_note
from interlock_verify.refusal import Unproved, Unreadable

# C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint) and tlog-cosignature, their examples
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
WITNESS = (
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5"
    "nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
ROOT = text(EMPTY_ROOT)


@pytest.mark.parametrize("note", [SOFA, SOFA + WITNESS])
def test_the_examples_of_the_specification_are_read(note: str) -> None:
    read = read_note(note)
    checkpoint = read_checkpoint(read.text)
    assert read.text == note.partition("\n\n")[0] + "\n"
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert text(checkpoint.root) == "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert read.signatures[0].id.hex() == "033de0ae"


def test_further_lines_are_extensions() -> None:
    assert read_checkpoint(f"a\n0\n{ROOT}\nb\nc\n").extensions == ("b", "c")


@pytest.mark.parametrize(
    "body",
    [
        "",
        f"a\n0\n{ROOT}",
        f"\n0\n{ROOT}\n",
        "a\n0\n",
        f"a\n0\n{ROOT}\n\n",
        f"a\n0\n{ROOT}\n\nb\n",
        f"a\n00\n{ROOT}\n",
        f"a\n01\n{ROOT}\n",
        f"a\n+1\n{ROOT}\n",
        f"a\n-1\n{ROOT}\n",
        f"a\n 1\n{ROOT}\n",
        f"a\n1_0\n{ROOT}\n",
        f"a\n1e3\n{ROOT}\n",
        f"a\n\u0661\n{ROOT}\n",
        f"a\n{'9' * 19}\n{ROOT}\n",
        f"a\n{'9' * 5000}\n{ROOT}\n",
        f"a\n1\n{ROOT[:-1]}\n",
        f"a\n1\n{text(EMPTY_ROOT[:31])}\n",
        f"a\n1\n{ROOT[:-2]}{chr(ord(ROOT[-2]) + 1)}=\n",  # bits set that do not count
        f"a\n1\n{ROOT} \n",
    ],
)
def test_what_is_no_checkpoint_is_refused(body: str) -> None:
    with pytest.raises(Unreadable):
        read_checkpoint(body)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    elsewhere = Signer(name="other.example.com")
    note = Log(signers=[elsewhere]).grow(1).note()
    with pytest.raises(Unproved, match=r"of the log 'ledger.example.com/prod', not of 'other.example.com'"):
        Trust.of([read_key(str(elsewhere))]).open(note)


def test_keys_of_several_names_need_an_origin() -> None:
    keys = [read_key(str(Signer())), read_key(str(Signer(2, name="other")))]
    with pytest.raises(Unreadable, match=r"several names .* say with --origin"):
        Trust.of(keys)
    assert Trust.of(keys, ORIGIN).open(Log().grow(1).note()).size == 1
    with pytest.raises(Unreadable, match="no verifier key"):
        Trust.of([])


OLD, NEW, THIRD = Signer(1), Signer(2), Signer(3)


def test_a_chain_of_changes_leads_to_the_newest_key() -> None:
    log = Log().grow(6)
    first = log.note(2, f"next-key {NEW}", signers=[OLD, NEW])
    second = log.note(4, f"next-key {THIRD}", signers=[NEW, THIRD])
    trusted = trust(OLD)
    assert trusted.follow(first)
    assert trusted.follow(second)
    assert trusted.open(log.note(6, signers=[THIRD])).size == 6
    assert trusted.open(log.note(2, signers=[OLD])).size == 2
    with pytest.raises(Unproved, match="was replaced at size 2"):
        trusted.open(log.note(3, signers=[OLD]))
    with pytest.raises(Unproved, match="was replaced at size 4"):
        trusted.open(log.note(6, signers=[NEW]))


def test_changes_before_the_key_that_is_trusted_are_passed_over() -> None:
    log = Log().grow(6)
    trusted = trust(THIRD)
    assert not trusted.follow(log.note(2, f"next-key {NEW}", signers=[OLD, NEW]))
    assert trusted.follow(log.note(4, f"next-key {THIRD}", signers=[NEW, THIRD]))
    with pytest.raises(Unproved, match="no key that you trust"):
        trusted.open(log.note(6, signers=[NEW]))


def test_a_change_that_the_old_key_did_not_sign_is_nobodys() -> None:
    log = Log().grow(3)
    trusted = trust(OLD)
    assert not trusted.follow(log.note(2, f"next-key {NEW}", signers=[NEW, THIRD]))
    with pytest.raises(Unproved, match="no key that you trust"):
        trusted.open(log.note(3, signers=[NEW]))


def test_a_change_that_the_next_key_did_not_sign_is_refused() -> None:
    log = Log().grow(3)
    trusted = trust(OLD)
    with pytest.raises(Unproved, match="next key has not signed"):
        trusted.follow(log.note(2, f"next-key {NEW}", signers=[OLD, THIRD]))
    with pytest.raises(Unproved, match="no key that you trust"):
        trusted.open(log.note(3, signers=[NEW]))


def test_keys_that_sign_together_without_naming_one_another_are_both_needed() -> None:
    log = Log().grow(3)
    together = log.note(2, signers=[OLD, NEW])
    trusted = trust(OLD)
    assert trusted.follow(together)
    with pytest.raises(Unproved, match="no key that you trust"):
        trusted.open(log.note(3, signers=[NEW]))
    assert trust(OLD, NEW).open(log.note(3, signers=[NEW])).size == 3


def test_a_change_is_signed_by_two() -> None:
    with pytest.raises(Unreadable, match="one key only"):
        trust(OLD).follow(Log().grow(2).note(signers=[OLD]))
    with pytest.raises(Unreadable, match="two next keys"):
        trust(OLD).follow(Log().grow(2).note(2, f"next-key {NEW}", f"next-key {THIRD}", signers=[OLD, NEW]))
    with pytest.raises(Unreadable, match="no verifier key"):
        trust(OLD).follow(Log().grow(2).note(2, "next-key x", signers=[OLD, NEW]))


def test_a_key_that_was_replaced_names_no_other_successor() -> None:
    log = Log().grow(6)
    trusted = trust(OLD, NEW)
    assert trusted.follow(log.note(4, f"next-key {NEW}", signers=[NEW, OLD]))
    with pytest.raises(Unproved, match="was replaced by") as refused:
        trusted.follow(log.note(2, f"next-key {THIRD}", signers=[THIRD, OLD]))  # by a thief of the old key
    assert refused.value.rule == "rotation"
    with pytest.raises(Unproved, match="no key that you trust"):
        trusted.open(log.note(6, signers=[THIRD]))
    assert trusted.follow(log.note(5, f"next-key {NEW}", signers=[NEW, OLD]))  # the same change, once more
    assert trusted.follow(log.note(6, f"next-key {THIRD}", signers=[THIRD, NEW]))
