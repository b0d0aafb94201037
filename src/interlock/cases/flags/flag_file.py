"""Reading the file of flags: variants, a default, targets, and a split by shares. Pure.

The words are those of flagd's files where it has them (state, variants, defaultVariant).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import msgspec

from interlock.cases.flags.flag import LONGEST_NAME
from interlock.contracts import read_json
from interlock.errors import ConfigInvalid, MalformedJson
from interlock.plain_yaml import LARGEST_FILE, Kind, Node, Scalar, parse_yaml
from interlock.plain_yaml import Mapping as YamlMapping
from interlock.plain_yaml import Sequence as YamlSequence
from interlock.spelling import meant

STATES = ("ENABLED", "DISABLED")
FLAG_KEYS = ("state", "variants", "defaultVariant", "targets", "split", "splitBy")
TARGETING_KEY = "targetingKey"

_DOMAIN = b"interlock.cases.flags.split.1\0"
_WHOLE = Fraction(100)


class Target(msgspec.Struct, frozen=True):
    """Who is given a variant by name.

    Attributes:
        variant: The variant.
        values: For each attribute the values of which it must have one.
    """

    variant: str
    values: Mapping[str, tuple[Any, ...]]


class FlagRule(msgspec.Struct, frozen=True, kw_only=True):
    """One flag.

    Attributes:
        enabled: Whether it is evaluated at all; if not, the workflow's default holds.
        variants: The values by their names.
        default: The variant where nothing else is said.
        targets: Who is given which variant, the first that fits.
        split: The variants and their shares of the keys, in percent; they add to 100. Empty: no split.
        split_by: Which attribute decides the split.
    """

    enabled: bool
    variants: Mapping[str, Any]
    default: str
    targets: tuple[Target, ...] = ()
    split: tuple[tuple[str, Fraction], ...] = ()
    split_by: str = TARGETING_KEY


class Chosen(NamedTuple):
    """A variant, and OpenFeature's word for why."""

    variant: str
    reason: str


class NoKey(Exception):
    """The attribute by which a flag is split is not told."""


def choose(name: str, rule: FlagRule, told: Mapping[str, Any]) -> Chosen:
    """The variant for a case.

    A split is by a hash of the flag's name and the key, so a key keeps its variant on every machine, and when the first
    variant's share grows at the cost of the second, keys move to the first one only.

    Args:
        name: The flag's.
        rule: The flag.
        told: The evaluation's attributes, with ``targetingKey``.

    Raises:
        NoKey: it is split by what is not told.
    """
    for target in rule.targets:
        if all(_is_one_of(told.get(name), values) for name, values in target.values.items()):
            return Chosen(target.variant, "TARGETING_MATCH")
    if not rule.split:
        return Chosen(rule.default, "STATIC")
    key = told.get(rule.split_by)
    if key is None or key == "":
        raise NoKey(rule.split_by)
    drawn = hashlib.sha256(_DOMAIN + name.encode() + b"\0" + str(key).encode("utf-8", "surrogatepass")).digest()
    left = Fraction(int.from_bytes(drawn[:16], "big"), 2**128) * _WHOLE
    for variant, share in rule.split:
        left -= share
        if left < 0:
            return Chosen(variant, "SPLIT")
    raise AssertionError("the shares add to 100")


def _is_one_of(value: Any, wanted: tuple[Any, ...]) -> bool:
    return any(type(value) is type(one) and value == one for one in wanted)


def read_flags(data: bytes, file: str) -> Mapping[str, FlagRule]:
    """Read a file of flags: JSON if its name ends so, else YAML.

    Raises:
        ConfigInvalid: it cannot be read, or a flag in it could not be evaluated; the first mistake is named.
    """
    document = _document(data, file)
    _known(document, ("flags",), file)
    flags = _mapping(document.get("flags"), f"{file}: flags")
    return MappingProxyType({name: _flag(name, _mapping(one, f"{file}: {name}"), file) for name, one in flags.items()})


def _flag(name: str, told: Mapping[str, Any], file: str) -> FlagRule:
    where = f"{file}: {name[:60]}"
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ConfigInvalid("is no name of a flag", where=where, todo="use 1 to 200 printable characters")
    _known(told, FLAG_KEYS, where)
    variants = _mapping(told.get("variants"), f"{where}.variants")
    if not variants or any(value is None for value in variants.values()):
        raise ConfigInvalid(
            "has no variants, or an empty one", where=where, todo="write variants: {on: true, off: false}"
        )
    if len({_type(value) for value in variants.values()}) > 1:
        raise ConfigInvalid("its variants are of different types", where=where, todo="give all of them one type")
    state = told.get("state", "ENABLED")
    if state not in STATES:
        raise ConfigInvalid(
            f"{str(state)[:60]!r} is no state", where=f"{where}.state", todo="write ENABLED or DISABLED"
        )
    split_by = told.get("splitBy", TARGETING_KEY)
    if not isinstance(split_by, str) or not split_by:
        raise ConfigInvalid("names no attribute", where=f"{where}.splitBy", todo="write one, as in workflow")
    return FlagRule(
        enabled=state == "ENABLED",
        variants=variants,
        default=_variant(told.get("defaultVariant"), variants, f"{where}.defaultVariant"),
        targets=_targets(told.get("targets", []), variants, f"{where}.targets"),
        split=_split(told.get("split"), variants, f"{where}.split"),
        split_by=split_by,
    )


def _variant(value: Any, variants: Mapping[str, Any], where: str) -> str:
    if not isinstance(value, str) or value not in variants:
        raise ConfigInvalid(f"{str(value)[:60]!r} is no variant", where=where, todo=meant(str(value), variants))
    return value


def _targets(value: Any, variants: Mapping[str, Any], where: str) -> tuple[Target, ...]:
    if not isinstance(value, list):
        raise ConfigInvalid("is no list", where=where, todo="write [{variant: on, workflow: receipts}]")
    targets: list[Target] = []
    for number, one in enumerate(cast("list[Any]", value)):
        told = dict(_mapping(one, f"{where}[{number}]"))
        variant = _variant(told.pop("variant", None), variants, f"{where}[{number}].variant")
        if not told:
            todo = "name what it is for, as in workflow: receipts"
            raise ConfigInvalid("is for everyone", where=f"{where}[{number}]", todo=todo)
        values = {name: tuple(cast("list[Any]", one) if isinstance(one, list) else [one]) for name, one in told.items()}
        targets.append(Target(variant, values))
    return tuple(targets)


def _split(value: Any, variants: Mapping[str, Any], where: str) -> tuple[tuple[str, Fraction], ...]:
    if value is None:
        return ()
    shares: list[tuple[str, Fraction]] = []
    for name, share in _mapping(value, where).items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 100:  # noqa: PLR2004 - %
            raise ConfigInvalid(f"{str(share)[:60]!r} is no percentage", where=f"{where}.{name}", todo="write 0 to 100")
        shares.append((_variant(name, variants, where), Fraction(Decimal(str(share)))))
    total = sum((share for _, share in shares), Fraction(0))
    if total != _WHOLE:
        raise ConfigInvalid(f"the shares add to {float(total):g}", where=where, todo="write shares that add to 100")
    return tuple(shares)


def _type(value: Any) -> str:
    """The type of a variant as OpenFeature tells them apart; a whole number may stand where a number may."""
    if isinstance(value, (dict, list)):
        return "object"
    return "number" if type(value) in (int, float) else type(value).__name__  # pyright: ignore[reportUnknownArgumentType]


def _known(told: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in told:
        if key not in keys:
            raise ConfigInvalid(f"there is no {key[:60]!r} here", where=where, todo=meant(key, keys))


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigInvalid("is no mapping", where=where, todo="write keys and values")
    return cast("dict[str, Any]", value)


def _document(data: bytes, file: str) -> Mapping[str, Any]:
    if len(data) > LARGEST_FILE:
        raise ConfigInvalid(f"it has more than {LARGEST_FILE:,} bytes", where=file, todo="split it")
    if file.endswith(".json"):
        try:
            return _mapping(read_json(data), file)
        except MalformedJson as cause:
            raise ConfigInvalid(cause.what, where=f"{file}: {cause.where}", todo=cause.todo) from cause
    root, unreadable = parse_yaml(data, file)
    if unreadable:
        first = unreadable[0]
        raise ConfigInvalid(first.what, where=first.where, todo=first.todo.replace("workflow: NAME", "flags:"))
    return _mapping(_plain(root), file)


def _plain(node: Node) -> Any:
    """A tree of plain YAML as JSON holds it (core schema, YAML 1.2)."""
    match node:
        case YamlMapping():
            return {entry.key.text: _plain(entry.value) for entry in node.entries}
        case YamlSequence():
            return [_plain(item) for item in node.items]
        case Scalar():
            return _scalar(node)


def _scalar(node: Scalar) -> Any:
    match node.kind:
        case Kind.NULL:
            return None
        case Kind.BOOLEAN:
            return node.text.lower() == "true"
        case Kind.INTEGER if len(node.text) <= 20:  # noqa: PLR2004 - more digits than a flag may have
            return int(node.text, 0 if node.text.lower().startswith(("0x", "0o")) else 10)
        case Kind.INTEGER | Kind.NUMBER:
            return _number(node)
        case _:
            return node.text


def _number(node: Scalar) -> float:
    try:
        value = float(node.text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigInvalid(f"{node.text[:60]!r} is no finite number", where=f"line {node.line}", todo="write digits")
    return value
