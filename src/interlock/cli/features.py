"""Features from the command line: their values into the store, and a value as it was known at a moment."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from interlock.batch.open import open_table
from interlock.batch.rows import Reading
from interlock.batch.table import Place, Table
from interlock.cases.feature_lookup import Declared, find_stored_feature
from interlock.cli.options import Json, commands, who_acts
from interlock.cli.screen import Screen
from interlock.cli.session import with_node
from interlock.contracts import Contract, Field, Shape, Status, Version
from interlock.decisions.features.feature import FeatureRef, is_entity
from interlock.decisions.features.load import Line, LoadReport, load_values
from interlock.decisions.features.store import StoredValue, values_as_of
from interlock.errors import NotFound, Refused
from interlock.node import Node

app = commands()
features = commands("features", "Features: load their values, and see one as it was known at a moment.")
app.add_typer(features)
SOME_REJECTED = 3
"""The exit code where every line is settled, and some were rejected."""

Reference = Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The feature.")]


@features.callback()
def all_features() -> None:
    """Work with the store of features."""


@features.command(name="load")
def load(
    context: typer.Context,
    reference: Reference,
    file: Annotated[str, typer.Argument(metavar="FILE", help=".parquet, .csv, .tsv or .jsonl.")],
    *,
    as_json: Json = False,
) -> None:
    """Load the values of a feature from the columns entity, value and event_at.

    A load that was cut is run again: what is on record already is not recorded twice. Exit code 3: some lines were
    rejected; each is named, up to a hundred.
    """
    screen, ref = Screen(as_json=as_json), FeatureRef.parse(reference)

    async def work(node: Node) -> LoadReport:
        declared = find_stored_feature(node.registry, node.tenant, ref)
        if file.startswith("sql:"):
            raise Refused("values are loaded from a file", where="FILE", todo="name a .parquet, .csv, .tsv or .jsonl")
        table = open_table(file, Reading(contract=_line_contract(declared)))
        source = f"{Path(file).name} (SHA-256 {table.identity.digest[:16]}…)"
        return await load_values(
            node.database,
            node.writer,
            node.tenant,
            node.database.clock.new_id(),
            declared.feature,
            _lines(table),
            source=source,
            violations=declared.library.violations,
        )

    report = with_node(context, work, workflows=True, who=who_acts(""), act="feature.load")
    if as_json:
        told = {"load": report.load, "read": report.read, "taken": report.taken, "rejected": report.rejected}
        screen.document({**told, "why": [{"line": one.line, "what": one.why} for one in report.told]})
    screen.line(f"{report.taken:,} of {report.read:,} values of {ref} are on record.")
    screen.lines(f"line {one.line}: {one.why}" for one in report.told)
    if report.rejected:
        screen.line(f"{report.rejected:,} were rejected.")
        raise typer.Exit(SOME_REJECTED)


@features.command(name="at")
def at(
    context: typer.Context,
    reference: Reference,
    entity: Annotated[str, typer.Argument(help="What the value is about.")],
    *,
    as_of: Annotated[str, typer.Option("--as-of", metavar="TIME", help="With its zone; by default now.")] = "",
    as_json: Json = False,
) -> None:
    """Show a value as a decision at that moment would have seen it: only what held, and was on record, by then."""
    screen, ref = Screen(as_json=as_json), FeatureRef.parse(reference)
    moment = _moment(as_of) if as_of else None
    if not is_entity(entity):
        raise Refused(f"{entity[:60]!r} is nothing that a value is about", where="ENTITY", todo="name one")

    async def work(node: Node) -> StoredValue:
        then = moment or node.database.clock.now()
        (found,) = await values_as_of(node.database, node.tenant, ref, [(entity, then)])
        if found is None:
            what = f"at {then:%Y-%m-%d %H:%M:%S} UTC there was no value of {ref} for {entity[:100]!r}"
            raise NotFound(what, todo="name another moment, or load its values")
        return found

    found = with_node(context, work)
    if as_json:
        screen.document(
            {
                "feature": str(ref),
                "entity": entity,
                "value": msgspec.Raw(found.value),
                "event_at": found.event_at,
                "recorded_at": found.recorded_at,
                "source": found.source,
            }
        )
    screen.facts(
        [
            ("value", found.value.decode()),
            ("holds since", found.event_at.isoformat()),
            ("on record since", found.recorded_at.isoformat()),
            ("source", found.source),
        ]
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(f"{text[:60]!r} is no time", where="--as-of", todo="write it with its zone: 2026-01-31T12:00:00Z")


def _line_contract(declared: Declared) -> Contract:
    """What a table's columns are read as; ``load_values`` then holds each line against the feature itself."""
    feature = declared.feature
    value = Field(name="value", shape=_shape(feature.output), required=True)
    if feature.contract:
        value = msgspec.structs.replace(value, fields=declared.library.contract(feature.contract).record.fields)
    line = (
        Field(name="entity", shape=Shape.STRING, required=True),
        value,
        Field(name="event_at", shape=Shape.TIMESTAMP, required=True),
    )
    return Contract(
        id=str(feature.ref),
        name="feature-line",
        version=Version(1, 0, 0),
        status=Status.ACTIVE,
        owner="",
        team="",
        consumers=(),
        description="One value of a feature.",
        record=Field(name="line", shape=Shape.OBJECT, required=True, fields=line),
        rules=(),
        service_levels=(),
        ends=date.max,
        not_enforced=(),
        digest=hashlib.sha256(msgspec.json.encode(value)).digest(),
        source=str(feature.ref),
    )


def _shape(output: str) -> Shape:
    return Shape.OBJECT if "@" in output else Shape(output)


def _lines(table: Table) -> Generator[Line]:
    for rows in table.chunks(Place()):
        for row in rows:
            wrong = row.wrong
            yield Line(row.number, Refused(wrong.what, todo=wrong.todo) if wrong else row.value)
    table.check_unchanged()
