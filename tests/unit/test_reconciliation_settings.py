"""The settings of reconciliations: what is read, and what is refused by name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from interlock.config import Settings
from interlock.errors import ConfigInvalid, NotFound
from interlock.money import Money
from interlock.packs.reconciliation.configured import settings_of, sources_of, terms_of
from interlock.packs.reconciliation.entry import Side
from interlock.packs.reconciliation.terms import ReconciliationTerms
from interlock.reconciliation_settings import SOURCE_FORMS, TERM_FORMS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
GOOD = """
[reconciliation.bank]
tolerance = ["1.5 %", "5.00 EUR"]
fees = ["0.35 EUR"]
days_later = 30
ask_from = 0.6
links = [["1200", "DE02"]]
clearing_actual = "1360"

[reconciliation.bank.actual.house]
folder = "in/house"
done = "/kept/done"

[reconciliation.bank.expected.invoices]
folder = "in/invoices"
format = "csv"
account = "1200"
currency = "EUR"
dialect = {columns = {amount = "amount", booked_on = "due", memo = ["number", "customer"]}, decimal = ","}
"""


def load(cwd: Path, toml: str, environ: dict[str, str] | None = None) -> Settings:
    (cwd / "interlock.toml").write_text(toml, "utf-8")
    return Settings.load({}, environ or {}, cwd)


def test_every_key_is_documented() -> None:
    section = PAGE.read_text("utf-8").split("\n## Reconciliation\n")[1].split("\n## ")[0]
    assert [key for key in (*TERM_FORMS, *SOURCE_FORMS) if f"| `{key}` |" not in section] == []


def test_terms_and_sources_of_a_reconciliation(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    bank = settings_of(settings)
    terms = terms_of(bank)
    assert terms == ReconciliationTerms(
        name="bank", tolerance_share=Decimal("0.015"), tolerance_amounts=(Money("5.00", "EUR"),),
        fees=(Money("0.35", "EUR"),), days_later=30, ask_from=0.6, links=(("1200", "DE02"),), clearing_actual="1360",
    )  # fmt: skip
    sources = sources_of(bank)
    assert sorted(sources) == ["actual.house", "expected.invoices"]
    told, source = sources["expected.invoices"]
    assert (told.folder, source.side, source.account) == (tmp_path / "in/invoices", Side.EXPECTED, "1200")
    assert source.dialect
    assert source.dialect.of("memo") == ("number", "customer")
    assert sources["actual.house"][0].done == Path("/kept/done")
    assert source.read_as != sources["actual.house"][1].read_as
    assert settings.sources["reconciliation.bank"] == "interlock.toml"


def test_the_environment_wins(tmp_path: Path) -> None:
    environ = {
        "INTERLOCK_RECONCILIATION__BANK__DAYS_LATER": "7",
        "INTERLOCK_RECONCILIATION__BANK__TOLERANCE": "2 %, 1.00 EUR",
        "INTERLOCK_RECONCILIATION__BANK__ASK_FROM": "0.75",
    }
    terms = terms_of(settings_of(load(tmp_path, GOOD, environ)))
    assert (terms.days_later, terms.tolerance_share, terms.ask_from) == (7, Decimal("0.02"), 0.75)


def test_amounts_alone_mean_no_share(tmp_path: Path) -> None:
    terms = terms_of(settings_of(load(tmp_path, '[reconciliation.a]\ntolerance = "0 JPY"\n')))
    assert (terms.tolerance_share, terms.tolerance(1_000_000, "JPY")) == (Decimal(0), 0)


def test_a_query_says_where_its_database_is_found_and_never_shows_it(tmp_path: Path) -> None:
    toml = (
        '[reconciliation.a.expected.erp]\nurl = "env:INTERLOCK_ERP"\nquery = "select * from due"\n'
        'dialect = {columns = {amount = "a", booked_on = "d"}, account = "x", currency = "EUR"}\n'
    )
    settings = load(tmp_path, toml, {"INTERLOCK_ERP": "postgresql://me:secret@there/erp"})
    assert "secret" not in repr(settings)
    with pytest.raises(ConfigInvalid, match="no secret in env:INTERLOCK_ERP"):
        load(tmp_path, toml)
    with pytest.raises(ConfigInvalid, match="no reference to a secret"):
        load(tmp_path, toml.replace("env:INTERLOCK_ERP", "postgresql://me:secret@there/erp"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[reconciliation.bank]", "[reconciliation.Bank]", "no name"),
        ("days_later = 30", "days_latr = 30", "days_later"),
        ("days_later = 30", "days_later = -1", "whole number"),
        ("days_later = 30", "days_later = true", "whole number"),
        ("ask_from = 0.6", "ask_from = 1.5", "no probability"),
        ("ask_from = 0.6", "ask_from = nan", "no probability"),
        ('"1.5 %"', '"1.5 %", "2 %"', "second share"),
        ('"1.5 %"', '"101 %"', "more than all"),
        ('"5.00 EUR"', '"5.001 EUR"', "more decimals"),
        ('"5.00 EUR"', '"5.00 EUR", "6.00 EUR"', "second amount"),
        ('"0.35 EUR"', '"-0.35 EUR"', "above zero"),
        ('[["1200", "DE02"]]', '[["1200"]]', "no pair of accounts"),
        ('clearing_actual = "1360"', 'clearing_actual = ""', "not usable"),
        ("[reconciliation.bank.actual.house]", "[reconciliation.bank.actual.hand]", "no name of a source"),
        ("[reconciliation.bank.actual.house]", "[reconciliation.bank.actal.house]", "actual"),
        ('folder = "in/house"', "", "a folder, or a query"),
        ('folder = "in/house"', 'foldr = "in/house"', "folder"),
        ('folder = "in/house"', 'folder = "in/house"\nquery = "select 1"', "a folder, or a query"),
        ('currency = "EUR"', 'currency = "EURO"', "no currency"),
        ("dialect = {", "dialect = 1 #", "no table"),
        ("dialect = {", "#", "read by a dialect"),
        ('done = "/kept/done"', 'done = "./in/house"', "would be taken from there again"),
        ('done = "/kept/done"', 'refused = "in/invoices"', "would be taken from there again"),
        ('"in/invoices"', '"in/../in/house"', "watched by actual.house already|watched by expected.invoices already"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigInvalid, match=said):
        load(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('format = "csv"', 'format = "cvs"', "expected.invoices.format"),
        ('decimal = ","', 'decimal = "x"', "expected.invoices.dialect.decimal"),
        ('decimal = ","', 'decimel = ","', "expected.invoices.dialect.decimel"),
        ("columns = {", 'columns = {amont = "x", ', "expected.invoices.dialect.columns"),
        ('decimal = ","', "header = 3", "expected.invoices.dialect"),
    ],
)
def test_what_is_wrong_in_a_dialect_is_named(tmp_path: Path, old: str, new: str, where: str) -> None:
    bank = settings_of(load(tmp_path, GOOD.replace(old, new, 1)))
    with pytest.raises(ConfigInvalid) as raised:
        sources_of(bank)
    assert where in raised.value.where


def test_one_of_several_must_be_named(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD + "[reconciliation.cards]\n")
    assert settings_of(settings, "cards").sources == ()
    for name in ("", "card"):
        with pytest.raises(NotFound, match="bank, cards"):
            _ = str(settings_of(settings, name))
    with pytest.raises(NotFound, match="none"):
        settings_of(Settings())
