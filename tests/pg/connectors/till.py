"""A shop's own tables in Interlock's database, its role, and the connector that pays into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from interlock.cases.case import Case
from interlock.connector_settings import ConnectorSettings
from interlock.money import Money

Admin = psycopg.Connection[tuple[Any, ...]]

SHOP = """
create schema shop;
create table shop.payout (
  id bigint generated always as identity, reference text not null,
  payee text not null constraint payee_is_known check (payee <> 'nobody'),
  amount numeric(12, 2) not null
);
create table shop.pause (seconds float8 not null);
insert into shop.pause values (0);
create function shop.wait() returns text language sql volatile as
  $$ select pg_sleep(seconds)::text from shop.pause $$;
"""
PAY = (
    "insert into payout (reference, payee, amount) values (%(key)s, %(to)s, %(amount)s) "
    "returning id, amount, wait() as waited"
)


@dataclass(frozen=True, slots=True)
class Till:
    """The shop.

    Attributes:
        admin: An administrator's connection.
        role: The role that effects run as.
    """

    admin: Admin
    role: str

    @classmethod
    def open(cls, admin: Admin, *, unique: bool = False) -> Till:
        """Make tables and role in a test's database. Roles are the cluster's: this one bears the database's name."""
        role = f"shop_{admin.info.dbname}".replace("-", "_")[:60]
        name = sql.Identifier(role)
        admin.execute(sql.SQL("create role {}").format(name))
        admin.execute(SHOP.encode())
        if unique:
            admin.execute("alter table shop.payout add constraint payout_is_once unique (reference)")
        admin.execute(sql.SQL("grant usage on schema shop to {}").format(name))
        admin.execute(sql.SQL("grant select, insert, update on all tables in schema shop to {}").format(name))
        return cls(admin, role)

    def close(self) -> None:
        """Drop the role."""
        name = sql.Identifier(self.role)
        self.admin.execute(sql.SQL("drop owned by {}").format(name))
        self.admin.execute(sql.SQL("drop role {}").format(name))

    def pause(self, seconds: float) -> None:
        """How long each payment takes from now on, after its row is written."""
        self.admin.execute("update shop.pause set seconds = %s", (seconds,))

    def payouts(self, key: str = "") -> int:
        """How many effects there are, under a case's key or at all."""
        rows = self.admin.execute("select count(*) from shop.payout where reference like %s", (f"%{key}",)).fetchall()
        return int(rows[0][0])


def till_settings(role: str, statement: str = PAY, **operation: Any) -> ConnectorSettings:
    """The connector's settings."""
    parameters: dict[str, Any] = {
        "key": "{key}",
        "to": "{to}",
        "amount": {"value": "{amount.amount}", "as": "numeric"},
    }
    pay = {
        "statement": statement,
        "parameters": {name: value for name, value in parameters.items() if f"%({name})s" in statement},
        **operation,
    }
    return ConnectorSettings(
        name="payments",
        kind="sql",
        simulated=True,
        options={"same_database": True, "role": role, "schema": "shop"},
        operations={"pay": pay},
        reads={
            "paid": {
                "statement": "select sum(amount) from payout where payee = %(to)s",
                "parameters": {"to": "{to}"},
            }
        },
    )


async def pay(case: Case) -> str:
    """Pay what is asked for."""
    await case.act("pay", {"to": case.input["customer"], "amount": Money(case.input["amount"], "EUR")}, key=case.key)
    return "paid"
