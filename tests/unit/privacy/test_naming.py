"""Keys that name a person, in what keeps its contract and in what breaks it."""

from __future__ import annotations

import json

import pytest
from tests.pg.privacy.world import ADA, flow

from interlock.cases.patch_check import refuse_reaching
from interlock.errors import Refused
from interlock.privacy.naming import names_doubtful, names_person, texts_of, words_of
from interlock.privacy.veil import Veil

CONTRACT = flow().library.contract("raise-request@1")


def test_a_short_value_counts_as_a_word_only() -> None:
    veil = Veil()
    veil.note("/salary", "5217.43", "{}")
    assert names_person("salary 5217.43", veil)
    assert not names_person("order-952170", veil)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("raise of Ada Lovelace-Byron", {"name": ADA["name"]}, True),
        ("of ada.lovelace@example.org", [ADA["email"]], True),
        ("Lovelace", {"other": "Lovelace"}, True),
        ("7", {**ADA, "grade": 7}, False),
        ("batch 12", {"name": ADA["name"]}, False),
    ],
)
def test_what_breaks_its_contract_counts_as_personal_unless_it_is_known_not_to_be(
    key: str, value: object, *, named: bool
) -> None:
    assert names_doubtful(key, CONTRACT, value, json.dumps(value).encode()) is named


def test_of_torn_data_each_text_counts_however_it_is_encoded() -> None:
    torn = json.dumps(ADA).replace("@", "\\u0040")[:-3].encode()
    assert names_doubtful(ADA["email"], CONTRACT, None, torn)
    assert any(ADA["email"] in text for text in texts_of(json.dumps(ADA).encode("utf-16")))
    assert texts_of(rb'"\ud800"')[1] == '"\ufffd"'
    assert {"mailto:a@b.c", "a@b.c", "x y"} <= words_of('"x y", mailto:a@b.c')


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "copy", "from": "/name", "path": "/grade"},
        {"op": "move", "from": "/unknown", "path": "/grade"},
        {"op": "test", "path": "", "value": {}},
        {"op": "test", "path": "/name", "value": "Bob"},
    ],
)
def test_a_patch_takes_nothing_personal_out(operation: dict[str, object]) -> None:
    with pytest.raises(Refused, match="may be personal"):
        refuse_reaching([operation], CONTRACT)
    refuse_reaching([{"op": "test", "path": "/grade", "value": 1}, {"op": "remove", "path": "/name"}], CONTRACT)
