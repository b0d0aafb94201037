"""What is checked of a bundle, in order; every failure is named, and the first one stays the first."""

from array import array
from base64 import b64encode
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from interlock_verify.bundle import Entry, Header, Place, read_bundle, read_entry
from interlock_verify.checkpoint import Checkpoint, Trust, read_checkpoint
from interlock_verify.leaf import Leaf, check_record, read_leaf
from interlock_verify.merkle import check_consistency, check_inclusion, leaf_hash
from interlock_verify.note import read_note
from interlock_verify.refusal import Unproved, Unreadable, plain

MOST_NAMED = 1_000
"""So many failures are named one by one; the rest are counted."""


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong: its place in the file, the check that failed, why, and which entry it is, if it says."""

    where: str
    rule: str
    what: str
    index: int | None = None
    id: str | None = None

    def __str__(self) -> str:
        index = f", index {self.index}" if self.index is not None else ""
        return f"{self.where}{index}{f', id {self.id}' if self.id else ''}: {self.what}"


@dataclass
class Findings:
    """What was found: what is wrong, and how much is proved.

    Attributes:
        failures: The first failures, in the order in which they were met; ``wrong`` counts all.
        checkpoint: The checkpoint that everything was held against; ``signed`` says whether a trusted key signed it.
        changes: Changes of the log's key that were followed.
        follows: The earlier checkpoints that it is proved to follow.
        entries: Entries that were met; ``good`` counts those that are proved, from index ``first`` to ``last``.
        records: Records that are the ones their entries vouch for.
    """

    failures: list[Failure] = field(default_factory=list[Failure])
    wrong: int = 0
    checkpoint: Checkpoint | None = None
    signed: bool = False
    changes: int = 0
    follows: list[Checkpoint] = field(default_factory=list[Checkpoint])
    entries: int = 0
    good: int = 0
    records: int = 0
    first: int | None = None
    last: int | None = None

    @property
    def whole(self) -> bool:
        """Whether every entry of the signed log is in the bundle, and proved."""
        return self.signed and self.checkpoint is not None and self.good == self.checkpoint.size > 0

    def fail(self, where: str, refused: Exception, index: int | None = None, entry: str | None = None) -> None:
        """Note a failure."""
        self.wrong += 1
        if len(self.failures) < MOST_NAMED:
            rule = refused.rule if isinstance(refused, Unproved) else "form"
            self.failures.append(Failure(where, rule, str(refused), index, entry))

    @contextmanager
    def noting(self, where: str) -> Generator[None]:
        """Note what is refused here, and go on after it."""
        try:
            yield
        except (Unproved, Unreadable) as refused:
            self.fail(where, refused)


class Indexes:
    """The indexes that were met, a bit each: millions of entries need some hundred kilobytes."""

    def __init__(self) -> None:
        self._bits: dict[int, int] = {}

    def take(self, index: int) -> bool:
        """Take an index; gives whether it is new."""
        row, bit = index >> 10, 1 << (index & 1023)
        before = self._bits.get(row, 0)
        self._bits[row] = before | bit
        return not before & bit


class Ids:
    """The ids that were met, ten bytes of a hash each (80 bits: no two of honest billions are alike), in rows."""

    def __init__(self) -> None:
        self._rows: dict[bytes, array[int]] = {}

    def take(self, entry: str) -> bool:
        """Take an id; gives whether it is new."""
        digest = sha256(entry.encode()).digest()
        row = self._rows.setdefault(digest[:2], array("Q"))
        known = int.from_bytes(digest[2:10], "big")
        if known in row:
            return False
        row.append(known)
        return True


def check_bundle(
    stream: BinaryIO, trust: Trust, *, held: str | None = None, published: Mapping[int, bytes] | None = None
) -> Findings:
    """Check a bundle.

    Args:
        stream: The bundle; what is none is ``Unreadable``.
        trust: Keys and origin that the auditor obtained independently; changes of the key are added to it.
        held: An earlier checkpoint of the auditor's own, as a signed note.
        published: Roots by size that the log has published elsewhere: the bundle must be of one of these sizes, or
            prove that it follows the newest of them.
    """
    header, places = read_bundle(stream)
    findings = Findings()
    for number, one in enumerate(header.rotations):
        with findings.noting(f"rotations[{number}]"):
            findings.changes += trust.follow(one)
    now = _check_checkpoint(header, trust, findings, published or {})
    if now is not None:  # without a root there is nothing to hold entries against
        _check_past(header, now, trust, findings, held)
        _check_published(now, findings, published or {})
        _check_entries(places, now, findings)
    return findings


def root_text(checkpoint: Checkpoint) -> str:
    """A checkpoint's root in base64, as it is published."""
    return b64encode(checkpoint.root).decode()


def check_fork(one: Checkpoint, root: bytes | None) -> None:
    """Check that no other root is known for a checkpoint's size; None where none is known."""
    if root is not None and root != one.root:
        raise Unproved(
            f"FORK: two signed trees of {one.size} entries have different roots: two stories are told", "fork"
        )


def _check_checkpoint(
    header: Header, trust: Trust, findings: Findings, published: Mapping[int, bytes]
) -> Checkpoint | None:
    with suppress(Unreadable):  # what is unsigned proves nothing, but shows how much more is wrong
        findings.checkpoint = read_checkpoint(read_note(header.checkpoint).text)
    with findings.noting("checkpoint"):
        now = trust.open(header.checkpoint)
        findings.signed = True
        if header.origin != now.origin:
            raise Unproved(f"the bundle says that it is of '{plain(header.origin)}'", "origin")
        check_fork(now, published.get(now.size))
    return findings.checkpoint


def _check_past(header: Header, now: Checkpoint, trust: Trust, findings: Findings, held: str | None) -> None:
    """Check what the bundle is said to follow, and what the auditor holds."""
    proved: Checkpoint | None = None
    if header.earlier is not None:
        with findings.noting("earlier"):
            earlier = trust.open(header.earlier.checkpoint)
            _check_follows(earlier, now, header.earlier.consistency)
            proved = earlier
            findings.follows.append(earlier)
    if held is not None:
        with findings.noting("your checkpoint"):
            mine = trust.open(held)
            if proved is not None and mine.size == proved.size:
                check_fork(mine, proved.root)
            elif 0 < mine.size < now.size:
                what = f"nothing proves that the bundle follows your checkpoint of {mine.size} entries: ask for a proof"
                raise Unproved(what, "consistency")
            else:
                _check_follows(mine, now, ())
            findings.follows.append(mine)


def _check_follows(earlier: Checkpoint, now: Checkpoint, proof: tuple[bytes, ...]) -> None:
    if earlier.size > now.size:
        what = f"ROLLBACK: the log had {earlier.size} entries and has {now.size} in this bundle: some were taken away"
        raise Unproved(f"{what}, or the bundle is older than this checkpoint", "rollback")
    if earlier.size == now.size:
        check_fork(earlier, now.root)
    check_consistency(earlier.size, now.size, earlier.root, now.root, proof)


def _check_published(now: Checkpoint, findings: Findings, published: Mapping[int, bytes]) -> None:
    """Check that the bundle is of the published log: by its own size, or as one that grew from the newest."""
    if not published or now.size in published:  # the same size is compared with the signature
        return
    newest = max(published)
    with findings.noting("published"):
        for one in findings.follows:
            check_fork(one, published.get(one.size))
        if newest and all(one.size != newest for one in findings.follows):
            what = f"the published checkpoints reach to {newest} entries, and none is of the bundle's {now.size}"
            ask = "get the published folder anew" if now.size > newest else "ask for a bundle of today"
            proof = ", or ask for a bundle that follows the newest one" if now.size > newest else ""
            raise Unproved(f"{what}: nothing proves that both are one log. {ask.capitalize()}{proof}", "consistency")


def _check_entries(places: Iterable[Place], now: Checkpoint, findings: Findings) -> None:
    seen, known = Indexes(), Ids()
    for where, value in places:
        findings.entries += 1
        entry: Entry | None = None
        leaf: Leaf | None = None
        try:
            entry = read_entry(value)
            leaf = read_leaf(entry.leaf)
            _check_entry(entry, leaf, now, seen, known)
        except (Unproved, Unreadable) as refused:
            findings.fail(where, refused, entry.index if entry else None, leaf.id if leaf else None)
        else:
            findings.good += 1
            findings.records += entry.record is not None
            findings.last = entry.index if findings.last is None else max(findings.last, entry.index)
            findings.first = entry.index if findings.first is None else min(findings.first, entry.index)


def _check_entry(entry: Entry, leaf: Leaf, now: Checkpoint, seen: Indexes, known: Ids) -> None:
    check_inclusion(leaf_hash(entry.leaf.encode()), entry.index, now.size, now.root, entry.proof)
    if not seen.take(entry.index):
        raise Unproved("it stands in the bundle twice", "twice")
    if not known.take(leaf.id):
        raise Unproved("another place of the log holds an entry of the same id: what it tells counts once", "twice")
    if entry.record is not None:
        check_record(leaf, entry.record)
