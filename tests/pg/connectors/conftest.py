"""What tests of connectors to databases share: another database with an inbox, and a connector to it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import conninfo, sql

from interlock.actions.connector import Request
from interlock.connector_settings import ConnectorSettings
from interlock.connectors.registry import utc_now
from interlock.connectors.sql import OutsideSql, make

INBOX = files("interlock.connectors.sql").joinpath("inbox.sql").read_text("utf-8")
SHOP = """
create table payout (
  id bigint generated always as identity primary key, reference text not null, payee text not null,
  amount numeric(12, 2) not null constraint payout_is_positive check (amount > 0), minor bigint, note jsonb,
  at timestamptz not null default clock_timestamp(),
  constraint payout_payee_is_known check (payee <> 'nobody')
);
create table account (name text primary key, balance numeric(12, 2) not null, facts jsonb);
insert into account values ('ana', 99.50, '{"rate": 0.10}'), ('ben', 5, null);
"""
OPERATIONS: dict[str, Any] = {
    "pay": {
        "statement": "insert into payout (reference, payee, amount, minor) "
        "values (%(key)s, %(to)s, %(amount)s, %(minor)s) returning id, amount, at",
        "parameters": {
            "key": "{key}",
            "to": "{to}",
            "amount": {"value": "{amount.amount}", "as": "numeric"},
            "minor": {"value": "{amount}", "as": "minor"},
        },
    },
    "slow": {
        "statement": "insert into payout (reference, payee, amount) values (%(key)s, %(to)s, 1) "
        "returning id, pg_sleep(1)::text as slept",
        "parameters": {"key": "{key}", "to": "{to}"},
    },
    "drain": {
        "statement": "update account set balance = balance - %(amount)s where balance >= %(amount)s",
        "parameters": {"amount": {"value": "{amount.amount}", "as": "numeric"}},
    },
    "sleep": {"statement": "select pg_sleep(%(seconds)s)::text as slept", "parameters": {"seconds": "{seconds}"}},
    "twice": {"statement": "insert into payout (reference, payee, amount) values ('a', 'b', 1); select 1"},
}
READS: dict[str, Any] = {
    "balance": {"statement": "select balance from account where name = %(name)s", "parameters": {"name": "{name}"}},
    "facts": {"statement": "select facts from account where name = %(name)s", "parameters": {"name": "{name}"}},
    "names": {"statement": "select name from account"},
    "write": {
        "statement": "with gone as (delete from account returning name) select count(*) from gone",
    },
}


@dataclass(frozen=True, slots=True)
class Outside:
    """Another database.

    Attributes:
        url: As the connector's settings name it.
        admin: An administrator's connection to it, in autocommit.
    """

    url: str
    admin: psycopg.Connection[tuple[Any, ...]]

    def payouts(self, key: str) -> int:
        """How many effects there are under a key."""
        rows = self.admin.execute("select count(*) from payout where reference = %s", (key,)).fetchall()
        return int(rows[0][0])


def url_of(place: str) -> str:
    """A connection string as a URL."""
    parts = conninfo.conninfo_to_dict(place)
    query = "&".join(f"{name}={quote(str(parts[name]), safe='')}" for name in ("host", "port") if name in parts)
    return f"postgresql://{quote(str(parts.get('user', '')))}@/{parts['dbname']}?{query}"


@pytest.fixture
def outside(server_url: str) -> Iterator[Outside]:
    """A database with an inbox and a table of payouts."""
    name = f"outside_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    place = conninfo.make_conninfo(server_url, dbname=name)
    with psycopg.connect(place, autocommit=True) as admin:
        admin.execute(INBOX.encode())
        admin.execute(SHOP.encode())
        yield Outside(url_of(place), admin)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def terms(url: str, **changed: Any) -> ConnectorSettings:
    """Settings of a connector to such a database."""
    known: dict[str, Any] = {
        "url": url,
        "honours_keys": True,
        "key_retention": timedelta(days=90),
        "operations": OPERATIONS,
        "reads": READS,
        **changed,
    }
    return ConnectorSettings(name="shop", kind="sql", **known)


Connect = Callable[..., OutsideSql]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes connectors to a URL; they are closed after the test."""
    made: list[OutsideSql] = []

    def connect(url: str, *, now: Callable[[], datetime] = utc_now, **changed: Any) -> OutsideSql:
        connector = make("shop", terms(url, **changed), now)
        assert isinstance(connector, OutsideSql)
        made.append(connector)
        return connector

    yield connect
    for connector in made:
        await connector.close()


def ask(key: str, *, operation: str = "pay", seconds: float = 5, amount: str = "12.30", **payload: Any) -> Request:
    """A request for a payout."""
    known = {"to": "ana", "amount": {"amount": amount, "currency": "MYR"}, **payload}
    return Request(operation=operation, key=key, payload=known, deadline=datetime.now(UTC) + timedelta(seconds=seconds))
