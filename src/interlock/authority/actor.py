"""Who acts: a person who is signed in, a program with a key, or somebody at the machine's own command line."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec


class ActorKind(StrEnum):
    """What acts."""

    PERSON = "person"
    """Signed in to the console."""
    PROGRAM = "program"
    """A caller with an API key."""
    OPERATOR = "operator"
    """At the command line, with the database's credentials: nothing here could hold them back, so it is recorded."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts.

    Attributes:
        kind: What acts.
        name: Their name, as the ledger has it.
        tenant: Whose things there are for them.
        roles: A person's roles; a program's scopes.
        teams: The teams of a person: whose queues are theirs.
    """

    kind: ActorKind
    name: str
    tenant: UUID
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


def known_as(name: str) -> str:
    """A name as policies compare it: whoever is ``Ana`` here is ``ana`` and ``cli:ana`` elsewhere, and one person."""
    return name.strip().casefold().removeprefix("cli:")
