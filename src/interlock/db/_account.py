"""Which account of the operating system runs the embedded PostgreSQL.

An ordinary user runs it as himself. PostgreSQL refuses to run as root; root runs it as a numeric user of its own that
no passwd entry names and that no other daemon shares, unlike ``nobody``: its files and processes belong to nobody else.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

import psutil

from interlock.errors import PostgresNotStarted

# systemd's table of user ids (UIDS-GIDS.md) leaves 60706 to 61183 unused; within the 65536 of a container, too.
DEDICATED_IDS = range(60777, 61184)


@dataclass(frozen=True)
class Account:
    """Who runs the server.

    Attributes:
        uid: The server's user id.
        gid: The server's group id.
        client: The name of the user who may connect: the one that runs this process.
        switch: Whether the server runs as another user than this process; this process is root then.
    """

    uid: int
    gid: int
    client: str
    switch: bool


def server_account(pgdata: Path) -> Account:
    """The account for the server of this data directory, which need not exist yet.

    Raises:
        PostgresNotStarted: this user has no name, or the data directory belongs to somebody else.
    """
    me = os.geteuid()
    try:
        name = pwd.getpwuid(me).pw_name
    except KeyError:
        raise PostgresNotStarted(
            f"the user id {me} has no name on this machine, and PostgreSQL asks for it when somebody connects",
            todo="add an entry to /etc/passwd, run as a user who has one, or set a database URL of your own",
        ) from None
    owner = pgdata.stat().st_uid if pgdata.exists() else None
    if me == 0:
        uid = owner or _dedicated_id()
        return Account(uid=uid, gid=uid, client=name, switch=True)
    if owner not in (None, me):
        raise PostgresNotStarted(
            f"the data belong to user id {owner}, this process runs as {name} ({me})",
            where=str(pgdata),
            todo="run as the user who made them, or choose another folder",
        )
    return Account(uid=me, gid=os.getegid(), client=name, switch=False)


def _dedicated_id() -> int:
    named = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in DEDICATED_IDS if uid not in named)


def quiet_account() -> tuple[int, int]:
    """User and group id of a named system account that runs nothing at this moment, for initdb alone.

    initdb refuses a user without a name. It runs for half a second in a folder of root's; its result is handed to the
    dedicated id afterwards. An account without processes has nobody who could interfere meanwhile.

    Raises:
        PostgresNotStarted: there is none.
    """
    busy = {uid for process in psutil.process_iter() for uid in _uids_of(process)}
    named = [entry for entry in pwd.getpwall() if entry.pw_uid != 0 and entry.pw_uid not in busy]
    if not named:
        raise PostgresNotStarted(
            "PostgreSQL does not run as root, and every other account of this machine is in use",
            todo="run as an ordinary user, or set a database URL of your own",
        )
    chosen = min(named, key=lambda entry: (not entry.pw_shell.endswith(("nologin", "false")), entry.pw_uid))
    return chosen.pw_uid, chosen.pw_gid


def _uids_of(process: psutil.Process) -> tuple[int, ...]:
    """The real, effective and saved user id of a process; empty when it is gone."""
    try:
        return tuple(process.uids())
    except psutil.Error:
        return ()
