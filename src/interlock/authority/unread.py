"""What stands in for policies that cannot be read: stopping must work even then, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from interlock.authority.actor import Actor, ActorKind
from interlock.authority.judge import Authority, Resource, Verdict, load_authority
from interlock.errors import InterlockError

STOPS = frozenset({"stop.set"})
_UNREAD = "unread"
BECAUSE = "stopping-needs-no-policies"


class UnreadAuthority(Authority):
    """No policies: whoever has the machine's own command line may stop, since nothing here could hold them back.

    Args:
        why: Why they cannot be read.

    Attributes:
        why: Why they cannot be read.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        self.text = self.schema = ""
        self.content = b""
        self.digest = _UNREAD
        self.ids: tuple[str, ...] = ()
        self.acts: tuple[str, ...] = ()

    def judge(self, actor: Actor, act: str, resource: Resource) -> Verdict:  # noqa: ARG002 - what is stopped does not matter
        """An operator may stop; everything else is refused."""
        allowed = actor.kind is ActorKind.OPERATOR and act in STOPS
        return Verdict(allowed=allowed, because=(BECAUSE,) if allowed else (), policies=_UNREAD)


def load_if_readable(folder: Path | None) -> Authority:
    """The policies, or what stands in for them where they cannot be read, whatever is wrong with them."""
    try:
        return load_authority(folder)
    except (InterlockError, OSError, ValueError) as cause:
        return UnreadAuthority(str(cause))
