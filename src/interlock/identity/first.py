"""The first person of a tenant, who lets the others in."""

from __future__ import annotations

from uuid import UUID

from interlock.db.database import Database
from interlock.db.writer import Writer
from interlock.errors import StateConflict
from interlock.identity.password import hash_password, make_password
from interlock.identity.people import any_person, make_person
from interlock.identity.person import Role

FIRST_PERSON = "admin"
FIRST_ROLES = (Role.ADMIN, Role.LEAD, Role.OWNER, Role.ENGINEER, Role.AUDITOR)
"""What somebody needs who is alone with it."""


async def make_first(database: Database, writer: Writer, tenant: UUID) -> str | None:
    """Make the first person known, where there is nobody yet. Gives their password for once; it is stored nowhere."""
    if await any_person(database, tenant):
        return None
    password = make_password()
    try:
        await make_person(
            writer, tenant, name=FIRST_PERSON, roles=FIRST_ROLES, who="interlock up", display="Administrator",
            password=await hash_password(password), changes_it=True,
        )  # fmt: skip
    except StateConflict:
        return None  # another process was first, and has said the password
    return password
