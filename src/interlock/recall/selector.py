"""What is recalled: the conditions that a decision must meet, all of them. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from interlock.components.component import ComponentRef
from interlock.contracts import ContractRef
from interlock.db.text import storable
from interlock.errors import Refused
from interlock.lineage.source import Kind as SourceKind
from interlock.lineage.source import Source, read_source

_LONGEST = 1000
_HEX = frozenset("0123456789abcdef")


class Selector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which decisions are recalled; a condition that is not given holds for all.

    Attributes:
        component: Whose answer: ``rules:approve@1``, which also means each published version of that line.
        digest: The beginning of the SHA-256 of that component, in hex: one content of it.
        contract: Which contract the input kept: ``receipt@1`` with all its versions, or ``receipt@1.2.0``.
        source: From which source, as lineage names it: ``job:RUN``, ``event:SOURCE ID``, ``load:NAME``.
        workflow: Of which workflow.
        point: Of which decision point: ``workflow.point``.
        since: Taken then or later.
        until: Taken before then.
    """

    component: str = ""
    digest: str = ""
    contract: str = ""
    source: str = ""
    workflow: str = ""
    point: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def scope(self) -> str:
        """What has to be stopped so that nothing more is decided by it; empty where no stop can say it."""
        if self.component:
            return f"component:{self.component}"
        if self.point:
            return f"point:{self.point}"
        return f"workflow:{self.workflow}" if self.workflow else ""

    @property
    def where(self) -> Source | None:
        """The source, read."""
        return read_source(self.source) if self.source else None

    @property
    def only_cases(self) -> bool:
        """Whether a case that has not been decided meets it, too: nothing is said of its decisions."""
        return not (self.component or self.digest or self.contract or self.point)

    def words(self) -> str:
        """In words, for people."""
        parts = [f"{name} {value}" for name in _WORDS if (value := getattr(self, name))]
        parts += [f"since {self.since:%Y-%m-%d %H:%M:%S} UTC"] if self.since else []
        parts += [f"until {self.until:%Y-%m-%d %H:%M:%S} UTC"] if self.until else []
        return ", ".join(parts)


_WORDS = ("component", "digest", "contract", "source", "workflow", "point")


def check_selector(selector: Selector) -> Selector:
    """A selector that can be carried out, in the form in which it is kept.

    Raises:
        Refused: it says nothing, or something in it is of no such form; it says what would be.
        ContractInvalid: the contract is no reference.
    """
    said = [getattr(selector, name) for name in _WORDS]
    if not any(said) and not (selector.since or selector.until):
        raise Refused(
            "nothing says what is recalled",
            where="selector",
            todo="name a component, a contract, a source, a point, ...",
        )
    for name in _WORDS:
        value = getattr(selector, name)
        if len(value) > _LONGEST or storable(value) != value:
            raise Refused(f"that is no {name} that could be on record", where=name, todo="copy it from a record")
    if selector.component:
        ComponentRef.parse(selector.component)
    if selector.contract:
        ContractRef.parse(selector.contract)
    if selector.source and read_source(selector.source).kind == SourceKind.PUBLICATION:
        raise Refused(
            "a publication is no source that is recalled", where="source", todo="name its component, with its digest"
        )
    if selector.since and selector.until and selector.since >= selector.until:
        raise Refused("until is not after since", where="until", todo="name a span of time that is not empty")
    digest = selector.digest.removeprefix("sha256:").lower()
    # a digest without digits, as of a variable that was empty, would be a condition that all meet
    if selector.digest and (not set(digest) <= _HEX or not 6 <= len(digest) <= 64):  # noqa: PLR2004 - as it is said
        raise Refused(
            f"{selector.digest[:60]!r} begins no SHA-256", where="digest", todo="write 6 to 64 digits from 0 to f"
        )
    return _pointed(msgspec.structs.replace(selector, digest=digest))


def _pointed(selector: Selector) -> Selector:
    """A point that is named in full, and fits its workflow."""
    if not selector.point:
        return selector
    workflow, dot, _ = selector.point.rpartition(".")
    if not dot and selector.workflow:
        return msgspec.structs.replace(selector, point=f"{selector.workflow}.{selector.point}")
    if not workflow or (selector.workflow and selector.workflow != workflow):
        raise Refused(f"{selector.point[:60]!r} is no point of a workflow", where="point", todo="write WORKFLOW.POINT")
    return selector
