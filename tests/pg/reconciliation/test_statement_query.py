"""Expected entries by a query: exact, read only, and refused where they are not what was declared."""

from __future__ import annotations

import psycopg
import pytest

from interlock.errors import DatabaseUnavailable, StatementUnreadable
from interlock.packs.reconciliation.statements import Dialect, read_query

DIALECT = Dialect(columns={"booked_on": "due", "amount": "amount", "memo": "memo"}, account="A", currency="EUR")


def test_a_query_gives_entries_and_changes_nothing(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE invoice (due timestamptz, amount numeric, ratio float8, memo text, body json)")
        connection.execute(
            "INSERT INTO invoice VALUES ('2026-01-02 23:30+00', 12345678901234.56, 0.1, E'a, \"b\"\\nc', '{}'),"
            " ('2026-01-03', -0.050, 1.005, NULL, '{}'), ('2026-01-04', 1.005, 7, 'x', '{}'),"
            " ('2026-01-05', 'NaN', 7, 'x', '{}'),"
            " (NULL, 1, 7, 'x', '{}')"
        )
    query = "SELECT * FROM invoice ORDER BY due -- a word about it"
    (statement,) = read_query(database_url, query, DIALECT)
    assert statement.format == "sql"
    assert statement.entries.select("minor", "memo").rows() == [(1234567890123456, 'a, "b" c'), (-5, "")]
    assert str(statement.entries["booked_on"][0]) == "2026-01-02"
    assert [(one.line, one.rule) for one in statement.broken] == [(3, "amount"), (4, "amount"), (5, "date")]
    floats = Dialect(columns={"booked_on": "due", "amount": "ratio"}, account="A", currency="EUR")
    refusals = {
        "SELECT 1) TO PROGRAM 'touch /tmp/x' --": "the query cannot run",
        "SELECT 1; DROP TABLE invoice": "the query cannot run",
        "DELETE FROM invoice RETURNING due, amount, memo": "read-only transaction",
        "SELECT due, memo FROM invoice": "no column is called 'amount'",
        "SELECT due, due FROM invoice": "the same name",
        "SELECT due, amount, body AS memo FROM invoice": "is json, which is no memo",
        "VACUUM": "gives no columns",
        "SELECT '\0'": "no text",
        "SELECT '\ud800'": "no text",
        "": "the query",
    }
    for refused, words in refusals.items():
        with pytest.raises(StatementUnreadable, match=words):
            read_query(database_url, refused, DIALECT)
    with pytest.raises(StatementUnreadable, match="is float8, which is no amount"):
        read_query(database_url, query, floats)
    with pytest.raises(StatementUnreadable, match="did not end"):
        read_query(database_url, "SELECT pg_sleep(9)::text AS due, 1 AS amount, '' AS memo", DIALECT, timeout_s=0.1)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM invoice").fetchone() == (5,)


def test_a_database_that_is_not_there() -> None:
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        read_query("postgresql://nobody@127.0.0.1:1/none", "SELECT 1", DIALECT)
    with pytest.raises(StatementUnreadable, match="address is none") as refused:
        read_query("postgresql://u:secret@h/d?nonsense=1", "SELECT 1", DIALECT)
    assert "secret" not in str(refused.value)
