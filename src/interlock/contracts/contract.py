"""What a contract is: a versioned agreement on one record, between who produces it and who consumes it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

import msgspec

from interlock.contracts.level import Level
from interlock.contracts.mark import NO_MARK, Mark, Personal
from interlock.contracts.measure import Measure
from interlock.contracts.searchable import Searchable
from interlock.contracts.shown import Path, shown
from interlock.errors import ContractInvalid

ITEMS = "*"
"""The step of a path that stands for every item of an array."""


class Shape(StrEnum):
    """What a field's value is, and how JSON carries it."""

    STRING = "string"
    """A JSON string."""
    DECIMAL = "decimal"
    """An exact number, as a JSON string of plain digits: ``"31.00"``."""
    DATE = "date"
    """A day that exists, as ``"2018-02-28"``."""
    TIMESTAMP = "timestamp"
    """A moment with its offset from UTC, as ``"2018-02-28T09:30:00Z"`` (RFC 3339)."""
    TIME = "time"
    """A time of day without an offset, as ``"09:30:00"``."""
    NUMBER = "number"
    """A JSON number that may be rounded to a double. Never an amount."""
    INTEGER = "integer"
    """A JSON number without point and exponent."""
    BOOLEAN = "boolean"
    """``true`` or ``false``."""
    OBJECT = "object"
    """A JSON object with exactly the named fields."""
    ARRAY = "array"
    """A JSON array whose items are all of one kind."""


Exact = Decimal | date | datetime | time
"""What the text of a decimal, date, timestamp or time stands for; also the bounds of numbers."""


class Bound(msgspec.Struct, frozen=True):
    """One end of a range.

    Attributes:
        value: The end; Decimal for numbers, integers and decimals.
        exclusive: Whether the end itself lies outside.
    """

    value: Exact
    exclusive: bool = False


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field, item or record. What does not apply to its shape is None or empty.

    Attributes:
        name: Its name in JSON; ``*`` for the item of an array.
        shape: What its value is.
        required: Whether it must be there. What is not required may also be null; items of arrays are never null.
        description: In words.
        classification: How sensitive it is, as ODCS leaves it to the organization, such as ``personal``.
        min_length: The fewest characters (code points) of a string.
        max_length: The most.
        pattern: The regular expression that the whole string matches, written with ``^`` and ``$``.
        text_format: A format of a string that has a name: email, uuid, uri, hostname, ipv4, ipv6.
        low: The lower end of the range.
        high: The upper end.
        multiple_of: What an integer or decimal is a whole multiple of.
        digits: The most significant digits of a decimal.
        decimals: The most digits of a decimal after the point.
        choices: The only values; empty for any. Decimals and dates are given as their text.
        missing: Values that stand for none, and are refused; written as they are sent.
        min_items: The fewest items of an array.
        max_items: The most.
        unique_items: Whether all items differ.
        fields: The fields of an object; no others are accepted.
        item: What each item of an array is.
        mark: What the contract says of it as personal data, or for finding; see ``Mark``.
    """

    name: str
    shape: Shape
    required: bool = False
    description: str = ""
    classification: str = ""
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    text_format: str | None = None
    low: Bound | None = None
    high: Bound | None = None
    multiple_of: Decimal | None = None
    digits: int | None = None
    decimals: int | None = None
    choices: tuple[str | int | bool, ...] = ()
    missing: tuple[str | int | bool, ...] = ()
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False
    fields: tuple[Field, ...] = ()
    item: Field | None = None
    mark: Mark = NO_MARK

    def child(self, name: str) -> Field | None:
        """The field of that name within this object."""
        return next((field for field in self.fields if field.name == name), None)


class RuleKind(StrEnum):
    """The rules between fields that are enforced on every record; the set is closed."""

    SAME_LENGTH = "sameLength"
    """All named arrays or strings are equally long."""
    EQUAL = "equal"
    """Both fields have the same value."""
    LESS = "less"
    """The first comes before the second."""
    LESS_OR_EQUAL = "lessOrEqual"
    """The first does not come after the second."""
    REQUIRES = "requires"
    """Where the first is given, the others are too."""
    UNIQUE_BY = "uniqueBy"
    """No two items of the array (the first) agree in the named field of the items (the second)."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule between fields.

    Attributes:
        name: What violations are counted by.
        kind: What is demanded.
        scope: Where it stands: the path of the object, or of the items of an array, whose parts it compares.
        operands: The parts: fields' names, or positions within items that are arrays themselves.
        description: In words.
    """

    name: str
    kind: RuleKind
    scope: Path
    operands: tuple[str, ...] | tuple[int, ...]
    description: str = ""


class Status(StrEnum):
    """Where a contract is in its life: proposed -> active -> deprecated -> retired."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    """Still enforced; ``Contract.ends`` says until when."""
    RETIRED = "retired"


class Version(msgspec.Struct, frozen=True, order=True):
    """A semantic version (semver.org 2.0.0), without labels.

    Attributes:
        major: Raised when something breaks for a producer or a consumer.
        minor: Raised when something is added.
        patch: Raised when only words change.
    """

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """Read ``1.2.0``; None if it is no version."""
        found = _VERSION.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class ServiceLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One promise about the data as a whole, such as its freshness.

    Attributes:
        name: What is promised, such as ``latency``.
        value: How much, as it was written.
        unit: In what unit.
        element: About which field; empty for all.
    """

    name: str
    value: str
    unit: str = ""
    element: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contract:
    """A contract as loaded. Two are equal when their files are, byte for byte; comparing and hashing are cheap.

    Attributes:
        id: The identifier that ODCS demands.
        name: The name that workflows use, such as ``receipt``.
        version: Its version.
        status: Where it is in its life.
        owner: Who answers for it.
        team: The owner's team.
        consumers: Who reads the data, as far as the contract says.
        description: What the data is for.
        record: The one record that it describes; always an object.
        rules: The rules between fields that are enforced.
        measures: What is demanded of many records together; ``check_batch`` enforces it.
        service_levels: What is promised about the data as a whole, as it was written.
        levels: Those of these promises that are measured on what passes the contract.
        ends: The day on which a deprecated contract ends.
        not_enforced: Everything in the file that reads like a demand and is enforced nowhere, each with its place.
        digest: The SHA-256 of the file's bytes.
        source: The file, for messages.
        personal: Which fields are personal data; None: none is.
        searchable: The fields that decisions can be found by, in the file's order.
    """

    id: str
    name: str
    version: Version
    status: Status
    owner: str
    team: str
    consumers: tuple[str, ...]
    description: str
    record: Field
    rules: tuple[Rule, ...]
    service_levels: tuple[ServiceLevel, ...]
    ends: date | None
    not_enforced: tuple[str, ...]
    digest: bytes
    source: str
    measures: tuple[Measure, ...] = ()
    levels: tuple[Level, ...] = ()
    personal: Personal | None = None
    searchable: tuple[Searchable, ...] = ()

    @property
    def reference(self) -> str:
        """The exact name: ``receipt@1.2.0``."""
        return f"{self.name}@{self.version}"

    @property
    def line(self) -> str:
        """The name with its major version, ``receipt@1``: data of all its minor versions are measured as one."""
        return f"{self.name}@{self.version.major}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Contract) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.reference


class ContractRef(msgspec.Struct, frozen=True):
    """How a workflow's file names a contract: ``receipt@1`` (the newest of that major version) or ``receipt@1.2.0``.

    Attributes:
        name: The contract's name.
        major: The major version.
        exact: The whole version, if it was given.
    """

    name: str
    major: int
    exact: Version | None = None

    @classmethod
    def parse(cls, text: str) -> ContractRef:
        """Read a reference.

        Raises:
            ContractInvalid: not of that form.
        """
        name, _, version = text.partition("@")
        exact = Version.parse(version)
        if NAME.fullmatch(name) and exact:
            return cls(name, exact.major, exact)
        if NAME.fullmatch(name) and _MAJOR.fullmatch(version):
            return cls(name, int(version))
        what = f"{shown(text)} names no contract"
        raise ContractInvalid(what, (), todo="write NAME@MAJOR or NAME@MAJOR.MINOR.PATCH, as in receipt@1")

    def fits(self, contract: Contract) -> bool:
        """Whether the reference may mean this contract."""
        if contract.name != self.name:
            return False
        return contract.version == self.exact if self.exact else contract.version.major == self.major

    def __str__(self) -> str:
        return f"{self.name}@{self.exact or self.major}"


NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAJOR = re.compile(r"0|[1-9][0-9]{0,5}")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
