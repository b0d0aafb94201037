"""Finding contracts by the names that workflows use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.contracts import Catalog, Contract, ContractRef, Version, load_catalog
from interlock.errors import ContractInvalid, NotFound

Describe = Callable[..., Contract]
Written = Callable[..., str]

TEXT = "- {name: a, logicalType: string}"
ENDS = "slaProperties: [{property: endOfSupport, value: 2027-01-01}]\n"


@pytest.fixture
def catalog(describe: Describe) -> Catalog:
    return Catalog(
        [
            describe(TEXT, version="1.9.0"),
            describe(TEXT, version="1.10.0", status="deprecated", extra=ENDS),
            describe(TEXT, version="1.11.0", status="proposed"),
            describe(TEXT, version="2.0.0", status="retired"),
        ]
    )


@pytest.mark.parametrize(
    ("reference", "version"),
    [("thing@1", "1.10.0"), ("thing@1.9.0", "1.9.0"), ("thing@1.11.0", "1.11.0")],
)
def test_a_reference_means_the_newest_that_may_be_used(catalog: Catalog, reference: str, version: str) -> None:
    assert str(catalog.find(reference).version) == version
    assert catalog.find(ContractRef.parse(reference)) is catalog.find(reference)


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("thing@2", "thing@2.0.0 is retired"),
        ("thing@2.0.0", "is retired"),
        ("thing@3", "known: thing@1, thing@2"),
        ("other@1", "there is no contract other@1"),
    ],
)
def test_what_is_not_there_is_told(catalog: Catalog, reference: str, told: str) -> None:
    with pytest.raises(NotFound) as caught:
        catalog.find(reference)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "thing", "thing@", "@1", "thing@1.2", "thing@01", "Thing@1", "thing@1@1", "a b@1"]
)
def test_a_malformed_reference_is_refused(text: str) -> None:
    with pytest.raises(ContractInvalid, match="names no contract"):
        ContractRef.parse(text)


def test_a_reference_reads_back() -> None:
    assert str(ContractRef.parse("receipt-fields@1")) == "receipt-fields@1"
    assert ContractRef.parse("receipt@1.2.0") == ContractRef("receipt", 1, Version(1, 2, 0))


def test_a_version_never_has_two_contents(describe: Describe) -> None:
    assert len(list(Catalog([describe(TEXT), describe(TEXT)]))) == 1
    with pytest.raises(ContractInvalid, match="with other words"):
        Catalog([describe(TEXT), describe(TEXT + "\n- {name: b, logicalType: date}")])


def test_a_folder_is_read_whole_and_every_mistake_told(tmp_path: Path, written: Written) -> None:
    (tmp_path / "thing@1.odcs.yaml").write_text(written(TEXT))
    (tmp_path / "notes.yaml").write_text("not a contract")
    assert [contract.reference for contract in load_catalog(tmp_path)] == ["thing@1.0.0"]
    (tmp_path / "thing@2.odcs.yaml").write_text(written(TEXT))
    (tmp_path / "thing@3.odcs.yaml").write_text("")
    with pytest.raises(ContractInvalid) as caught:
        load_catalog(tmp_path)
    assert len(caught.value.violations) == 2
