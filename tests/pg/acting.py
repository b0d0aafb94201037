"""Who acts in tests: a person of the queue, as programs with a key speak for them, so that nothing is held."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from interlock.authority.actor import Actor, ActorKind


def acts(
    tenant: UUID, name: str = "rosa", *, kind: ActorKind = ActorKind.PROGRAM, roles: Sequence[str] = ("review",)
) -> Actor:
    """Somebody who may work in a tenant's queue."""
    return Actor(kind=kind, name=name, tenant=tenant, roles=tuple(roles))
