"""The OpenAPI 3.1 document, made from what the routes say about themselves, so that it cannot differ from them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from interlock.api.endpoint import Endpoint, Mode, endpoint_of
from interlock.api.keys import Scope
from interlock.api.problems import MEDIA_TYPE, Problem

_REFUSALS = {
    400: "The request is not what this asks for; every violation is named.",
    401: "No key, or one that is unknown or revoked.",
    403: "The key lacks the scope that is named.",
    404: "Nothing of that id in this tenant.",
    409: "Not possible in the state that it is in, or the key came before with another payload.",
    413: "Larger than this takes.",
    415: "The body is said to be something else than this takes.",
    422: "The data break their contract; every violation is named.",
    500: "A failure of ours; the log has it under the trace.",
    503: "No answer in time, or the database does not answer: send it again with the same key.",
}
_ATTRIBUTE = re.compile(r"^    ( *)(\w+): (.*)$")


def describe(app: Litestar, version: str) -> dict[str, Any]:
    """The document of every route that says something about itself.

    Args:
        app: The application, with its routes.
        version: Of the product.
    """
    operations = sorted(_operations(app), key=lambda found: (found[0], found[1]))
    kinds = dict.fromkeys([Problem, *(kind for *_, endpoint in operations for kind in _kinds(endpoint))])
    _, schemas = msgspec.json.schema_components(list(kinds), ref_template="#/components/schemas/{name}")
    _describe_fields(schemas)
    _close_bodies(schemas, (endpoint for *_, endpoint in operations))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, handler, endpoint in operations:
        paths.setdefault(path, {})[method] = _operation(path, handler, endpoint, schemas)
    scopes = ", ".join(Scope)
    key = {"type": "http", "scheme": "bearer", "description": f"An API key, ilk_...; its scopes are some of: {scopes}."}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Interlock",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"key": key}},
    }


def routes_of(app: Litestar) -> list[tuple[str, str]]:
    """Every route that says something about itself, as method and path."""
    return sorted((method.upper(), path) for path, method, *_ in _operations(app))


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler, Endpoint]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            endpoint = endpoint_of(handler.opt)
            if endpoint:
                path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
                yield from ((path, method.lower(), handler, endpoint) for method in handler.http_methods)


def _kinds(endpoint: Endpoint) -> Iterator[Any]:
    yield from endpoint.gives.values()
    yield from (kind for kind in (endpoint.takes, endpoint.asks) if kind is not None)
    yield from (kind for mode in endpoint.modes for kind in (mode.gives,) if kind is not None)


def _operation(path: str, handler: HTTPRouteHandler, endpoint: Endpoint, schemas: Mapping[str, Any]) -> dict[str, Any]:
    text = (handler.fn.__doc__ or "").strip()
    summary, _, rest = text.partition("\n\n")
    media = "application/x-ndjson" if endpoint.lines else endpoint.media or "application/json"
    refuses = {400, 413, 500, 503, *endpoint.refuses, *({401, 403} if endpoint.needs else ())} - set(endpoint.gives)
    if endpoint.takes:
        refuses.add(415)
    operation: dict[str, Any] = {
        "operationId": handler.handler_name,
        "summary": _one_line(summary),
        "parameters": [*_path_parameters(path), *_query_parameters(endpoint, schemas)],
        "responses": {
            **{str(status): _response(kind, media) for status, kind in endpoint.gives.items()},
            **{str(status): _refusal(status) for status in sorted(refuses)},
        },
    }
    if rest:
        operation["description"] = _one_line(rest)
    for mode in endpoint.modes:
        if mode.gives is not None:
            operation["responses"]["200"]["content"][mode.answers] = {"schema": _reference(mode.gives)}
    if endpoint.takes:
        bodies = {media: {"schema": _reference(endpoint.takes)}}
        bodies |= {mode.media: {"schema": _mode_schema(endpoint, mode)} for mode in endpoint.modes}
        operation["requestBody"] = {"required": True, "content": bodies}
        if "key" in schemas[endpoint.takes.__name__]["properties"] and not endpoint.lines:
            what = "An idempotency key, in place of the body's."
            header = {"name": "Idempotency-Key", "in": "header", "description": what, "schema": {"type": "string"}}
            operation["parameters"].append(header)
    if endpoint.needs:
        operation["security"] = [{"key": list(endpoint.needs)}]
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    ids = {"type": "string", "format": "uuid"}
    return [
        {"name": name, "in": "path", "required": True, "schema": ids if name.endswith("_id") else {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(endpoint: Endpoint, schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    if endpoint.asks is None:
        return []
    schema = schemas[endpoint.asks.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": field,
        }
        for name, field in schema["properties"].items()
    ]


def _response(kind: Any, media: str) -> dict[str, Any]:
    what = (kind.__doc__ or kind.__name__).strip().splitlines()[0]
    return {"description": what, "content": {media: {"schema": _reference(kind)}}}


def _refusal(status: int) -> dict[str, Any]:
    return {"description": _REFUSALS[status], "content": {MEDIA_TYPE: {"schema": _reference(Problem)}}}


def _mode_schema(endpoint: Endpoint, mode: Mode) -> dict[str, Any]:
    """Any JSON, or many of what the operation takes one of."""
    return {"type": "array", "items": _reference(endpoint.takes)} if mode.many else {}


def _reference(kind: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _close_bodies(schemas: Mapping[str, Any], endpoints: Iterable[Endpoint]) -> None:
    """Say of each body that fields which it does not have are refused, as they are."""
    for endpoint in endpoints:
        if endpoint.takes is not None and not endpoint.extensible:
            schemas[endpoint.takes.__name__]["additionalProperties"] = False


def _describe_fields(schemas: dict[str, Any]) -> None:
    """Move what a type's documentation says of each field to the field."""
    for schema in schemas.values():
        text, _, attributes = inspect.cleandoc(schema.get("description", "")).partition("Attributes:")
        if text:
            schema["description"] = _one_line(text)
        properties: dict[str, Any] = schema.get("properties", {})
        for name, what in _attributes(attributes.splitlines()):
            if name in properties:
                properties[name]["description"] = what


def _attributes(lines: Iterable[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in lines:
        match = _ATTRIBUTE.match(line)
        if match and not match[1]:
            found.append((match[2], match[3]))
        elif found and line.strip():
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
