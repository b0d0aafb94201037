"""People: who they are and which parts they have."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from interlock.authority.actor import Actor, ActorKind

BY_PASSWORD = "password"  # noqa: S105 - it is no password
"""How somebody signed in who did not come by a provider."""


class Role(StrEnum):
    """The parts that a person may have; policies say what each may do."""

    VIEWER = "viewer"
    """Looks at everything but personal data."""
    REVIEWER = "reviewer"
    """Works in the queue."""
    LEAD = "lead"
    """Leads reviewers: reassigns, settles disagreements, decides in bulk, sees how the queue stands."""
    OWNER = "owner"
    """Answers for workflows: stops and resumes them."""
    ENGINEER = "engineer"
    """Mends: quarantine, exceptions, publications, migrations."""
    AUDITOR = "auditor"
    """Looks at everything, with proofs; changes nothing."""
    ADMIN = "admin"
    """Sees to people and their roles; by that alone decides nothing."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person.

    Attributes:
        id: Their id.
        name: What they sign in with, and how the ledger calls them.
        display: How they are shown.
        email: Where they are told of work; None: nowhere.
        roles: Their parts.
        teams: Whose queues and exceptions are theirs.
        created_at: Since when they are known.
        disabled_at: Since when they may not sign in; None: they may.
        changes_it: Whether they must choose a password of their own before anything else.
        epoch: Raised when all their sessions end: those of an earlier one are over.
    """

    id: UUID
    name: str
    display: str
    email: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None = None
    changes_it: bool = False
    epoch: int = 0


class Theme(StrEnum):
    """How a person wants the console to look."""

    AUTO = "auto"
    """As the browser says."""
    LIGHT = "light"
    DARK = "dark"


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A person in one session.

    Attributes:
        session: The session's id.
        tenant: Whose things there are for them.
        tenant_name: Its name.
        person: Their id.
        name: What they sign in with, and how the ledger calls them.
        display: How they are shown.
        email: Where they are told of work.
        roles: Their parts.
        teams: Whose queues and exceptions are theirs.
        changes_it: Whether they must choose a password of their own before anything else.
        theme: How they want the console to look.
        single_keys: Whether keys without Ctrl or Alt do something.
        form_key: What every form of theirs must bring back.
        how: How they proved who they are: ``password``, or the name of the provider.
        opened_at: Since when they are signed in.
        seen_at: When they were last seen, to the minute.
        idle_until: When the session ends if nothing is asked.
        ends_at: When it ends whatever is asked.
    """

    session: UUID
    tenant: UUID
    tenant_name: str
    person: UUID
    name: str
    display: str
    email: str | None
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    changes_it: bool
    theme: Theme
    single_keys: bool
    form_key: str
    how: str
    opened_at: datetime
    seen_at: datetime
    idle_until: datetime
    ends_at: datetime

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return Actor(kind=ActorKind.PERSON, name=self.name, tenant=self.tenant, roles=self.roles, teams=self.teams)
