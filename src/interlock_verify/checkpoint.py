"""Checkpoints as in C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint), and the change of a log's key.

A log changes its key across checkpoints that the old key and the new one have both signed: both vouch for one tree. For
those who trust the old one only such a checkpoint names the new one in an extension line:

    ORIGIN
    SIZE
    ROOT
    next-key VERIFIER-KEY

From that size on the old key counts no longer, and whoever finds it can name no other successor.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from interlock_verify.merkle import HASH_BYTES, MOST_LEAVES
from interlock_verify.note import Key, Note, exact_base64, read_key, read_note
from interlock_verify.refusal import Unproved, Unreadable, plain

_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z", re.ASCII)
_BODY_LINES = 3
_NEXT_KEY = "next-key "


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: its name, its number of leaves, the root of its tree (32 bytes), and further lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def next_key(self) -> Key | None:
        """The key that takes over here, if this checkpoint changes the key.

        Raises:
            Unreadable: There are two, or what it names is no key.
        """
        named = [line.removeprefix(_NEXT_KEY) for line in self.extensions if line.startswith(_NEXT_KEY)]
        if len(named) > 1:
            raise Unreadable("a checkpoint names two next keys")
        return read_key(named[0]) if named else None


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from the text of its note, without the signatures.

    Raises:
        Unreadable: It is none.
    """
    lines = text.split("\n")
    if len(lines) <= _BODY_LINES or lines.pop() or not all(lines):
        raise Unreadable("a checkpoint is three lines or more, none of them empty, each with its newline")
    origin, size, root = lines[:_BODY_LINES]
    if not _SIZE.match(size) or int(size) > MOST_LEAVES:
        raise Unreadable(f"'{plain(size)}' is no size of a tree: decimal, without leading zeros")
    hashed = exact_base64(root)
    if len(hashed) != HASH_BYTES:
        raise Unreadable(f"'{plain(root)}' is no root: {len(hashed)} bytes instead of {HASH_BYTES}")
    return Checkpoint(origin, int(size), hashed, tuple(lines[_BODY_LINES:]))


@dataclass
class Trust:
    """The log that is meant, its keys by name and id, from which size on one counts no longer, and what follows it."""

    origin: str
    keys: dict[tuple[str, bytes], Key]
    replaced: dict[Key, int] = field(default_factory=dict[Key, int])
    successors: dict[Key, Key] = field(default_factory=dict[Key, Key])

    @classmethod
    def of(cls, keys: Iterable[Key], origin: str = "") -> "Trust":
        """Trust in keys that were obtained independently; the log's name is theirs, where none is given.

        Raises:
            Unreadable: There is no key, or they bear several names and no origin says which log is meant.
        """
        held = {(key.name, key.id): key for key in keys}
        names = sorted({key.name for key in held.values()})
        if not names:
            raise Unreadable("no verifier key: give the log's with --key or --trust")
        if not origin and len(names) > 1:
            raise Unreadable(
                f"the keys bear several names ({', '.join(map(plain, names))}): say with --origin which log"
            )
        return cls(origin or names[0], held)

    def open(self, text: str) -> Checkpoint:
        """A checkpoint that a trusted key has signed. The next key that it names must have signed it, too.

        Raises:
            Unreadable: It is none.
            Unproved: No key that counts has signed it, it is another log's, or the next key has not signed it.
        """
        note = read_note(text)
        checkpoint = read_checkpoint(note.text)
        signers = note.signers(self.keys)
        if checkpoint.origin != self.origin:
            raise Unproved(f"it is of the log '{plain(checkpoint.origin)}', not of '{plain(self.origin)}'", "origin")
        if all(self.replaced.get(key, MOST_LEAVES) < checkpoint.size for key in signers):
            gone = signers[0]
            raise Unproved(f"{gone} has signed it, which was replaced at size {self.replaced[gone]}", "signature")
        if key := checkpoint.next_key:
            self._change(note, checkpoint, key, signers)
        return checkpoint

    def follow(self, text: str) -> bool:
        """Follow a change of the log's key, a checkpoint that two keys have signed; gives whether a trusted one has.

        If none has, it is about keys before the trusted ones: it is passed over, and nobody is trusted for it.
        Raises as ``open`` does.
        """
        note = read_note(text)
        if len({(one.name, one.id) for one in note.signatures}) == 1:
            raise Unreadable("a change of the key bears the signature of one key only")
        if not any((one.name, one.id) in self.keys for one in note.signatures):
            return False
        self.open(text)
        return True

    def _change(self, note: Note, checkpoint: Checkpoint, key: Key, signers: tuple[Key, ...]) -> None:
        try:
            note.signers({(key.name, key.id): key})
        except Unproved as refused:
            raise Unproved(f"the next key has not signed its own change: {refused}", "rotation") from None
        others = [one for one in signers if one != key]
        gone = [one for one in others if self.successors.get(one, key) != key]
        if gone and len(gone) == len(signers):  # a key that is given up is not guarded any more
            what = f"{gone[0]} names {key} as its next key, and was replaced by {self.successors[gone[0]]} before"
            raise Unproved(what, "rotation")
        self.keys[key.name, key.id] = key
        for old in others:
            self.successors.setdefault(old, key)
            self.replaced[old] = min(self.replaced.get(old, MOST_LEAVES), checkpoint.size)
