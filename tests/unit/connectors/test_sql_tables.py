from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from interlock.config import Settings
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.registry import make_connector
from interlock.connectors.sql import InsideSql, OutsideSql
from interlock.connectors.sql.statement import request_hash
from interlock.connectors.sql.tables import OPERATION_KEYS, OPTION_KEYS, PARAMETER_KEYS, READ_KEYS, read_tables
from interlock.errors import ConfigInvalid, Refused

README = files("interlock.connectors.sql").joinpath("README.md").read_text("utf-8")
HOW_TO = (Path(__file__).parents[3] / "docs" / "howto" / "act-on-a-postgresql.md").read_text("utf-8")

INSIDE = """
options = {same_database = true, role = "effects", schema = "shop, public"}
[operations.pay]
statement = "insert into payout values (%(key)s, %(to)s, %(amount)s, %(cents)s, %(all)s, '100 %%')"
[operations.pay.parameters]
key = "{key}"
to = "to {to}"
amount = {value = "{amount.amount}", as = "numeric"}
cents = {value = "{amount}", as = "minor"}
all = {value = "{amount}", as = "json"}
"""
OUTSIDE = """
url = "postgresql://app@localhost/shop"
honours_keys = true
[operations.pay]
statement = "select pay(%(to)s)"
parameters = {to = "{to}"}
"""
PAYLOAD: dict[str, Any] = {"to": "Ana", "amount": {"amount": "12.30", "currency": "MYR"}}


def terms(toml: str) -> ConnectorSettings:
    return ConnectorSettings(name="s", kind="sql", **tomllib.loads(toml))


def test_parameters_are_filled_exactly_and_typed() -> None:
    tables = read_tables(terms(INSIDE))
    assert tables.options.schema == "shop, public"
    assert tables.operations["pay"].values("k", PAYLOAD) == {
        "key": "k",
        "to": "to Ana",
        "amount": Decimal("12.30"),
        "cents": 1230,
        "all": '{"amount":"12.30","currency":"MYR"}',
    }


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        ({"to": "Ana"}, "no amount.amount"),
        ({**PAYLOAD, "to": "a\0"}, "to has a character"),
        ({**PAYLOAD, "to": 1.5}, "to is no text"),
        ({**PAYLOAD, "amount": {"amount": "1e3", "currency": "MYR"}}, "no exact number"),
        ({**PAYLOAD, "amount": {"amount": True, "currency": "MYR"}}, "no exact number"),
        ({**PAYLOAD, "amount": {"amount": "1.001", "currency": "MYR"}}, "decimals"),
        ({**PAYLOAD, "amount": {"amount": "1.00", "currency": 3}}, "no amount"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused(payload: dict[str, Any], what: str) -> None:
    with pytest.raises(Refused, match=what):
        read_tables(terms(INSIDE)).operations["pay"].values("k", payload)


@pytest.mark.parametrize(
    ("toml", "where", "what"),
    [
        (INSIDE.replace("same_database", "same_databse"), "options.same_databse", "did you mean"),
        (INSIDE.replace("= true", '= "yes"'), "options.same_database", "neither true nor false"),
        (INSIDE.replace('role = "effects", ', ""), "options.role", "is missing"),
        (INSIDE.replace('"effects"', '"a b"'), "options.role", "is no name"),
        (INSIDE.replace('"shop, public"', '"shop;"'), "options.schema", "is no name"),
        ('url = "postgresql://app@localhost/shop"\n' + INSIDE, "s.url", "no meaning with same_database"),
        (INSIDE.replace("insert into", "truncate"), "pay.statement", "begins with 'truncate'"),
        (INSIDE.replace("insert", "/* x */ -- y\\n drop"), "pay.statement", "begins with 'drop'"),
        (INSIDE.replace("%%", "%"), "pay.statement", "is no parameter"),
        (INSIDE.replace("%(to)s", "'x'"), "pay.statement", "the parameter to stands nowhere"),
        (INSIDE.replace('to = "to {to}"', ""), "pay.statement", "has no parameter"),
        (INSIDE.replace("%(to)s", "set_config('role', %(to)s, true)"), "pay.statement", "leave its role"),
        (INSIDE.replace('to = "to {to}"', 'to = "{to"'), "parameters.to", "no look-up"),
        (INSIDE.replace('to = "to {to}"', "to = 3"), "parameters.to", "is no template"),
        (INSIDE.replace('as = "minor"', 'as = "mino"'), "parameters.cents", 'did you mean "minor"'),
        (INSIDE.replace('value = "{amount}", as = "minor"', 'value = "x{amount}", as = "minor"'), "cents", "no single"),
        (INSIDE.replace('as = "minor"', 'ass = "minor"'), "parameters.cents", "did you mean"),
        (INSIDE.replace("[operations.pay]", "[operations.pay]\nrows = -1"), "pay.rows", "no number of rows"),
        (INSIDE.replace("[operations.pay]", "[operations.pay]\nrow = 1"), "pay.row", "did you mean"),
        (INSIDE + "[reads.x]\nstatement = 'delete from t'", "reads.x.statement", "begins with 'delete'"),
        (INSIDE + "[reads.x]\nstatement = 'select 1'\nrows = 1", "reads.x.rows", "no such setting"),
        (OUTSIDE.replace("postgresql", "mysql"), "s.url", "no URL of a PostgreSQL"),
        (OUTSIDE.replace("localhost", "db.example.com"), "s.url", "does not say whether"),
        (OUTSIDE.replace("honours_keys = true", ""), "connectors.s", "honours_keys is missing"),
        ('url = "postgresql://localhost/x"', "connectors.s", "there are no operations"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(toml: str, where: str, what: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        read_tables(terms(toml))
    assert where in str(refused.value)
    assert what in str(refused.value)


def test_a_request_is_told_apart_by_operation_and_payload_and_not_by_order() -> None:
    assert request_hash("pay", {"a": 1, "b": 2}) == request_hash("pay", {"b": 2, "a": 1})
    assert request_hash("pay", {"a": 1}) != request_hash("pay", {"a": "1"}) != request_hash("take", {"a": 1})


@pytest.mark.parametrize("number", range(4))
async def test_the_examples_load_as_they_stand(tmp_path: Path, number: int) -> None:
    """Those of the reference whole; those of the how-to with the operation that its first one shows."""
    shown = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    steps = [
        re.sub(r"^   ", "", text, flags=re.MULTILINE) for text in re.findall(r"```toml\n(.*?)```", HOW_TO, re.DOTALL)
    ]
    inside, outside, reads = steps
    operation = inside[inside.index("[connectors.payments.operations") :]
    example = [*shown, inside + reads, outside + operation + reads][number]
    (tmp_path / "interlock.toml").write_text(example)
    (connector,) = Settings.load({}, {"SHOP_PASSWORD": "x"}, tmp_path).connectors.values()
    made = make_connector(connector.name, connector)
    assert isinstance(made, OutsideSql if connector.url else InsideSql)
    await made.close()


@pytest.mark.parametrize("key", sorted({*OPERATION_KEYS, *READ_KEYS, *PARAMETER_KEYS}))
def test_each_setting_is_documented(key: str) -> None:
    assert re.search(rf"^\| `{key}` \|.*\|.*\|$", README, re.MULTILINE)


@pytest.mark.parametrize("key", OPTION_KEYS)
def test_each_option_is_documented(key: str) -> None:
    assert f"| `options.{key}` |" in README
