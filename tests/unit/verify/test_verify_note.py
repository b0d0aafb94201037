from __future__ import annotations

import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit.verify.a_log import Signer, text

from interlock_verify.note import MOST_SIGNATURES, Key, Keys, read_key, read_note
from interlock_verify.refusal import Unproved, Unreadable

# C2SP signed-note (c2sp.org/signed-note), the example under "Verifier keys"
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n"
    "\n"
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# the same, the example at its beginning; its key is not published
QUASIMODO = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    "\n"
    "\u2014 quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
# golang.org/x/mod/sumdb/note, note_test.go
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = (
    "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


def held(*keys: str) -> Keys:
    """Keys by name and id."""
    read = [read_key(key) for key in keys]
    return {(key.name, key.id): key for key in read}


def names(keys: Iterable[Key]) -> list[str]:
    """Their names."""
    return [key.name for key in keys]


def test_the_example_of_the_specification_verifies() -> None:
    note = read_note(FOO_NOTE)
    assert note.text == "This is an example message.\n"
    assert names(note.signers(held(FOO))) == ["example.com/foo"]
    assert str(read_key(FOO)) == "example.com/foo+530d903a"


def test_a_text_with_empty_lines_ends_at_the_last_one() -> None:
    note = read_note(QUASIMODO)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [(one.name, one.id.hex(), len(one.data)) for one in note.signatures] == [
        ("quasimodo.example/salvatore", "367ba04b", 64)
    ]


def test_the_examples_of_go_verify() -> None:
    note = read_note(f"{TEXT}\n{BY_PETER}{BY_ENOCH}")
    assert note.text == TEXT
    assert names(note.signers(held(PETER))) == ["PeterNeumann"]
    assert names(note.signers(held(PETER, ENOCH))) == ["PeterNeumann", "EnochRoot"]
    assert names(read_note(f"{TEXT}\n{BY_PETER}{BY_PETER}").signers(held(PETER))) == ["PeterNeumann"]


def test_signatures_of_unknown_keys_say_nothing() -> None:
    note = read_note(f"{TEXT}\n{BY_PETER}{BY_ENOCH}")
    with pytest.raises(Unproved, match=r"no key that you trust .* PeterNeumann\+c74f20a3, EnochRoot\+af0cfe78"):
        note.signers(held(FOO))
    with pytest.raises(Unproved, match="no key that you trust"):
        note.signers({})


def test_a_wrong_signature_of_a_known_key_condemns_the_note() -> None:
    damaged = BY_PETER.replace("UgYN", "UgYM")
    with pytest.raises(Unproved, match=r"signature of PeterNeumann\+c74f20a3 is not one of this text"):
        read_note(f"{TEXT}\n{BY_ENOCH}{damaged}").signers(held(PETER, ENOCH))
    with pytest.raises(Unproved, match="was changed"):
        read_note(f"{TEXT.replace('answer', 'Answer')}\n{BY_PETER}").signers(held(PETER))


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{BY_PETER[:-1]}",
        f"\x01{TEXT}\n{BY_PETER}",
        f"{TEXT}\r\n\n{BY_PETER}",
        f"\ud800{TEXT}\n{BY_PETER}",
        f"{TEXT}\n\u2014 Bad Name {BY_PETER.split(' ')[2]}",
        f"{TEXT}\n{BY_PETER}Unexpected line.\n",
        f"{TEXT}\n{BY_PETER}\n",
        f"\n\n{BY_PETER}",
        f"{TEXT}\n- {BY_PETER[2:]}",
        f"{TEXT}\n\u2014 a+b x08go/ZJ\n",
        f"{TEXT}\n\u2014  x08go/ZJ\n",
        f"{TEXT}\n\u2014 a x08go/Z\n",
        f"{TEXT}\n\u2014 a x08g ow==\n",
        f"{TEXT}\n\u2014 a x08gow==\n",  # an id and no signature
        f"{TEXT}\n\u2014 a x08go/Z=\n",
        f"{TEXT}\n{BY_PETER * (MOST_SIGNATURES + 1)}",
        f"{TEXT * 20_000}\n{BY_PETER}",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Unreadable):
        read_note(note)


def test_every_part_of_a_key_is_no_key() -> None:
    for start in range(len(PETER)):
        for end in range(start + 1, len(PETER) + 1):
            if (start, end) != (0, len(PETER)):
                with pytest.raises(Unreadable):
                    read_key(PETER[start:end])


def test_a_key_with_a_changed_letter_is_no_key() -> None:
    for at, letter in enumerate(PETER):
        with pytest.raises(Unreadable):
            read_key(PETER[:at] + chr(ord(letter) + 1) + PETER[at + 1 :])


@pytest.mark.parametrize(
    "data", [b"\x02" + Signer().public, b"\x01" + bytes(32), b"\x01" + Signer().public + b"\x00", b""]
)
def test_a_key_of_another_kind_is_refused_though_its_id_is_right(data: bytes) -> None:
    key_id = sha256(b"a\n" + data).digest()[:4].hex()
    with pytest.raises(Unreadable, match="no usable Ed25519 key"):
        read_key(f"a+{key_id}+{text(data)}")
