"""What OpenLineage 2-0-2 demands of the events and facets that we send, in our own words, as JSON Schema.

Where the specification's own schemas are beside the repository, they are held against the same events, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

_URI: dict[str, Any] = {"type": "string", "format": "uri"}
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_ID: dict[str, Any] = {"type": "string", "format": "uuid"}


def _record(required: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {**required, **others}, "required": list(required)}


def _facets(**known: dict[str, Any]) -> dict[str, Any]:
    """Facets by name: each says who made it and by which schema, and no other stands there."""
    named = {"_producer": _URI, "_schemaURL": _URI}
    return {
        "type": "object",
        "properties": {name: {"allOf": [_record(named), facet]} for name, facet in known.items()},
        "additionalProperties": False,
    }


_FIELDS: dict[str, Any] = {"type": "array", "items": {"$ref": "#/$defs/field"}}
_FIELD = _record({"name": _TEXT}, type=_TEXT, fields=_FIELDS)
_DATASET = _record(
    {"namespace": _TEXT, "name": _TEXT},
    facets=_facets(
        dataSource=_record({"name": _TEXT, "uri": _URI}),
        version=_record({"datasetVersion": _TEXT}),
        schema=_record({"fields": _FIELDS}),
    ),
)
_NAMED = _record({"namespace": _TEXT, "name": _TEXT})
EVENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"field": _FIELD},
    **_record(
        {
            "eventTime": {"type": "string", "format": "date-time"},
            "producer": _URI,
            "schemaURL": _URI,
            "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
            "run": _record(
                {"runId": _ID},
                facets=_facets(
                    parent=_record({"run": _record({"runId": _ID}), "job": _NAMED}),
                    interlock_decision=_record({"route": _TEXT, "component": _TEXT, "inputHash": _TEXT}),
                    interlock_case=_record({"workflow": _TEXT, "version": _TEXT}),
                    interlock_action=_record({"action": _ID, "state": {"enum": ["done", "undone"]}}),
                ),
            ),
            "job": _record(
                {"namespace": _TEXT, "name": _TEXT},
                facets=_facets(
                    documentation=_record({"description": _TEXT}),
                    sourceCodeLocation=_record({"type": _TEXT, "url": _URI}, version=_TEXT),
                    jobType=_record({"processingType": _TEXT, "integration": _TEXT}, jobType=_TEXT),
                ),
            ),
            "inputs": {"type": "array", "items": _DATASET},
            "outputs": {"type": "array", "items": _DATASET},
        }
    ),
}


def check(event: Any) -> None:
    """Hold an event against the forms."""
    jsonschema_rs.validator_for(EVENT, validate_formats=True).validate(event)


def specification(shared_data: Path) -> Path:
    """The folder of the specification's own schemas: OpenLineage.json, and the facets' beside it."""
    folder = shared_data / "openlineage"
    if not (folder / "OpenLineage.json").is_file():
        pytest.skip(f"the schemas of OpenLineage's specification are not in {folder}")
    return folder


def check_by_specification(event: Any, folder: Path) -> int:
    """Hold an event, and each facet of the standard, against the specification's schemas; how many were held."""
    files = {json.loads(one.read_text())["$id"]: json.loads(one.read_text()) for one in folder.rglob("*.json")}
    registry = jsonschema_rs.Registry(list(files.items()))
    held = 0
    for url, value in _by_schema(event):
        if url.startswith("urn:"):
            continue
        document, _, pointer = url.partition("#")
        assert document in files, url
        schema = {"$ref": f"{document}#{pointer}"}
        jsonschema_rs.validator_for(schema, registry=registry, validate_formats=True).validate(value)
        held += 1
    return held


def _by_schema(event: dict[str, Any]) -> list[tuple[str, Any]]:
    """The event and its facets, each with the schema that it names."""
    found: list[tuple[str, Any]] = [(event["schemaURL"], event)]
    for holder in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        found += [(facet["_schemaURL"], facet) for facet in holder.get("facets", {}).values()]
    return found
