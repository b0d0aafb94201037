"""What is in force follows from what was handed in, never from when, how often or in which pieces."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from interlock.db.database import Database
from interlock.errors import NotFound, Refused, StateConflict, StatementUnreadable
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.in_force import accept_statement, recall_statement
from interlock.packs.reconciliation.intake import MOST_BROKEN, Intake, Source
from interlock.packs.reconciliation.snapshot import take_query
from interlock.packs.reconciliation.statements import Dialect
from interlock.packs.reconciliation.store import IN_FORCE_SCHEMA, horizons

from .handed import ACCOUNT, BANK, FIRST, Line, amounts, hand_in, in_force, statement_of, statements

Admin = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def intake(database: Database, tenant: UUID) -> Intake:
    return Intake(database, tenant, "bank", "tests")


def kinds(admin: Admin) -> list[str]:
    return [row[0] for row in admin.execute("select kind from ledger_entry where kind like 'statement.%' order by id")]


async def test_a_file_is_taken_once_and_its_entries_are_read_as_columns(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    data = b'day,amount,memo\n2026-03-02,12.30,"Kaffee, ""gut"" \xc3\xbc"\n2026-03-02,-0.05,\n2026-03-03,12.30,x\n'
    taken = await intake.take(BANK, "march.csv", data)
    assert not taken.known
    assert [(one.entries, one.state, one.account) for one in taken.statements] == [(3, "in_force", ACCOUNT)]
    again = await intake.take(BANK, "another name.csv", data)
    assert again.known
    assert again.file == taken.file
    found = await in_force(database, tenant)
    assert dict(found.schema) == IN_FORCE_SCHEMA
    assert found["identity"].is_sorted()
    assert sorted(zip(found["minor"], found["memo"], strict=True)) == [(-5, ""), (1230, 'Kaffee, "gut" ü'), (1230, "x")]
    assert found["reverses"].to_list() == [False] * 3
    assert (await in_force(database, tenant, Side.EXPECTED)).is_empty()
    assert kinds(admin) == ["statement.taken"]
    ((body,),) = admin.execute("select body from ledger_entry where kind = 'statement.taken'").fetchall()
    told = json.loads(body)
    assert (told["credit"], told["debit"], told["entries"], told["who"]) == ("24.60 EUR", "0.05 EUR", 3, "tests")


async def test_equal_entries_of_one_statement_are_two_and_of_two_statements_one(
    intake: Intake, database: Database, tenant: UUID
) -> None:
    coffee = Line(-250, "coffee")
    await hand_in(intake, statement_of(coffee, coffee, Line(900)))
    await hand_in(intake, statement_of(coffee, Line(901)))
    await hand_in(intake, statement_of(coffee, coffee))
    assert await amounts(database, tenant) == [-250, -250, 900, 901]
    # the bank's own reference tells entries apart with amount and day of booking, whatever else is told of them
    await hand_in(intake, statement_of(Line(7, "a", 0, "R1"), Line(7, "b", 1, "R1"), Line(8, "b", 1, "R1")))
    await hand_in(intake, statement_of(Line(7, "c", 1, "R1")))
    assert await amounts(database, tenant) == [-250, -250, 7, 7, 8, 900, 901]


async def test_sides_accounts_currencies_and_reconciliations_never_mix(
    intake: Intake, database: Database, tenant: UUID
) -> None:
    for given in (statement_of(Line(5)), statement_of(Line(5), account="2"), statement_of(Line(5), currency="JPY")):
        await hand_in(intake, given)
        await hand_in(intake, given, source=Source(name="hand", side=Side.EXPECTED))
    await hand_in(Intake(database, tenant, "cards", "tests"), statement_of(Line(5)))
    other = await database.ensure_tenant("other")
    await hand_in(Intake(database, other, "bank", "tests"), statement_of(Line(5)))
    assert await amounts(database, tenant) == [5, 5, 5]
    assert await amounts(database, other) == [5]
    both = [
        *(await in_force(database, tenant))["identity"],
        *(await in_force(database, tenant, Side.EXPECTED))["identity"],
    ]
    assert len(set(both)) == 6
    assert set((await in_force(database, other))["identity"]) < set(both)  # identities are the content's, ids are not
    assert not set((await in_force(database, other))["id"]) & set((await in_force(database, tenant))["id"])


async def test_a_corrected_statement_counts_in_whatever_order_they_come(database: Database) -> None:
    first = statement_of(Line(100), Line(200), number="3", made=0, days=(0, 1))
    second = statement_of(Line(100), Line(250), number="3", made=1, days=(0, 1))
    third = statement_of(Line(100), Line(260), number="3", made=2, days=(0, 1))
    for place, order in enumerate(itertools.permutations([first, second, third])):
        other = await database.ensure_tenant(f"t{place}")
        for given in order:
            await hand_in(Intake(database, other, "bank", "tests"), given)
        assert await amounts(database, other) == [100, 260]
        rows = await statements(database, other)
        assert sorted((one.state, str(one.made_at)[11:13]) for one in rows) == [
            ("corrected", "06"), ("corrected", "07"), ("in_force", "08"),
        ]  # fmt: skip
        latest = next(one for one in rows if one.state == "in_force")
        await recall_statement(database, other, latest.id, who="me", why="the bank withdrew it")
        assert await amounts(database, other) == [100, 250]


async def test_the_same_number_of_other_days_is_another_statement(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    await hand_in(intake, statement_of(Line(1), number="1", made=0, days=(0, 5)))
    await hand_in(intake, statement_of(Line(2), number="1", made=1, days=(6, 9)))
    await hand_in(intake, statement_of(Line(3), number="1", made=2, days=(5, 5)))  # corrects the first only
    assert await amounts(database, tenant) == [2, 3]
    assert kinds(admin).count("statement.corrected") == 1


async def test_two_statements_of_one_number_that_nothing_orders_are_refused_until_a_person_says_so(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    await hand_in(intake, statement_of(Line(1), number="9"))
    with pytest.raises(StateConflict, match="nothing tells which of the two is right") as raised:
        await hand_in(intake, statement_of(Line(2), number="9"))
    assert "--corrects" in raised.value.todo
    with pytest.raises(StateConflict):
        await hand_in(intake, statement_of(Line(2), number="9", made=1))
    assert await amounts(database, tenant) == [1]
    await hand_in(intake, statement_of(Line(2), number="9"), corrects=True)
    assert await amounts(database, tenant) == [2]
    await hand_in(intake, statement_of(Line(3), number="9"), corrects=True)
    assert await amounts(database, tenant) == [3]
    # what is known already conflicts with nothing, though it comes in another file
    await hand_in(intake, statement_of(Line(1), number="9"), statement_of(Line(77)))
    assert await amounts(database, tenant) == [3, 77]


async def test_a_statement_that_does_not_add_up_waits_for_a_person(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    good = statement_of(Line(100), number="4", made=0, opening=0, closing=100)
    wrong = statement_of(Line(150), number="4", made=1, opening=0, closing=100)
    await hand_in(intake, good)
    taken = await hand_in(intake, wrong)
    (held,) = taken.statements
    assert held.state == "held"
    assert b"off" in held.findings
    assert await amounts(database, tenant) == [100]
    with pytest.raises(Refused, match="no usable reason"):
        await accept_statement(database, tenant, held.id, who="me", why=" ")
    with pytest.raises(NotFound):
        await accept_statement(database, await database.ensure_tenant("other"), held.id, who="me", why="x")
    accepted = await accept_statement(database, tenant, held.id, who="me", why="the bank confirmed it")
    assert (accepted.state, accepted.why) == ("in_force", "the bank confirmed it")
    assert await amounts(database, tenant) == [150]
    with pytest.raises(StateConflict, match="in force"):
        await accept_statement(database, tenant, held.id, who="me", why="again")
    assert kinds(admin) == ["statement.taken", "statement.held", "statement.accepted", "statement.corrected"]


async def test_a_recalled_statement_leaves_with_what_no_other_states(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    one = statement_of(Line(1), Line(2), number="1", made=0)
    taken = await hand_in(intake, one)
    await hand_in(intake, statement_of(Line(2), Line(3), number="2", made=0))
    recalled = await recall_statement(database, tenant, taken.statements[0].id, who="me", why="of another company")
    assert recalled.state == "recalled"
    assert await amounts(database, tenant) == [2, 3]
    with pytest.raises(StateConflict, match="recalled"):
        await recall_statement(database, tenant, recalled.id, who="me", why="again")
    again = await hand_in(intake, one)
    assert not again.known
    assert again.file.id != taken.file.id
    assert again.statements[0].id != taken.statements[0].id
    assert await amounts(database, tenant) == [1, 2, 3]
    assert kinds(admin) == ["statement.taken", "statement.taken", "statement.recalled", "statement.taken"]


async def test_recalling_the_later_one_restores_the_earlier(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    await hand_in(intake, statement_of(Line(1), number="1", made=0))
    later = await hand_in(intake, statement_of(Line(2), number="1", made=1))
    await recall_statement(database, tenant, later.statements[0].id, who="me", why="wrong")
    assert await amounts(database, tenant) == [1]
    assert kinds(admin)[-2:] == ["statement.recalled", "statement.restored"]


async def test_an_entry_bears_the_words_of_what_was_made_last_and_gets_the_others_back(database: Database) -> None:
    early = statement_of(Line(5, "early words", 0, "R"), number="1", made=0, days=(0, 0))
    late = statement_of(Line(5, "late words", 0, "R"), number="2", made=1, days=(0, 1))
    for place, order in enumerate(((early, late), (late, early))):
        other = await database.ensure_tenant(f"t{place}")
        taken = [await hand_in(Intake(database, other, "bank", "tests"), one) for one in order]
        assert (await in_force(database, other))["memo"].to_list() == ["late words"]
        newest = next(one for file in taken for one in file.statements if one.number == "2")
        await recall_statement(database, other, newest.id, who="me", why="wrong")
        assert (await in_force(database, other))["memo"].to_list() == ["early words"]


async def test_what_cannot_be_read_is_refused_on_record_and_may_be_tried_again(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    data = b"day;amount;memo\n2026-03-02;1.00;x\n"
    for _ in range(2):
        with pytest.raises(StatementUnreadable):
            await intake.take(BANK, "bad\n\udce4.csv", data)
    rows = admin.execute("select state, name, why <> '' from recon_file").fetchall()
    assert rows == [("refused", "bad��.csv", True)]
    assert kinds(admin) == ["statement.refused"] * 2
    with pytest.raises(Refused, match=f"{MOST_BROKEN + 1:,} of its entries are broken"):
        await hand_in(intake, statement_of(Line(1), broken=MOST_BROKEN + 1))
    with pytest.raises(Refused, match="no statement in it"):
        await hand_in(intake)
    assert await statements(database, tenant) == []


async def test_what_a_crash_left_is_found_again(intake: Intake, database: Database, tenant: UUID, admin: Admin) -> None:
    given = statement_of(Line(1), Line(2), number="1", made=0)
    taken = await hand_in(intake, given)
    # as it is when the process dies after the entries and before the statement
    admin.execute("delete from recon_statement")
    admin.execute("delete from recon_file")
    assert await amounts(database, tenant) == []
    again = await hand_in(intake, given)
    assert not again.known
    assert again.statements[0].id == taken.statements[0].id
    assert await amounts(database, tenant) == [1, 2]
    assert admin.execute("select count(*) from recon_line").fetchall() == [(2,)]


async def test_the_horizon_is_the_last_day_that_is_covered(intake: Intake, database: Database, tenant: UUID) -> None:
    await hand_in(intake, statement_of(Line(1, day=1), days=(0, 6)), statement_of(Line(1, day=9), account="2"))
    held = statement_of(Line(1, day=20), days=(0, 30), count=5)
    assert (await hand_in(intake, held)).statements[0].state == "held"
    async with database.tenant(tenant) as connection:
        found = await horizons(connection, "bank")
    assert [(one.side, one.account, (one.until - FIRST).days) for one in found] == [
        (Side.ACTUAL, "2", 9), (Side.ACTUAL, ACCOUNT, 6),
    ]  # fmt: skip


async def test_entries_are_written_in_one_order_so_that_two_files_never_wait_in_a_circle(
    intake: Intake, admin: Admin
) -> None:
    await hand_in(intake, statement_of(*(Line(at) for at in range(1, 40))))
    written = admin.execute("select id from recon_entry order by ctid").fetchall()
    assert written == sorted(written)


async def test_nothing_comes_after_what_was_made_at_the_end_of_time(intake: Intake) -> None:
    end = datetime.max.replace(tzinfo=UTC)
    one, other = (msgspec.structs.replace(statement_of(Line(at), number="1"), made_at=end) for at in (1, 2))
    await hand_in(intake, one)
    with pytest.raises(StateConflict, match="nothing comes after it"):
        await hand_in(intake, other, corrects=True)


async def test_the_same_file_at_once_is_taken_once(
    intake: Intake, database: Database, tenant: UUID, admin: Admin
) -> None:
    data = b"day,amount,memo\n" + b"".join(b"2026-03-02,%d.00,x\n" % one for one in range(1, 200))
    other = b"day,amount,memo\n" + b"".join(b"2026-03-02,%d.00,x\n" % one for one in range(100, 300))
    taken = await asyncio.gather(*(intake.take(BANK, f"{at}.csv", data if at % 3 else other) for at in range(6)))
    assert sorted(one.known for one in taken) == [False, False, True, True, True, True]
    assert await amounts(database, tenant) == [one * 100 for one in range(1, 300)]
    assert kinds(admin) == ["statement.taken"] * 2


WORLD = (
    statement_of(Line(100, day=0), Line(100, day=0), Line(250, day=1), number="1", made=0, days=(0, 1)),
    statement_of(Line(100, day=0), Line(260, "rent, corrected", 1), number="1", made=5, days=(0, 1)),  # corrects it
    statement_of(Line(250, day=1), Line(300, "x", 2, "R1"), number="2", made=1, days=(1, 2)),  # overlaps it
    statement_of(Line(300, "y", 2, "R1"), Line(7, day=3), number="3", made=2, days=(2, 3)),  # tells R1 in other words
    statement_of(Line(9_999, day=3), number="3", made=6, days=(2, 3), count=4),  # a correction that does not add up
    statement_of(Line(1, day=4), Line(2, day=5)),  # a table without a number, and pieces of it
    statement_of(Line(1, day=4)),
    statement_of(Line(2, day=5)),
)


async def test_any_order_twice_and_in_pieces_end_with_the_same_in_force(database: Database) -> None:
    dice = random.Random(11)
    found: list[Any] = []
    for turn in range(8):
        tenant = await database.ensure_tenant(f"t{turn}")
        intake = Intake(database, tenant, "bank", "tests")
        pieces = [*WORLD, *dice.sample(WORLD, 3)] if turn else list(WORLD)
        if turn:
            dice.shuffle(pieces)
        while pieces:
            size = dice.randint(1, 3) if turn else 1
            await hand_in(intake, *pieces[:size])
            pieces = pieces[size:]
        frame = (await in_force(database, tenant)).drop("id")
        async with database.tenant(tenant) as connection:
            found.append((frame.rows(), await horizons(connection, "bank")))
    assert sorted(row[3] for row in found[0][0]) == [1, 2, 7, 100, 250, 260, 300]
    assert [one for one in found if one != found[0]] == []


def mt940(number: str, day: int, opening: int, *amounts_: int, reference: str = "NONREF") -> bytes:
    """A statement of one day of March, whose balances prove its entries."""

    def balance(minor: int) -> str:
        return f"C2603{day:02d}EUR{minor // 100},{minor % 100:02d}"

    lines = "".join(
        f":61:2603{day:02d}03{day:02d}{'D' if one < 0 else 'C'}{abs(one) // 100},{abs(one) % 100:02d}NCHG{reference}\n"
        ":86:CARD FEE\n"
        for one in amounts_
    )
    frame = f":20:S\n:25:DE1\n:28C:{number}\n:60F:{balance(opening)}\n{lines}"
    return f"{frame}:62F:{balance(opening + sum(amounts_))}\n-\n".encode()


AUTO = Source(name="hand", side=Side.ACTUAL)


async def test_equal_entries_of_statements_whose_balances_go_on_are_further_ones_in_any_order(
    database: Database,
) -> None:
    files = [
        mt940("11", 2, 10_000, -25, -25),
        mt940("12", 2, 9_950, -25),
        mt940("13", 2, 9_925, 300),
        mt940("14", 2, 10_225, -25, -50),
        mt940("W", 2, 10_000, -25, -25, -25, 300, -25, -50),  # the whole day, told once more
        mt940("15", 3, 10_150, -25),
    ]
    for turn in range(6):
        tenant = await database.ensure_tenant(f"t{turn}")
        intake = Intake(database, tenant, "bank", "tests")
        order = random.Random(turn).sample(files, len(files))
        taken = [(await intake.take(AUTO, "f", one)).statements[0] for one in order]
        assert await amounts(database, tenant) == [-50, *[-25] * 5, 300]
        if turn < 2:  # without the whole day and one of its pieces, what is left still counts on, as far as it is known
            for number in ("W", "13"):
                gone = next(one for one in taken if one.number == number)
                await recall_statement(database, tenant, gone.id, who="me", why="x")
            assert await amounts(database, tenant) == [-50, *[-25] * 4]


async def test_a_bank_reference_of_another_day_or_of_a_statement_that_goes_on_is_another_entry(
    intake: Intake, database: Database, tenant: UUID
) -> None:
    for given in (
        mt940("1", 2, 0, 5_000, reference="NONREF//STO-17"),
        mt940("2", 3, 5_000, 5_000, reference="NONREF//STO-17"),
        mt940("3", 3, 10_000, 5_000, reference="NONREF//STO-17"),
    ):
        await intake.take(AUTO, "f", given)
    assert await amounts(database, tenant) == [5_000] * 3


async def test_a_constant_number_corrects_nothing_where_a_statement_goes_on(
    intake: Intake, database: Database, tenant: UUID
) -> None:
    first = statement_of(Line(50), number="S", made=0, days=(0, 1), opening=100, closing=150)
    second = statement_of(Line(70, day=1), number="S", made=1, days=(1, 2), opening=150, closing=220)
    for given in (second, first):
        await hand_in(intake, given)
    await hand_in(intake, statement_of(Line(5, day=2), number="S", days=(2, 3), opening=220, closing=225))
    assert await amounts(database, tenant) == [5, 50, 70]


async def test_the_same_bytes_of_two_accounts_are_two_files(intake: Intake, database: Database, tenant: UUID) -> None:
    data = b"day,amount,memo\n2026-03-31,-5.00,Account fee\n"
    for account in ("1200", "1300"):
        assert not (await intake.take(replace(BANK, account=account), "march.csv", data)).known
        assert (await intake.take(replace(BANK, account=account, name="x"), "march.csv", data)).known
    assert sorted((await in_force(database, tenant))["account"].to_list()) == ["1200", "1300"]


@pytest.mark.parametrize("form", ["ofx", "camt"])
async def test_what_a_bank_states_anew_of_the_same_days_corrects_without_a_number_of_its_own(
    intake: Intake, database: Database, tenant: UUID, form: str
) -> None:
    for turn, amount in ((1, "1000.00"), (2, "100.00")):
        await intake.take(AUTO, "f", (ofx if form == "ofx" else camt)(turn, amount))
    assert await amounts(database, tenant) == [10_000]


def ofx(turn: int, amount: str) -> bytes:
    """A download of March, of a server's turn."""
    return (
        f"OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\n\n<OFX><SIGNONMSGSRSV1><SONRS><DTSERVER>2026040{turn}</SONRS>"
        "</SIGNONMSGSRSV1><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>USD<BANKACCTFROM><BANKID>1<ACCTID>2</BANKACCTFROM>"
        "<BANKTRANLIST><DTSTART>20260301<DTEND>20260331<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260302"
        f"<TRNAMT>{amount}<FITID>F1<NAME>ACME</STMTTRN></BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
    ).encode()


def camt(turn: int, amount: str) -> bytes:
    """Statement 42, told under an id of its own."""

    def money(name: str, code: str, day: str) -> str:
        kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>" if code else "<Sts>BOOK</Sts>"
        said = f'<Amt Ccy="EUR">{"0.00" if code == "OPBD" else amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        return f"<{name}>{kind}{said}<{day}><Dt>2026-03-02</Dt></{day}></{name}>"

    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>'
        f"<CreDtTm>2026-03-0{turn + 2}T20:00:00Z</CreDtTm></GrpHdr><Stmt><Id>U-{turn}</Id>"
        "<ElctrncSeqNb>42</ElctrncSeqNb>"
        f"<Acct><Id><IBAN>{ACCOUNT}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{money('Bal', 'OPBD', 'Dt')}{money('Bal', 'CLBD', 'Dt')}{money('Ntry', '', 'BookgDt')}"
        "</Stmt></BkToCstmrStmt></Document>"
    ).encode()


async def test_what_corrects_nothing_is_refused_and_siblings_are_held_against_each_other(
    intake: Intake, database: Database, tenant: UUID
) -> None:
    with pytest.raises(StateConflict, match="two statements of it have one number"):
        await hand_in(intake, statement_of(Line(1), number="7"), statement_of(Line(2), number="7"))
    assert await statements(database, tenant) == []
    await hand_in(intake, statement_of(Line(1)))
    with pytest.raises(Refused, match="it corrects nothing"):
        await hand_in(intake, statement_of(Line(2)), corrects=True)
    assert await amounts(database, tenant) == [1]


async def test_a_held_statement_is_in_nobodys_way_until_it_is_accepted(
    intake: Intake, database: Database, tenant: UUID
) -> None:
    cut = await hand_in(intake, statement_of(Line(1), number="5", opening=0, closing=3))
    await hand_in(intake, statement_of(Line(1), Line(2), number="5", opening=0, closing=3))
    assert await amounts(database, tenant) == [1, 2]
    with pytest.raises(StateConflict, match="nothing tells which of the two is right"):
        await accept_statement(database, tenant, cut.statements[0].id, who="me", why="x")


async def test_a_refusal_is_over_once_the_file_was_taken(intake: Intake, database: Database, tenant: UUID) -> None:
    one, two = mt940("5/1", 2, 0, 100), mt940("5/1", 2, 0, 200)
    first = await intake.take(AUTO, "a.sta", one)
    with pytest.raises(StateConflict):
        await intake.take(AUTO, "b.sta", two)
    second = await intake.take(AUTO, "b.sta", two, corrects=True)
    for taken in (second, first):
        await recall_statement(database, tenant, taken.statements[0].id, who="me", why="x")
    assert await intake.known(AUTO, hashlib.sha256(two).digest()) is None


async def test_what_a_query_gives_now_counts_now_and_nothing_is_no_answer(
    intake: Intake, database: Database, tenant: UUID, database_url: str, admin: Admin
) -> None:
    admin.execute("create table public.open_items (amount numeric, due date)")
    admin.execute("insert into public.open_items values (12.30, '2026-03-02'), (7, '2026-03-02')")
    source = Source(name="erp", side=Side.EXPECTED, account="1200", currency="EUR")
    dialect = Dialect(columns={"amount": "amount", "booked_on": "due"})

    async def look() -> list[int]:
        await take_query(intake, source, dialect, database_url, "select amount, due from public.open_items")
        return sorted((await in_force(database, tenant, Side.EXPECTED))["minor"].to_list())

    assert await look() == [700, 1230]
    admin.execute("update recon_statement set precedence = precedence + interval '4 minutes'")
    admin.execute("delete from public.open_items where amount = 7")
    assert [await look(), await look()] == [[1230], [1230]]
    admin.execute("delete from public.open_items")
    with pytest.raises(Refused, match="gives no row"):
        await look()
    assert len(await statements(database, tenant)) == 2


async def test_the_same_file_never_counts_on_both_sides(intake: Intake, database: Database, tenant: UUID) -> None:
    data = b"day,amount,memo\n2026-03-02,12.30,coffee\n"
    await intake.take(BANK, "march.csv", data)
    with pytest.raises(Refused, match=r"counts on the other side already, as march\.csv"):
        await intake.take(replace(BANK, side=Side.EXPECTED), "again.csv", data)
    assert (await in_force(database, tenant, Side.EXPECTED)).is_empty()
    other = replace(BANK, side=Side.EXPECTED, account="1200")
    assert (await intake.take(other, "a table of both sides.csv", data)).statements
