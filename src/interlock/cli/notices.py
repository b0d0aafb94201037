"""Notices: listed, tried, sent again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from interlock.cli.options import As, Json, Limit, commands, who_acts
from interlock.cli.rows import as_document
from interlock.cli.screen import Screen, minute
from interlock.cli.session import load_settings, run_loop, with_node
from interlock.clock import Clock
from interlock.errors import NotFound
from interlock.node import Node
from interlock.notices.notice import Notice
from interlock.notices.send import send
from interlock.notices.store import LIST_NOTICES, RETRY_NOTICES, ListedNotice
from interlock.notify_settings import ChannelKind, Event
from interlock.spelling import meant

app = commands()
group = commands("notices", "Notices: list what people were told of, try a channel, send again.")
app.add_typer(group)


@group.command(name="list")
def list_notices(
    context: typer.Context,
    *,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that are not sent.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List notices, the newest first, with how the last attempt failed."""
    screen = Screen(as_json=as_json)

    async def read(node: Node) -> list[ListedNotice]:
        async with node.database.tenant(node.tenant) as connection:
            return await LIST_NOTICES.all(connection, {"open": waiting, "most": limit})

    found = with_node(context, read)
    if as_json:
        screen.document({"notices": [as_document(one) for one in found]})
    screen.table(
        ("channel", "to", "what", "made", "sent", "attempts", "error"),
        (
            (one.channel, one.recipient, one.line, minute(one.created_at), _sent(one), one.attempts, one.error or "")
            for one in found
        ),
        none="Nobody was told of anything.",
    )


@group.command(name="test")
def try_channel(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel, as the settings name it.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="By mail: to whom.")] = "",
    as_json: Json = False,
) -> None:
    """Send one message through a channel now, to see that it arrives."""
    screen, settings = Screen(as_json=as_json), load_settings(context)
    channel = settings.notify.get(name)
    if channel is None:
        raise NotFound(f"there is no channel {name[:60]!r}", todo=meant(name, settings.notify))
    if channel.kind is ChannelKind.MAIL and not to:
        raise NotFound("nobody is named to whom it goes", where="--to", todo="name an address")
    clock = Clock()
    identity = clock.next_id()
    notice = Notice(
        id=identity, channel=name, recipient=to, kind=Event.DIGEST, subject=identity, letter=identity, attempts=1,
        line="This is a test: nothing has to be done", path="/console",
    )  # fmt: skip

    async def run() -> None:
        await send(channel, [notice], settings.public_url, clock.now())

    run_loop(run)
    if as_json:
        screen.document({"channel": name, "message": identity})
    screen.line(f"{name} took the message {identity}.")


@group.command()
def retry(context: typer.Context, *, who: As = "", as_json: Json = False) -> None:
    """Send again what was given up after too many attempts."""
    screen = Screen(as_json=as_json)

    async def run(node: Node) -> list[UUID]:
        async with node.database.tenant(node.tenant) as connection:
            return await RETRY_NOTICES.all(connection, {"now": node.database.clock.now()})

    found = with_node(context, run, who=who_acts(who), act="notice.manage")
    if as_json:
        screen.document({"notices": len(found)})
    screen.line(f"{len(found)} notices go again.")


def _sent(one: ListedNotice) -> str:
    if one.sent_at:
        return minute(one.sent_at)
    return "given up" if one.failed_at else "waits"
