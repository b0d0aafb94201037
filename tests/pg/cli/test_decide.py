"""`interlock decide`: every kind of table, what is refused, taken up again, and in the way of another."""

from __future__ import annotations

import csv
import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from .conftest import DESK, Run, as_url

CLAIMS = [
    {"who": "ana", "total": "12.30"},
    {"who": "ben", "total": "250.00"},
    {"who": "", "total": "7.00"},
    {"who": "dan", "total": "1.234"},
]


def as_table(folder: Path, form: str, claims: list[dict[str, Any]] | None = None) -> Path:
    """The claims as a file."""
    rows, path = claims or CLAIMS, folder / f"claims.{form}"
    if form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    elif form == "csv":
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pl.DataFrame(rows).write_parquet(path)
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """A file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_row_is_decided_or_stands_beside_its_reasons(run: Run, tmp_path: Path, form: str) -> None:
    ran = run("decide", "desk.approve", "--in", str(as_table(tmp_path, form)), "--out", "out.jsonl", "--json", code=3)
    decided, refused = lines(tmp_path / "out.jsonl"), lines(tmp_path / "out.rejects.jsonl")
    assert [(row["row"], row["route"], row["settled"]) for row in decided] == [
        (1, "automatic", True),
        (2, "review", False),
    ]
    assert decided[0]["output"]["approved"] is True
    assert decided[1]["output"] is None
    assert decided[1]["follow"] == f"/v1/decisions/{decided[1]['decision']}"
    assert [row["row"] for row in refused] == [3, 4]
    assert refused[1]["violations"][0]["rule"] == "decimals"
    assert refused[1]["record"] == {"who": "dan", "total": "1.234"}
    assert all(row["quarantine"] for row in refused)
    report = ran.document
    assert (report["rows"], report["decided"], report["rejected"], report["reviews_opened"]) == (4, 2, 2, 1)
    assert report["money"] == {"MYR": {"automatic": "12.30", "review": "250.00"}}
    assert report["routes"] == {"automatic": 1, "review": 1}
    held = run("quarantine", "list", "--json").document["quarantined"]
    assert len(held) == 2
    again = run("decide", "desk.approve", "--in", f"claims.{form}", "--out", "out.jsonl", "--json", code=3).document
    assert {**again, "seconds": 0} == {**report, "seconds": 0}
    assert not (tmp_path / "out.jsonl.run" / "out").exists()


def decide(run: Run, table: str, *more: str, code: int = 0, out: str = "out.jsonl") -> Any:
    """Decide a table; the report."""
    ran = run("decide", "desk.approve", "--in", table, "--out", out, *more, "--json", code=code)
    return ran.document if code in (0, 3) else ran.err


BROKEN = {
    "csv": b'who,total\nana,1.00\n"ben,2.00\ncleo"x,3.00\ndan\nd\xff,4.00\n\neva,5.00,6\nfay,7.00\n',
    "jsonl": b'{"who":"ana","total":"1.00"}\n{"who":\n[1]\n"x"\n{"who":"a","who":"b","total":"1.00"}\n'
    b'{"who":"\\u0000","total":"1.00"}\n\xff\n\n{"who":"fay","total":NaN}\n{"who":"fay","total":"7.00"}\n',
}


@pytest.mark.parametrize("form", BROKEN)
def test_one_broken_row_is_one_refused_row(run: Run, tmp_path: Path, form: str) -> None:
    (tmp_path / f"t.{form}").write_bytes(BROKEN[form])
    report = decide(run, f"t.{form}", code=3)
    decided, refused = lines(tmp_path / "out.jsonl"), lines(tmp_path / "out.rejects.jsonl")
    assert len(decided) == (3 if form == "csv" else 2)
    assert report["rejected"] == len(refused) == (4 if form == "csv" else 7)
    assert sorted(row["row"] for row in (*decided, *refused)) == list(range(1, report["rows"] + 1))
    assert all(row["quarantine"] and row["violations"][0]["what"] for row in refused)
    assert len(run("quarantine", "list", "--json").document["quarantined"]) == len(refused)


STRAY = {
    "at its beginning": '"p3,1.00\n',
    "before the last cell": 'p3,"1.00\n',
    "alone": '"\n',
    "of two, the second within a cell": '"p3 "x,1.00\n',
}


@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
@pytest.mark.parametrize("later", ["p20,1.00\n", '"p20, of\ntwo lines",1.00\n'])
def test_a_quote_that_does_not_close_takes_no_rows_along(run: Run, tmp_path: Path, stray: str, later: str) -> None:
    rows = [f"p{number},1.00\n" for number in range(60)]
    rows[3] = stray
    rows[20] = later
    (tmp_path / "t.csv").write_text("who,total\n" + "".join(rows))
    report = decide(run, "t.csv", code=3)
    assert (report["rows"], report["rejected"]) == (60, 1)
    decided, (refused,) = lines(tmp_path / "out.jsonl"), lines(tmp_path / "out.rejects.jsonl")
    assert [row["row"] for row in decided] == [number for number in range(1, 61) if number != 4]
    assert (refused["row"], refused["record"]) == (4, stray.rstrip("\n"))


def test_values_of_a_parquet_are_not_coerced(run: Run, tmp_path: Path) -> None:
    totals = [Decimal("12.30"), Decimal("0.00"), None]
    pl.DataFrame({"who": ["a", "b", "c"], "total": totals}).write_parquet(tmp_path / "d.parquet")
    decide(run, "d.parquet", "--key", "who", "--leave-out", "who", code=2)
    assert decide(run, "d.parquet", code=3)["money"] == {"MYR": {"automatic": "12.30"}}
    pl.DataFrame({"who": ["a", "b"], "total": [12.30, float("nan")]}).write_parquet(tmp_path / "f.parquet")
    assert decide(run, "f.parquet", code=3, out="f.jsonl")["decided"] == 0
    assert [row["record"]["total"] for row in lines(tmp_path / "f.rejects.jsonl")] == [12.3, "NaN"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_table_without_rows_is_decided(run: Run, tmp_path: Path, form: str, out: str) -> None:
    path = tmp_path / f"empty.{form}"
    if form == "parquet":
        pl.DataFrame({"who": [], "total": []}, schema={"who": pl.String(), "total": pl.String()}).write_parquet(path)
    else:
        path.write_text("who,total\n" if form == "csv" else "")
    assert decide(run, path.name, out=out)["rows"] == 0
    assert (tmp_path / out).exists()
    if out == "out.parquet":
        assert pl.read_parquet(tmp_path / out).height == 0


def test_a_file_of_no_bytes_has_no_header(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_bytes(b"")
    assert "the file is empty" in decide(run, "none.csv", code=2)
    (tmp_path / "none.parquet").write_bytes(b"PAR1")
    assert "no Parquet" in decide(run, "none.parquet", code=2)


@pytest.mark.parametrize(
    ("header", "more", "said"),
    [
        ("who,totl", (), "did you mean"),
        ("who", (), "requires it"),
        ("who,total,total", (), "stands twice"),
        ("who,total,note", (), "--leave-out note"),
        ("who,total", ("--key", "id"), "--key names it"),
        ("who,total", ("--exposure", "at_stake EUR"), "leave the option out"),
        ("who,total", ("--leave-out", "note"), "--leave-out names it"),
    ],
)
def test_columns_that_do_not_fit_stop_it_before_it_begins(
    run: Run, tmp_path: Path, header: str, more: tuple[str, ...], said: str
) -> None:
    (tmp_path / "t.csv").write_text(f"{header}\nana,1.00\n")
    assert said in decide(run, "t.csv", *more, code=2)
    assert not (tmp_path / "out.jsonl.run").exists()


def test_keys_of_a_column_are_the_callers_own(run: Run, tmp_path: Path) -> None:
    rows = ["k1,ana,1.00", "k1,ana,1.00", "k1,ana,2.00", ",ben,1.00", f"{'x' * 201},cleo,1.00", "k2,dan,3.00"]
    (tmp_path / "t.csv").write_text("id,who,total\n" + "\n".join(rows) + "\n")
    report = decide(run, "t.csv", "--key", "id", code=3)
    decided, refused = lines(tmp_path / "out.jsonl"), lines(tmp_path / "out.rejects.jsonl")
    assert [(row["row"], row["key"], row["known"]) for row in decided] == [
        (1, "k1", False),
        (2, "k1", True),
        (6, "k2", False),
    ]
    assert decided[0]["decision"] == decided[1]["decision"]
    assert [(row["row"], row["code"], row["holder"]) for row in refused] == [
        (3, "key-reused", decided[0]["decision"]),
        (4, "refused", None),
        (5, "refused", None),
    ]
    assert report["rejects_by_rule"] == {"key-reused": 1, "refused": 2}
    again = decide(run, "t.csv", "--key", "id", out="again.jsonl", code=3)
    assert again["known_before"] == 3
    assert again["reviews_opened"] == 0


def test_the_same_file_is_decided_once_unless_a_run_is_named(run: Run, tmp_path: Path, database_url: str) -> None:
    as_table(tmp_path, "csv", CLAIMS[:2])
    assert decide(run, "claims.csv")["known_before"] == 0
    assert decide(run, "claims.csv", out="two.jsonl")["known_before"] == 2
    assert decide(run, "claims.csv", "--run", "december", out="three.jsonl")["known_before"] == 0
    with psycopg.connect(database_url) as admin:
        assert admin.execute("select count(*) from interlock.decision").fetchone() == (4,)


def test_what_is_at_stake_may_stand_in_a_column(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,total,risk\nana,1.00,5.00\nben,1.00,x\ncleo,1.00,-1\n")
    assert "leave the option out" in decide(run, "t.csv", "--exposure", "risk MYR", code=2)
    asked = ("decide", "desk.weigh", "--in", "t.csv", "--out", "out.jsonl", "--exposure", "risk MYR", "--json")
    report = run(*asked, code=3).document
    assert report["money"] == {"MYR": {"automatic": "5.00"}}
    assert {row["code"] for row in lines(tmp_path / "out.rejects.jsonl")} == {"money-invalid"}
    (tmp_path / "u.csv").write_text("who,total,risk\nana,1.00,6.00 MYR\nben,1.00,\n")
    asked = ("decide", "desk.weigh", "--in", "u.csv", "--out", "u.jsonl", "--exposure", "risk", "--json")
    assert run(*asked).document["money"] == {"MYR": {"automatic": "6.00"}}


def test_rows_of_a_query(run: Run, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_URL", as_url(database_url))
    query = (
        "sql:select 'k' || n as id, 'who ' || n as who, (n % 50 + 0.5)::numeric(10,2) as total, now() as seen"
        " from generate_series(1, 2500) n"
    )
    more = ("--key", "id", "--database-url-from", "TABLE_URL")
    assert "is not set" in decide(run, query, "--key", "id", "--database-url-from", "NOTHING", code=2)
    assert "no database is named" in decide(run, query, "--key", "id", code=2)
    assert "column of keys" in decide(run, query, "--database-url-from", "TABLE_URL", code=2)
    assert "--leave-out seen" in decide(run, query, *more, code=2)
    report = decide(run, query, *more, "--leave-out", "seen", out="out.parquet")
    assert (report["rows"], report["decided"]) == (2500, 2500)
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found["row"].to_list() == list(range(1, 2501))
    assert found["key"].to_list()[:2] == ["k1", "k2"]
    assert str(found.schema["decided_at"]) == "Datetime(time_unit='us', time_zone='UTC')"
    bad = "sql:delete from interlock.decision returning key as id, 'x' as who, '1.00' as total"
    assert "cannot run" in decide(run, bad, *more, out="bad.jsonl", code=2)
    with psycopg.connect(database_url) as admin:
        assert admin.execute("select count(*) from interlock.decision").fetchone() == (2500,)


def test_what_is_in_the_way_is_left_alone(run: Run, tmp_path: Path) -> None:
    as_table(tmp_path, "csv", CLAIMS[:2])
    (tmp_path / "out.jsonl").write_text("somebody's\n")
    assert "is there already" in decide(run, "claims.csv", code=5)
    assert (tmp_path / "out.jsonl").read_text() == "somebody's\n"
    assert "does not say how rows are written" in decide(run, "claims.csv", out="out.xlsx", code=2)
    assert "what kind of table" in decide(run, "claims.xlsx", out="a.csv", code=2)
    assert "cannot be read" in decide(run, "gone.csv", out="a.csv", code=4)
    assert "one file" in decide(run, "claims.csv", out="claims.csv", code=2)
    assert "no such folder" in decide(run, "claims.csv", out="nowhere/a.csv", code=2)
    assert "no name of a run" in decide(run, "claims.csv", "--run", "a b", out="a.csv", code=2)
    assert "no decision point" in run("decide", "desk.aprove", "--in", "claims.csv", "--out", "a.csv", code=4).err


def test_another_order_is_another_run(run: Run, tmp_path: Path) -> None:
    as_table(tmp_path, "csv", CLAIMS[:2])
    decide(run, "claims.csv")
    assert "another key" in decide(run, "claims.csv", "--key", "who", code=5)
    (tmp_path / "out.jsonl").unlink()
    assert "its file is gone" in decide(run, "claims.csv", code=5)
    (tmp_path / "out.jsonl.run" / "record.json").write_text("{")
    assert "is damaged" in decide(run, "claims.csv", code=2)


def test_the_report_is_for_people_and_for_programs(run: Run, tmp_path: Path) -> None:
    as_table(tmp_path, "csv")
    ran = run(
        "decide", "desk.approve", "--in", "claims.csv", "--out", "o.csv", "--rejects", "no.csv",
        "--report", "r.json", code=3,
    )  # fmt: skip
    assert "4 rows: 2 decided" in ran.out
    assert "250.00 MYR" in ran.out
    assert json.loads((tmp_path / "r.json").read_text())["rejected"] == 2
    with (tmp_path / "no.csv").open(newline="") as stream:
        refused = list(csv.DictReader(stream))
    assert json.loads(refused[1]["violations"])[0]["rule"] == "decimals"
    assert json.loads(refused[1]["record"]) == {"who": "dan", "total": "1.234"}
    with (tmp_path / "o.csv").open(newline="") as stream:
        assert [row["settled"] for row in csv.DictReader(stream)] == ["true", "false"]


def test_a_table_that_breaks_its_contract_as_a_whole_is_told_by_the_exit_code(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = tmp_path / "desk"
    shutil.copytree(DESK, desk, ignore=shutil.ignore_patterns("__pycache__"))
    (desk / "desk_workflow.py").rename(desk / "whole_desk_workflow.py")
    contract = desk / "contracts" / "claim@1.odcs.yaml"
    count = "quality: [{name: enough, metric: rowCount, mustBeGreaterOrEqualTo: 3}]\n    properties:"
    contract.write_text(contract.read_text().replace("properties:\n      - name: who", f"{count}\n      - name: who"))
    monkeypatch.syspath_prepend(str(desk))  # pyright: ignore[reportUnknownMemberType]
    monkeypatch.setenv("INTERLOCK_WORKFLOWS", "whole_desk_workflow:desk")
    as_table(tmp_path, "csv")
    for _ in range(2):
        ran = run("decide", "desk.approve", "--in", "claims.csv", "--out", "out.jsonl", "--json", code=8)
        assert [one["what"] for one in ran.document["broken"]] == ["rowCount is 2 of 2 records, not at least 3"]
        assert (ran.document["decided"], ran.document["rejected"]) == (2, 2)
    assert (
        "breaks its contract" in run("decide", "desk.approve", "--in", "claims.csv", "--out", "out.jsonl", code=8).out
    )


@pytest.mark.parametrize(
    "places",
    [
        ("--out", "claims.csv"),
        ("--out", "o.csv", "--rejects", "o.csv"),
        ("--out", "o.jsonl", "--report", "claims.csv"),
        ("--out", "o.jsonl", "--report", "../desk-files/o.jsonl"),
        ("--out", "o.jsonl", "--report", "o.rejects.jsonl"),
        ("--out", "o.jsonl", "--report", "alias"),
        ("--out", "o.jsonl", "--report", "none/such.json"),
        ("--out", "o.jsonl", "--report", "."),
    ],
)
def test_no_file_is_written_over_another(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: tuple[str, ...]
) -> None:
    folder = tmp_path / "desk-files"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = as_table(folder, "csv").read_bytes()
    (folder / "alias").symlink_to("o.jsonl")
    ran = run("decide", "desk.approve", "--in", "claims.csv", *places, code=2)
    assert places[-2] in ran.err or "none" in ran.err
    assert (folder / "claims.csv").read_bytes() == before
    assert {path.name for path in folder.iterdir()} == {"claims.csv", "alias"}  # and nothing was begun


def test_a_report_that_cannot_be_written_ends_nothing_else(run: Run, tmp_path: Path) -> None:
    as_table(tmp_path, "csv", CLAIMS[:1])
    (tmp_path / "report.json").symlink_to("no/such/folder")
    asked = ("decide", "desk.approve", "--in", "claims.csv", "--out", "o.jsonl", "--report", "report.json", "--json")
    ran = run(*asked, code=2)
    assert "the report cannot be written" in ran.err
    assert "report.json" in ran.err
    assert len(lines(tmp_path / "o.jsonl")) == 1
    (tmp_path / "report.json").unlink()
    report = run(*asked).document
    assert json.loads((tmp_path / "report.json").read_text()) == report
