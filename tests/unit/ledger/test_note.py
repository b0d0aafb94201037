"""Signed notes and checkpoints, against the examples of their documents."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import Refused
from interlock.ledger.checkpoint import Checkpoint, read_checkpoint
from interlock.ledger.keys import make_key
from interlock.ledger.note import read_note, read_signer, read_verifier, sign_note

# The key pair and the note in the documentation of Go's note package, golang.org/x/mod/sumdb/note
SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n\u2014 PeterNeumann {SIGNED}\n"


def test_a_note_is_signed_byte_for_byte_as_in_its_documentation() -> None:
    signer = read_signer(SIGNER)
    assert sign_note(TEXT, [signer]) == NOTE
    assert str(signer.verifier) == VERIFIER
    assert signer.written() == SIGNER
    assert SIGNER.rpartition("+")[2] not in repr(signer)


def test_a_note_names_the_keys_that_signed_it() -> None:
    ours, other = make_key("PeterNeumann"), make_key("x.example/log")
    key = read_verifier(VERIFIER)
    assert read_note(NOTE).signers([other.verifier, key]) == (key,)
    both = read_note(sign_note(TEXT, [ours, other]))
    assert both.signers([other.verifier, ours.verifier]) == (other.verifier, ours.verifier)
    assert both.signers([key]) == ()  # the name alone is nobody


@given(st.integers(0, len(TEXT.encode()) - 2), st.integers(0, 6))
def test_a_changed_text_is_signed_by_nobody(place: int, bit: int) -> None:
    text = bytearray(TEXT.encode())
    text[place] ^= 1 << bit
    changed = read_note(f"{text.decode()}\n{NOTE.removeprefix(TEXT)[1:]}")
    assert changed.signers([read_verifier(VERIFIER)]) == ()


@pytest.mark.parametrize(
    "note",
    [
        "", "\n\n", TEXT, f"{TEXT}\n", NOTE[:-1], NOTE.replace("\u2014 ", "- "), NOTE.replace("x08go", "x08g!"),
        f"{TEXT}\n\u2014 PeterNeumann AAAA\n",
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Refused):
        read_note(note)


@pytest.mark.parametrize(
    "key",
    ["", "a", "a+b", "a+00000000+AAAA", VERIFIER.replace("c74f20a3", "c74f20a4"), VERIFIER.replace("Peter", "P ")],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(Refused):
        read_verifier(key)
    with pytest.raises(Refused) as refused:
        read_signer(f"PRIVATE+KEY+{key}")
    assert len(key) < 9 or key not in str(refused.value)


# The example of c2sp.org/tlog-checkpoint
CHECKPOINT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_a_checkpoint_is_written_as_in_its_document() -> None:
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    checkpoint = Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert checkpoint.text == CHECKPOINT
    assert read_checkpoint(CHECKPOINT) == checkpoint
    assert read_checkpoint(f"{CHECKPOINT}an extension\n") == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n1\n", CHECKPOINT[:-1], CHECKPOINT.replace("20852163", "020852163"), CHECKPOINT.replace("2085", "-2085"),
        CHECKPOINT.replace("20852163", "9" * 5000), CHECKPOINT.replace("q2I=", "q2I"),
        CHECKPOINT.replace("q2I=", "q2J="),
        CHECKPOINT.replace("example.com/behind-the-sofa", ""), CHECKPOINT.replace("20852163", "\u0662"),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_checkpoint(text)
