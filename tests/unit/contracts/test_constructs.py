"""Each construct of the standard is enforced, refused with the reason, or named: none is dropped in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from interlock.contracts import Contract, check_batch, parse_contract
from interlock.errors import ContractInvalid, Violation

Describe = Callable[..., Contract]
Written = Callable[..., str]
ORNATE = """\
- name: number
  businessName: The number on the parcel
  logicalType: string
  physicalType: text
  required: true
  primaryKey: true
  primaryKeyPosition: 1
  partitioned: true
  partitionKeyPosition: 1
  criticalDataElement: true
  classification: internal
  encryptedName: number_sealed
  tags: [parcels]
  examples: [P1]
  authoritativeDefinitions: [{type: businessDefinition, url: "https://example.com/parcel"}]
  transformSourceObjects: [scans]
  transformLogic: take the last scan
  transformDescription: The last scan counts.
- name: posted
  logicalType: date
  logicalTypeOptions: {minimum: 2020-01-01, exclusiveMaximum: 2100-01-01, format: yyyy-MM-dd}
- name: weighed
  logicalType: timestamp
  logicalTypeOptions: {minimum: "2020-01-01T00:00:00Z", timezone: true}
- {name: collected, logicalType: time, logicalTypeOptions: {minimum: "08:00:00", maximum: "20:00:00"}}
- {name: grams, logicalType: integer, logicalTypeOptions: {exclusiveMinimum: 0, maximum: 30000, format: i32}}
- {name: volume, logicalType: number, logicalTypeOptions: {minimum: 0, format: f32}}
- name: postage
  logicalType: number
  physicalType: numeric(8,2)
  quality: [{metric: nullValues, mustBeLessThan: 50, unit: percent, severity: warning, dimension: completeness}]
- {name: fragile, logicalType: boolean}
- name: scans
  logicalType: array
  logicalTypeOptions: {minItems: 1, maxItems: 3, uniqueItems: true}
  items: {logicalType: string, logicalTypeOptions: {format: uuid}}
- name: receiver
  logicalType: object
  logicalTypeOptions: {required: [town]}
  properties:
    - {name: town, logicalType: string, logicalTypeOptions: {minLength: 1, maxLength: 40, pattern: "^[A-Z].*$"}}
    - {name: mail, logicalType: string, logicalTypeOptions: {format: email}}
"""
AROUND = """\
domain: logistics
tenant: example
dataProduct: parcels
tags: [parcels]
description: {purpose: To post parcels., usage: Daily., limitations: None.}
servers:
  - {server: production, type: postgresql, host: db.example.com, port: 5432, database: parcels, schema: public}
roles: [{role: reader, access: read, firstLevelApprovers: owner}]
support: [{channel: parcels, tool: slack, url: "https://example.com/parcels"}]
price: {priceAmount: 1, priceCurrency: EUR, priceUnit: record}
slaProperties:
  - {property: retention, value: 3, unit: y}
  - {property: timeOfAvailability, value: "09:00-08:00", driver: regulatory}
"""
GOOD = {
    "number": "P1",
    "posted": "2026-01-01",
    "weighed": "2026-01-01T10:00:00Z",
    "collected": "08:00:00",
    "grams": 1,
    "volume": 0.5,
    "postage": "4.50",
    "fragile": False,
    "scans": ["7d444840-9dc0-11d1-b245-5ffdce74fad2"],
    "receiver": {"town": "Ulm", "mail": "a@example.com"},
}


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"number": None}, "type"),
        ({"posted": "2019-12-31"}, "minimum"),
        ({"posted": "2100-01-01"}, "exclusiveMaximum"),
        ({"posted": "2026-02-29"}, "date"),
        ({"weighed": "2019-12-31T23:59:59Z"}, "minimum"),
        ({"weighed": "2026-01-01T10:00:00"}, "timestamp"),
        ({"collected": "20:00:01"}, "maximum"),
        ({"grams": 0}, "exclusiveMinimum"),
        ({"grams": 1.0}, "type"),
        ({"volume": -0.1}, "minimum"),
        ({"volume": 1e39}, "maximum"),
        ({"postage": 4.5}, "type"),
        ({"postage": "4.505"}, "decimals"),
        ({"postage": "1234567.00"}, "digits"),
        ({"fragile": 0}, "type"),
        ({"scans": []}, "minItems"),
        ({"scans": ["x"]}, "format"),
        ({"receiver": {}}, "required"),
        ({"receiver": {"town": "ulm"}}, "pattern"),
        ({"receiver": {"town": "Ulm", "mail": "no mail"}}, "format"),
        ({"price": 1}, "unknown"),
    ],
)
def test_every_kind_of_demand_is_enforced(describe: Describe, broken: dict[str, object], rule: str) -> None:
    contract = describe(ORNATE, extra=AROUND)
    assert contract.not_enforced == ()
    assert check_batch(contract, [GOOD]).kept
    verdict = check_batch(contract, [GOOD, GOOD | {"number": "P2"} | broken])
    assert [violation.rule for violation in verdict.by_record[1]] == [rule]


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ("- {name: a, logicalType: object, logicalTypeOptions: {maxProperties: 5}, properties: [{name: b, ", "maxPro"),
        ("- {name: a, logicalType: array}", "items of this array"),
        ("- {name: a, physicalType: text}", "no logicalType"),
        ("- {name: a, logicalType: timestamp, logicalTypeOptions: {format: 'yyyy-MM-dd HH:mm:ss'}}", "is not read"),
        ("- {name: a, logicalType: timestamp, logicalTypeOptions: {maximum: '2021-01-01 00:00:00'}}", "no timestamp"),
        ("- {name: a, logicalType: timestamp, logicalTypeOptions: {defaultTimezone: Asia/Tokyo}}", "ever assumed"),
        ("- {name: a, logicalType: string, logicalTypeOptions: {pattern: 'A[0-9]'}}", "both ends"),
        ("- {name: a, logicalType: string, quality: [{metric: freshness, mustBe: 0}]}", "freshness"),
        ("- {name: a, logicalType: array, unique: true, items: {logicalType: string}}", "a field that is array"),
        ("- {name: a, logicalType: object, primaryKey: true, properties: [{name: b, logicalType: date}]}", "object"),
        ("- {name: a, logicalType: string, shortcut: b}", "no key of the standard"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(describe: Describe, properties: str, what: str) -> None:
    whole = properties + "logicalType: string}]}" if properties.endswith(", ") else properties
    with pytest.raises(ContractInvalid) as caught:
        describe(whole)
    assert any(what in violation.what for violation in caught.value.violations), caught.value.violations


@pytest.mark.parametrize(
    ("found", "replaced", "what"),
    [
        ("apiVersion: v3.1.0", "apiVersion: v3.0.2", "no version of ODCS"),
        (
            "  - name: thing",
            "  - {name: other, properties: [{name: a, logicalType: date}]}\n  - name: thing",
            "2 objects",
        ),
        ("kind: DataContract", "kind: DataProduct", "DataContract"),
        ("name: thing\nversion", "name: My_Thing\nversion", "is no name"),
        ("status: active", "status: draft", "is no status"),
        ("role: owner", "role: reader", "are its owner"),
    ],
)
def test_a_head_that_cannot_be_kept_is_refused_with_the_reason(
    written: Written, found: str, replaced: str, what: str
) -> None:
    text = written("- {name: a, logicalType: string}")
    assert found in text
    with pytest.raises(ContractInvalid) as caught:
        parse_contract(text.replace(found, replaced, 1).encode(), "thing.odcs.yaml")
    assert any(what in violation.what for violation in caught.value.violations), caught.value.violations


@pytest.fixture
def examples(shared_data: Path) -> list[Path]:
    """The standard's own examples, where they are laid beside the repository."""
    found = sorted((shared_data / "odcs").glob("*.odcs.yaml"))
    if not found:
        pytest.skip(f"the examples of the standard are not in {shared_data / 'odcs'}")
    return found


HEADS = (
    (r"^apiVersion:.*$", "apiVersion: v3.1.0"),
    (r"^(status):.*$", r"\1: active"),
    (r"^(version):.*$", r"\1: 1.0.0"),
)


def adopted(text: str) -> str:
    """An example with the head that we ask for, so that what stands below is looked at."""
    for pattern, by in HEADS:
        text = re.sub(pattern, by, text, flags=re.MULTILINE)
    text = re.sub(r"^name:.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^team:\n(?:[ -].*\n?)*", "", text, flags=re.MULTILINE)
    return f"{text}\nname: thing\nteam: {{members: [{{username: o@example.com, role: owner}}]}}\n"


def test_every_example_of_the_standard_compiles_or_is_refused_with_the_reason(examples: list[Path]) -> None:
    compiled: list[str] = []
    for path in examples:
        for text in (path.read_text(), adopted(path.read_text())):
            found = contract_or_reasons(text, path.name)
            if isinstance(found, Contract):
                compiled.append(path.name)
                assert check_batch(found, [{"unheard_of": 1}]).refused == 1
            else:
                assert found, path
                assert all(one.what and ":" in one.where for one in found), path
    assert len(compiled) >= 7, compiled


def contract_or_reasons(text: str, name: str) -> Contract | tuple[Violation, ...]:
    try:
        return parse_contract(text.encode(), name)
    except ContractInvalid as refused:
        return refused.violations
