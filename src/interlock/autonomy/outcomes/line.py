"""One outcome as it is sent, and how it is judged against the decision that it is about. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec

from interlock.autonomy.outcome import RESERVED, SETTLED, Word, last_of, voice_of
from interlock.autonomy.outcomes.store import Judged
from interlock.autonomy.outcomes.table import typed
from interlock.autonomy.terms import AutonomyTerms
from interlock.autonomy.truth import agrees
from interlock.contracts import Contract, canonical
from interlock.contracts.shown import shown
from interlock.errors import KeyReused, Refused
from interlock.money import Money
from interlock.privacy.veil import tokens_of

LONGEST_NAME = 200
LARGEST_TRUTH = 100_000
AHEAD = timedelta(minutes=5)
"""So far may another clock be ahead."""
_SOURCE = re.compile(r"[a-z0-9][a-z0-9._/-]{0,79}\Z")
_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}\Z")
_KEYS = (
    "source",
    "key",
    "decision",
    "point",
    "asked",
    "case",
    "right",
    "truth",
    "label",
    "loss",
    "became_at",
    "replaces",
)


class OutcomeLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one source says of one decision.

    Attributes:
        source: Whose word it is, such as ``collections``.
        decision: The decision's id; or ``point`` with ``asked`` or ``case``.
        point: The full name of the decision point, ``workflow.point``.
        asked: The key under which the point was asked.
        case: The key of the case: of its decisions at that point the newest that holds.
        right: Whether what was proposed was right; None: ``truth`` tells.
        truth: What was true, by fields of the output.
        label: What it is called where it comes from.
        loss: What was lost by it.
        became_at: When it became so; None: now.
        replaces: The key of the source's earlier word that this one corrects.
        key: The source's key; empty: the SHA-256 of all that it says, and of when it became so.
        cells: Whether the truth's values are cells of a table, which are text.
    """

    source: str
    decision: UUID | None = None
    point: str = ""
    asked: str = ""
    case: str = ""
    right: bool | None = None
    truth: dict[str, Any] | None = None
    label: str = ""
    loss: Money | None = None
    became_at: datetime | None = None
    replaces: str = ""
    key: str = ""
    cells: bool = False

    @property
    def kept_key(self) -> str:
        """The key under which it is kept."""
        if self.key:
            return self.key
        told = [self.right, self.truth, self.label, self.loss and str(self.loss), self.became_at, self.replaces]
        return "sha256:" + hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


class OutcomePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a workflow's file says of a point, as far as outcomes need it.

    Attributes:
        output: The contract of its output; None: no file here declares the point.
        purpose: For what it reads personal data; empty: it reads none.
        terms: Its autonomy.
    """

    output: Contract | None = None
    purpose: str = ""
    terms: AutonomyTerms | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Which fields of the output are compared; empty: those that a truth states."""
        return self.terms.outcome.fields if self.terms else ()


class NewSaying(msgspec.Struct, frozen=True, kw_only=True):
    """A word that is new: it has no id and no turn yet."""

    decision: Judged
    source: str
    key: str
    is_right: bool
    truth: bytes | None
    label: str
    hides_label: bool
    loss: Money | None
    became_at: datetime
    replaces: UUID | None = None


def read_line(value: Any, *, source: str = "", ours: bool = False, cells: bool = False) -> OutcomeLine:
    """Read one outcome as JSON or a table brings it.

    Args:
        value: An object with these keys: see ``OutcomeLine``; a Refused, where it could not be read.
        source: Whose word it is where it does not say so.
        ours: Whether the system itself speaks, which may use reserved names of sources.
        cells: Whether the truth's values are cells of a table, which are text.

    Raises:
        Refused: it says nothing, something unknown, or something of another form.
    """
    if isinstance(value, Refused):
        raise value
    if not isinstance(value, Mapping):
        raise Refused("an outcome is an object", todo=f"send {', '.join(_KEYS[:8])} ...")
    said = {name: one for name, one in cast("Mapping[str, Any]", value).items() if one is not None}
    for name in said:
        if name not in _KEYS:
            raise Refused(f"an outcome has no {shown(name)}", where=f"/{name}"[:80], todo=f"it has {', '.join(_KEYS)}")
    texts = {name: _text(said, name) for name in ("point", "asked", "case", "label", "replaces", "key")}
    line = OutcomeLine(
        source=_source(_text(said, "source") or source, ours=ours),
        decision=_id(said),
        right=_flag(said),
        truth=_truth(said),
        loss=_loss(said),
        became_at=_moment(said),
        cells=cells,
        **texts,
    )
    _see_whole(line)
    return line


def judge(
    line: OutcomeLine, it: Judged, point: OutcomePoint, words: Sequence[Word], now: datetime, who: str
) -> NewSaying | Word:
    """What a line comes to: a new word, or the one on record that says the same under the same key.

    What has neither a key nor a time says what is so now: it is known only if it is what its voice says already.

    Args:
        line: The line.
        it: The decision.
        point: What the file says of its point.
        words: All that is on record on it, and what this commit adds before.
        now: The time.
        who: Who brings it.

    Raises:
        Refused: it cannot be an outcome of this decision.
        KeyReused: its source said something else under this key.
    """
    if it.made_up:
        raise Refused(f"decision {it.id} is a known case: what it proposes is made up", todo="leave it out")
    if it.output is None:
        what = f"nothing was proposed in decision {it.id}: a person decided it alone"
        raise Refused(what, todo="send outcomes of what a component proposed")
    voice = voice_of(line.source, who)
    last = last_of(words, voice)
    new = _saying(line, it, point, max(now, last.since[0]) if last else now)  # another process's clock may be ahead
    before = next((one for one in words if one.voice == voice and one.key == new.key), None)
    if before is not None and (line.key or line.became_at or line.replaces):
        return _same(before, new, line)
    if before is not None and last is not None:
        if last.key.partition("#")[0] == new.key:
            return last
        new = msgspec.structs.replace(new, key=f"{new.key}#{len(words) + 1}")  # it says so again
    if line.became_at and line.became_at > now + AHEAD:
        raise Refused(f"{new.became_at.isoformat()} is to come", where="/became_at", todo="send it when it is so")
    if new.became_at < it.decided_at:
        what = f"{new.became_at.isoformat()} is before its decision of {it.decided_at.isoformat()}"
        raise Refused(what, where="/became_at", todo="say when it became so, after the decision")
    _see_currency(new.loss, it, point, words)
    return msgspec.structs.replace(new, replaces=_replaced(line, voice, words)) if line.replaces else new


def _saying(line: OutcomeLine, it: Judged, point: OutcomePoint, now: datetime) -> NewSaying:
    right, truth = line.right, line.truth
    if truth is not None:
        _see_plain(line, it, point)
        if point.output is None:
            raise Refused(
                f"no workflow here declares {it.workflow}.{it.point}, so that nothing says what the truth is",
                where="/truth", todo="say right: true or false",
            )  # fmt: skip
        truth = typed(truth, point.output.record) if line.cells else truth
        found = agrees(msgspec.json.decode(it.output or b"{}"), truth, point.output.record, point.fields)
        if right is not None and right is not found:
            what = f"it says right: {str(right).lower()}, and its truth says {str(found).lower()}"
            raise Refused(what, where="/right", todo="leave one of the two out")
        right = found
    if right is None:
        raise Refused("it says neither whether the proposal was right nor what was true", todo="say right or truth")
    if right and line.loss is not None and line.loss.minor > 0:
        raise Refused(f"the proposal was right, and {line.loss} were lost by it", where="/loss", todo="say one of them")
    guarded = bool(point.purpose) or point.output is None
    if guarded and line.source != SETTLED and line.label and not _CODE.match(line.label):
        what = "this point reads personal data, and its labels are codes: small letters, digits, _ . -, 40 at most"
        raise Refused(what, where="/label", todo="write it as in charged_off")
    return NewSaying(
        decision=it,
        source=line.source,
        key=line.kept_key,
        is_right=right,
        truth=None if truth is None else canonical(truth),
        label=line.label,
        hides_label=guarded,
        loss=line.loss,
        became_at=line.became_at or now,
    )


def _see_plain(line: OutcomeLine, it: Judged, point: OutcomePoint) -> None:
    """See that a truth holds no personal value."""
    if any(tokens_of(line.truth)):
        raise Refused("the truth holds tokens of personal data", where="/truth", todo="say right: true or false")
    personal = point.output.personal if point.output else None
    for name in line.truth or {}:
        if personal and personal.covers((name,)):
            what = f"{name} is personal data at {it.workflow}.{it.point}, and no truth of it is stored"
            raise Refused(what, where=f"/truth/{name}", todo="leave it out, or say right: true or false")


def _see_currency(loss: Money | None, it: Judged, point: OutcomePoint, words: Sequence[Word]) -> None:
    if loss is None:
        return
    wanted = point.terms.currency if point.terms else it.currency
    wanted = wanted or next((one.currency for one in words if one.currency), None)
    if wanted and loss.currency != wanted:
        what = f"{loss} is in another currency than {it.workflow}.{it.point}, which is in {wanted}"
        raise Refused(what, where="/loss", todo=f"send it in {wanted}, with the rate on record")


def _replaced(line: OutcomeLine, voice: tuple[str, str], words: Sequence[Word]) -> UUID:
    found = next((one for one in words if one.voice == voice and one.key == line.replaces), None)
    if found is None:
        what = f"{line.source} said nothing of this decision under the key {shown(line.replaces)}"
        raise Refused(what, where="/replaces", todo="name the key of its earlier word")
    if any(one.replaces == found.id for one in words):
        raise Refused(f"the word {shown(line.replaces)} is corrected", where="/replaces", todo="correct the newer one")
    return found.id


def _same(one: Word, new: NewSaying, line: OutcomeLine) -> Word:
    """The word under the same key, which says the same."""
    told = (one.is_right, one.truth, one.label, one.loss) == (new.is_right, new.truth, new.label, new.loss)
    if told and (line.became_at is None or one.became_at == new.became_at):
        return one
    what = f"{line.source} said something else under the key {shown(new.key)}"
    raise KeyReused(what, holder=str(one.id), where="/key")


################################################################################ forms


def _text(said: Mapping[str, Any], name: str) -> str:
    text = said.get(name, "")
    if not isinstance(text, str) or len(text) > LONGEST_NAME or not (text == "" or text.isprintable()):
        what = f"{name} is no text of at most {LONGEST_NAME} printable characters"
        raise Refused(what, where=f"/{name}", todo="mend it")
    return text


def _source(text: str, *, ours: bool) -> str:
    if not _SOURCE.match(text):
        if not text:
            todo = "name who says so, as in source: bank; of a whole table: --source bank"
            raise Refused("it does not say whose word it is", where="/source", todo=todo)
        what = f"{shown(text)} is no name of a source"
        raise Refused(what, where="/source", todo="use small letters, digits and . _ / -, 80 at most")
    if text in RESERVED and not ours:
        raise Refused(f"{text} is what the system itself says", where="/source", todo="use another name")
    return text


def _id(said: Mapping[str, Any]) -> UUID | None:
    if "decision" not in said or isinstance(said["decision"], UUID):
        return said.get("decision")
    try:
        return UUID(str(said["decision"]))
    except ValueError as cause:
        raise Refused(f"{shown(said['decision'])} is no id", where="/decision", todo="give a decision's id") from cause


def _flag(said: Mapping[str, Any]) -> bool | None:
    right = said.get("right")
    if right is not None and not isinstance(right, bool):
        raise Refused(f"{shown(right)} is neither true nor false", where="/right", todo="say true or false")
    return right


def _truth(said: Mapping[str, Any]) -> dict[str, Any] | None:
    truth = said.get("truth")
    if truth is None:
        return None
    if not isinstance(truth, dict):
        raise Refused("the truth is no object", where="/truth", todo="state fields of the output")
    if len(canonical(cast("Any", truth))) > LARGEST_TRUTH:
        raise Refused(f"the truth has more than {LARGEST_TRUTH:,} bytes", where="/truth", todo="state less of it")
    return cast("dict[str, Any]", truth)


def _loss(said: Mapping[str, Any]) -> Money | None:
    loss = said.get("loss")
    if loss is None or isinstance(loss, Money):
        return loss
    if not isinstance(loss, str):
        raise Refused("the loss is no text", where="/loss", todo='write amount and currency: "12.30 MYR"')
    money = Money.parse(loss)
    if money.minor < 0:
        raise Refused(f"a loss of {money} is below zero", where="/loss", todo="write what was lost, at least 0")
    return money


def _moment(said: Mapping[str, Any]) -> datetime | None:
    value, todo = said.get("became_at"), "write it with its zone: 2026-01-31T12:00:00Z"
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(f"{shown(str(value))} is no time", where="/became_at", todo=todo)


def _see_whole(line: OutcomeLine) -> None:
    by_point = bool(line.asked) is not bool(line.case) and bool(line.point)
    if line.decision is not None and (line.point or line.asked or line.case):
        raise Refused("it names its decision twice", todo="give its id alone, or point and asked, or point and case")
    if line.decision is None and not by_point:
        raise Refused(
            "it does not say which decision it is of", todo="give decision, or point and asked, or point and case"
        )
    if line.right is None and line.truth is None:
        raise Refused("it says neither whether the proposal was right nor what was true", todo="say right or truth")
    if line.decision is None and not all(line.point.rpartition(".")[::2]):
        raise Refused(f"{shown(line.point)} is no point", where="/point", todo="write workflow.point")
