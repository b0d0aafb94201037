"""Reading a tree of plain YAML into values, gathering everything that is wrong instead of stopping at the first. Pure.

A ``Form`` reads one value at one ``Place`` and refuses by raising; the place turns that into a violation with file,
line and dotted key and goes on with the form's blank, which nobody sees: a file with a violation is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from interlock.errors import ManyRefused, Refused, Violation
from interlock.plain_yaml import Kind, Mapping, Node, Scalar, Sequence, describe
from interlock.spelling import meant

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """How one kind of value is written.

    Attributes:
        name: What it is called among the rules that can be broken.
        read: Reads it; raises Refused if it is not of this form.
        blank: Stands in for a value that was refused.
    """

    name: str
    read: Callable[[Place], T]
    blank: T


class Findings:
    """What is wrong with one file, in the order of its lines."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._wrong: list[tuple[int, Violation]] = []

    def add(self, line: int, key: str, what: str, rule: str, todo: str) -> None:
        """Note one thing that is wrong."""
        text = f"{key}: {what}" if key else what
        self._wrong.append((line, Violation(where=f"{self.file}:{line}", what=text, rule=rule, todo=todo)))

    def all(self) -> tuple[Violation, ...]:
        """Everything, by line; what stands on one line stays in the order in which it was found."""
        return tuple(violation for _, violation in sorted(self._wrong, key=lambda found: found[0]))


@dataclass(frozen=True)
class Place:
    """One value of the file.

    Attributes:
        findings: Where to say what is wrong.
        node: The value.
        key: Its dotted key: ``decisions.read.sure_from[0].below``.
    """

    findings: Findings
    node: Node
    key: str

    def refuse(self, what: str, rule: str, todo: str = "") -> None:
        """Say what is wrong here."""
        self.findings.add(self.node.line, self.key, what, rule, todo)

    def take(self, form: Form[T]) -> T:
        """The value, or the form's blank if it is refused."""
        try:
            return form.read(self)
        except ManyRefused as cause:
            for violation in cause.violations:
                self.refuse(f"{violation.where}: {violation.what}", form.name, violation.todo)
        except Refused as cause:
            self.refuse(cause.what, form.name, cause.todo)
        return form.blank

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands here, or an empty text."""
        return isinstance(self.node, Scalar) and not self.node.text.strip()

    def text(self) -> str:
        """The scalar as it was written.

        Raises:
            Refused: a list, a mapping or nothing.
        """
        if not isinstance(self.node, Scalar) or self.node.kind is Kind.NULL:
            raise Refused(f"{describe(self.node)} stands where one value should", todo="write one value")
        return self.node.text

    def items(self) -> tuple[Place, ...]:
        """The values of a list.

        Raises:
            Refused: no list.
        """
        if not isinstance(self.node, Sequence):
            raise Refused(f"{describe(self.node)} stands where a list should", todo="write [one, two]")
        return tuple(Place(self.findings, item, f"{self.key}[{n}]") for n, item in enumerate(self.node.items))

    def entries(self) -> tuple[tuple[str, Place], ...]:
        """The keys and values of a mapping whose keys are names that the file makes up.

        Raises:
            Refused: no mapping.
        """
        if not isinstance(self.node, Mapping):
            raise Refused(f"{describe(self.node)} stands where keys and values should", todo="write {key: value}")
        prefix = f"{self.key}." if self.key else ""
        return tuple(
            (entry.key.text, Place(self.findings, entry.value, prefix + entry.key.text)) for entry in self.node.entries
        )


class Section:
    """A mapping whose keys are known: an unknown one is refused with the one that was meant.

    Args:
        place: Where it stands.
        keys: The known keys.
        gaps: Whether an empty value counts as an absent one, as in a dossier that is being filled in.

    Raises:
        Refused: no mapping stands there.
    """

    def __init__(self, place: Place, keys: Iterable[str], *, gaps: bool = False) -> None:
        self.place = place
        self._known = frozenset(keys)
        entries = dict(place.entries())
        for key in entries.keys() - self._known:
            entries[key].refuse("there is no such key", "unknown-key", meant(key, self._known))
        self._entries = {key: value for key, value in entries.items() if not (gaps and value.is_empty)}

    def at(self, key: str) -> Place | None:
        """The place of a key's value; None if the key is absent."""
        if key not in self._known:
            raise KeyError(key)
        return self._entries.get(key)

    def may(self, key: str, form: Form[T], default: T) -> T:
        """The value of a key, or the default if it is absent."""
        place = self.at(key)
        return default if place is None else place.take(form)

    def need(self, key: str, form: Form[T], todo: str) -> T:
        """The value of a key that must be there; ``todo`` says what to write if it is not."""
        place = self.at(key)
        if place is not None:
            return place.take(form)
        self.place.refuse(f'"{key}" is missing', "missing-key", todo)
        return form.blank


def list_of(form: Form[T]) -> Form[tuple[T, ...]]:
    """A list of values of one form."""
    return Form(form.name, lambda place: tuple(item.take(form) for item in place.items()), ())
