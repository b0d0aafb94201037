"""Loads contracts from Open Data Contract Standard files (ODCS v3.1 and v3.2, YAML).

Two checks come first: the standard's own JSON Schema, which refuses every unknown key, and the standard's own model.
Then each demand is either enforced, on every record or on many together, or refused, or named in
``Contract.not_enforced``; none is dropped.
"""

from __future__ import annotations

import functools
import json
from datetime import date
from importlib import resources
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs

from interlock.contracts.canonical import digest
from interlock.contracts.contract import NAME, Contract, Field, ServiceLevel, Shape, Status, Version
from interlock.contracts.document import Document
from interlock.contracts.exact import read_exact
from interlock.contracts.fields import Reading, read_record
from interlock.contracts.level import Kind, Level
from interlock.contracts.level_reading import is_measured, read_levels
from interlock.contracts.mark import Personal, personal_of
from interlock.contracts.metrics import primary_keys
from interlock.contracts.searchable import searchable_of
from interlock.contracts.shown import Path, shown
from interlock.errors import ContractInvalid, Refused

if TYPE_CHECKING:
    from open_data_contract_standard.model import OpenDataContractStandard

API_VERSIONS = ("v3.1.0", "v3.2.0")
"""The versions of the standard that are read."""
_LONGEST_MESSAGE = 240
_ENDS = ("endOfLife", "endOfSupport")
"""The service levels that say when a deprecated contract ends."""


def load_contract(path: FilePath) -> Contract:
    """Read a contract's file. A name like ``receipt@1.odcs.yaml`` must say the name and the major version inside.

    Raises:
        ContractInvalid: with everything that is wrong, each with its file and line.
    """
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise ContractInvalid(
            f"the file cannot be read: {cause.strerror}", (), where=str(path), todo="check its name and its rights"
        ) from cause
    contract = parse_contract(data, path.name)
    stem, at, _ = path.name.removesuffix(".odcs.yaml").partition("@")
    named = f"{contract.name}@{contract.version.major}"
    if at and path.name != f"{named}.odcs.yaml":
        what = f"the file is named {shown(path.name)}, and holds {contract.reference}"
        raise ContractInvalid(what, (), where=str(path), todo=f"name it {named}.odcs.yaml, or mend {stem}'s version")
    return contract


def parse_contract(data: bytes, file: str) -> Contract:
    """Read a contract from the bytes of a file.

    Args:
        data: YAML.
        file: The file's name, for messages.

    Raises:
        ContractInvalid: with everything that is wrong, each with its line: first what makes it no YAML, then what the
            standard refuses, then what cannot be enforced.
    """
    document = Document(data, file)
    if not document.wrong:
        _check_standard(document)
    model = _model(document)
    contract = _contract(document, model, data) if model is not None and not document.wrong else None
    if contract is None or document.wrong:
        count = "1 thing is" if len(document.wrong) == 1 else f"{len(document.wrong)} things are"
        wrong = sorted(document.wrong, key=lambda violation: int(violation.where.rpartition(":")[2]))
        raise ContractInvalid(f"{count} wrong with this contract", tuple(wrong), where=file)
    return contract


@functools.cache
def _standard() -> jsonschema_rs.Validator:
    text = (resources.files("open_data_contract_standard") / "schema.json").read_text("utf-8")
    return jsonschema_rs.validator_for(json.loads(text), validate_formats=True, offline=True)


def _check_standard(document: Document) -> None:
    errors = list(_standard().iter_errors(document.value))
    places = [tuple(error.instance_path) for error in errors]
    for error, place in zip(errors, places, strict=True):
        untyped = _untyped(document.value, place)
        if untyped is not None:
            # The standard's schema takes a property without a type for one of every type, and complains about maps.
            todo = "say what it is; without a type nothing is checked"
            document.refuse(untyped, "this property has no logicalType", "type", todo)
        elif error.kind.name not in ("additionalProperties", "unevaluatedProperties"):
            document.refuse(place, error.message[:_LONGEST_MESSAGE], f"odcs-{error.kind.name}", "see the ODCS standard")
        # A key whose value is wrong counts as unevaluated too; the value is what to tell.
        elif not any(other[: len(place)] == place and other != place for other in places):
            for name in cast("list[str]", getattr(error.kind, "unexpected", [])):
                what = f"{shown(name)} is no key of the standard here"
                document.refuse((*place, name), what, "unknown-key", "remove it")


def _untyped(value: Any, place: Path) -> Path | None:
    """The outermost property without a logical type on the way to a place."""
    for depth, step in enumerate(place):
        value = value[step]
        is_property = step == "items" or (depth and place[depth - 1] == "properties")
        if is_property and _lacks_type(value):
            return place[: depth + 1]
    return None


def _lacks_type(node: object) -> bool:
    return isinstance(node, dict) and "logicalType" not in node


def _model(document: Document) -> OpenDataContractStandard | None:
    if document.wrong:
        return None
    # These take longer to import than all of ours, and every process has this module: who reads a contract waits.
    from open_data_contract_standard.model import OpenDataContractStandard  # noqa: PLC0415 - as said above
    from pydantic import ValidationError  # noqa: PLC0415 - as said above

    try:
        return OpenDataContractStandard.model_validate(document.value)
    except ValidationError as cause:
        for error in cause.errors():
            document.refuse(tuple(error["loc"]), error["msg"], "odcs-model", "see the ODCS standard")
        return None


def _contract(document: Document, model: OpenDataContractStandard, data: bytes) -> Contract | None:
    if model.apiVersion not in API_VERSIONS:
        what = f"{model.apiVersion} is no version of ODCS that is read here"
        document.refuse(("apiVersion",), what, "api-version", f"write {' or '.join(API_VERSIONS)}")
        return None
    if not NAME.fullmatch(model.name or ""):
        document.refuse(("name",), f"{shown(model.name)} is no name", "name", "write lower-case words joined by -")
    version, status = Version.parse(model.version or ""), _status(document, model)
    if version is None:
        document.refuse(("version",), f"{shown(model.version)} is no version", "version", "write MAJOR.MINOR.PATCH")
    owner, team = _owner(document, model)
    promised = tuple(_service_levels(document))
    ends = _ends(document, promised) if status is Status.DEPRECATED else None
    reading = Reading(document, model.apiVersion)
    record = _record(document, model, reading)
    consumers = tuple(_consumers(model, reading))
    if record is None or version is None or status is None:
        return None
    levels = _measured(document, record)
    personal = personal_of(record, reading)
    searchable = searchable_of(record, reading)
    _refuse_stored_moments(document, levels, personal)
    return Contract(
        id=model.id or "",
        name=model.name or "",
        version=version,
        status=status,
        owner=owner,
        team=team,
        consumers=consumers,
        description=(model.description.purpose or "") if model.description else "",
        record=record,
        rules=tuple(reading.rules),
        measures=(*primary_keys(reading), *reading.measures),
        service_levels=promised,
        levels=levels,
        ends=ends,
        not_enforced=tuple(reading.not_enforced),
        digest=digest(data),
        source=document.file,
        personal=personal,
        searchable=searchable,
    )


def _refuse_stored_moments(document: Document, levels: tuple[Level, ...], personal: Personal | None) -> None:
    """Refuse a level that would keep the newest value of a personal field in clear."""
    for level in levels:
        if personal and level.kind is Kind.LATENCY and personal.covers(level.element):
            what = f"the level {level.said} would store the values of a personal field"
            document.refuse(("slaProperties",), what, "service-level", "measure a field that is not personal")


def _status(document: Document, model: OpenDataContractStandard) -> Status | None:
    if model.status in tuple(Status):
        return Status(model.status)
    document.refuse(("status",), f"{shown(model.status)} is no status", "status", f"write {', '.join(Status)}")
    return None


def _owner(document: Document, model: OpenDataContractStandard) -> tuple[str, str]:
    """Who answers for the contract: the team's member whose role is owner."""
    team = model.team
    members = team if isinstance(team, list) else (team.members or []) if team else []
    owners = [member.username or "" for member in members if member.role == "owner" and not member.dateOut]
    if len(owners) != 1:
        what = f"{len(owners) or 'no'} members of the team are its owner"
        document.refuse(("team",), what, "owner", "give exactly one member the role owner")
    return (owners or [""])[0], "" if team is None or isinstance(team, list) else (team.name or "")


def _service_levels(document: Document) -> list[ServiceLevel]:
    # From the file and not from the model, which would turn a Decimal into a float.
    written = cast("list[dict[str, Any]]", document.value.get("slaProperties") or [])
    return [
        ServiceLevel(
            name=str(level["property"]),
            value=str(level["value"]),
            unit=str(level.get("unit") or ""),
            element=str(level.get("element") or ""),
        )
        for level in written
    ]


def _measured(document: Document, record: Field) -> tuple[Level, ...]:
    levels: dict[str, Level] = {}
    for place, written in enumerate(cast("list[dict[str, Any]]", document.value.get("slaProperties") or [])):
        if not is_measured(written):
            continue
        try:
            found = read_levels(written, record)
        except Refused as cause:
            what = f"{written['property']} cannot be measured: {cause.what}"
            document.refuse(("slaProperties", place), what, "service-level", cause.todo)
            continue
        for level in found:
            if level.said in levels:
                document.refuse(("slaProperties", place), f"{level.said} stands twice", "service-level", "keep one")
            levels[level.said] = level
    return tuple(levels.values())


def _ends(document: Document, levels: tuple[ServiceLevel, ...]) -> date | None:
    for level in levels:
        day = read_exact(Shape.DATE, level.value) if level.name in _ENDS else None
        if isinstance(day, date):
            return day
    todo = 'add a service level "endOfLife" whose value is a day, as in "2027-06-30"'
    document.refuse(("status",), "a deprecated contract does not say when it ends", "ends", todo)
    return None


def _record(document: Document, model: OpenDataContractStandard, reading: Reading) -> Field | None:
    objects = model.schema_ or []
    if len(objects) != 1:
        what = f"{len(objects) or 'no'} objects stand in the schema"
        document.refuse(("schema",), what, "one-record", "describe one record a contract; write one file for each")
        return None
    return read_record(objects[0], reading)


def _consumers(model: OpenDataContractStandard, reading: Reading) -> list[str]:
    consumers: list[str] = []
    for place, custom in enumerate(model.customProperties or []):
        value: object = custom.value
        if custom.property != "consumers":
            reading.leave((), f"the custom property {custom.property}")
        elif isinstance(value, list) and all(isinstance(who, str) for who in cast("list[object]", value)):
            consumers += cast("list[str]", value)
        else:
            at = ("customProperties", place)
            reading.document.refuse(at, "consumers is no list of names", "consumers", "list who reads the data")
    return consumers
