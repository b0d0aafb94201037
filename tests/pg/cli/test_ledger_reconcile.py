"""`interlock ledger reconcile` names what is in a table and not in the ledger, and the doctor fails by it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from interlock.clock import Clock

from .conftest import Permitted, Run

Admin = psycopg.Connection[tuple[Any, ...]]


def test_a_gap_is_named_fails_the_doctor_and_is_accepted_by_a_person(
    run: Run, admin: Admin, permitted: Permitted
) -> None:
    before = run("ledger", "reconcile", "--json").document
    assert (before["gaps"], before["accepted"]) == ([], 0)
    made = Clock().new_id()
    admin.execute(
        "insert into cases (id, tenant, workflow, version, code, key, input, state, created_at, changed_at) "
        "values (%s, %s, 'w', '1', %s, 'k', '', 'ready', now(), now())",
        (made, UUID(int=9), made),
    )
    found = run("ledger", "reconcile", "--json", code=9).document
    (gap,) = found["gaps"]
    assert (gap["relation"], gap["subject"], gap["kind"], gap["gap"]) == ("cases", str(made), "case.received", "entry")
    assert {one["relation"]: (one["rows"], one["entries"]) for one in found["counts"]}["cases"] == (1, 0)
    checks = {check["name"]: check for check in run("doctor", "--json", code=1).document["checks"]}
    assert checks["reconciliation"]["level"] == "fail"
    assert run("ledger", "status", "--json").document["gaps"] == 1
    accepted = run("ledger", "reconcile", "--accept", gap["id"], "--why", "a restore", "--as", "ann", "--json").document
    assert (accepted["gap"], accepted["who"]) == (gap["id"], "ann")
    assert permitted("ledger.%") == {"ledger.gap_accepted"}
    assert run("ledger", "reconcile", "--json").document["accepted"] == 1
    refused = run("ledger", "reconcile", "--why", "no gap", code=None)
    assert refused.code not in (0, 9)
