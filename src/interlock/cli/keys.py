"""API keys: made, listed, revoked. A secret is shown once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from interlock.api.keys import ApiKey, Scope, list_keys, make_key, revoke_key
from interlock.authority.judge import Verdict, everything
from interlock.cli.options import As, Json, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import operator, with_node
from interlock.errors import NotFound
from interlock.node import Node

app = commands()
group = commands("keys", "API keys: add, list and revoke them.")
app.add_typer(group)


@group.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who will use it; it stands in the ledger.")],
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it may do; may be given again.")],
    who: As = "",
    as_json: Json = False,
) -> None:
    """Make a key and show its secret, once."""
    screen = Screen(as_json=as_json)
    maker = who_acts(who)

    async def make(node: Node) -> str:
        return await make_key(
            node.database, node.writer, node.tenant, name=name, scopes=scope, who=maker, verdict=_require(node, maker)
        )

    secret = with_node(context, make)
    if as_json:
        screen.document({"name": name, "scopes": scope, "secret": secret})
    screen.line(secret)
    screen.note("Keep it now: it is stored nowhere and cannot be shown again.")


@group.command(name="list")
def list_all(context: typer.Context, *, as_json: Json = False) -> None:
    """List the keys, revoked ones too."""
    screen = Screen(as_json=as_json)
    keys = with_node(context, _read)
    if as_json:
        screen.document({"keys": [as_document(key) for key in keys]})
    screen.table(
        ("id", "name", "scopes", "since", "revoked"),
        ((k.id, k.name, ", ".join(k.scopes), minute(k.created_at), minute(k.revoked_at)) for k in keys),
        none="There is no key yet.",
    )


@group.command()
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or its id.")],
    *,
    who: As = "",
    as_json: Json = False,
) -> None:
    """Revoke a key; the next request with it is refused."""
    screen = Screen(as_json=as_json)
    name = who_acts(who)

    async def end(node: Node) -> ApiKey:
        verdict = _require(node, name)
        named = [one for one in await _read(node) if one.name == key and one.revoked_at is None]
        key_id = named[0].id if named else _id_of(key)
        await revoke_key(node.database, node.writer, node.tenant, key_id, who=name, verdict=verdict)
        return next(one for one in await _read(node) if one.id == key_id)

    ended = with_node(context, end)
    if as_json:
        screen.document(as_document(ended))
    screen.line(f"The key {ended.name} ({ended.id}) is revoked by {name}.")


def _require(node: Node, who: str) -> Verdict:
    return node.authority.require(operator(node, who), "keys.manage", everything(node.tenant))


async def _read(node: Node) -> list[ApiKey]:
    return await list_keys(node.database, node.tenant)


def _id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as cause:
        raise NotFound(f"no key named {text[:60]!r} is in force", todo="`interlock keys list` lists them") from cause
