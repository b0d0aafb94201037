"""An OpenFeature provider over one file, read again within a second of its change.

A change that cannot be read is logged and leaves what was read before in force; so does a file that is gone for a
moment, as while an editor replaces it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, ParseError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

from interlock.cases.flags.flag_file import TARGETING_KEY, FlagRule, NoKey, choose, read_flags
from interlock.errors import ConfigInvalid
from interlock.plain_yaml import LARGEST_FILE

log = logging.getLogger("interlock.flags")

LOOK_S = 0.25
"""How often the file is looked at, at most; only when a flag is asked for."""
_JSON = ".json"

T = TypeVar("T")


class _Seen(NamedTuple):
    """What shows that a file has changed."""

    path: str
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class FileProvider(AbstractProvider):
    """Flags from a file of YAML or JSON.

    Args:
        path: The file. One that is not there, with no file of the same name that ends in ``.json``, holds no flag.
        ticks: Seconds that only grow.
    """

    def __init__(self, path: Path, *, ticks: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._path = path
        self._ticks = ticks
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._seen: _Seen | None = None
        self._absent = 0
        self._flags: Mapping[str, FlagRule] = {}
        self._wrong = ""

    def get_metadata(self) -> Metadata:
        """Its name, with the file's."""
        return Metadata(f"file {self._path.name}")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 - OpenFeature's
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """A flag that is on or off."""
        return self._resolve(flag_key, default_value, evaluation_context, (bool,))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """A flag of text."""
        return self._resolve(flag_key, default_value, evaluation_context, (str,))

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A flag of whole numbers."""
        return self._resolve(flag_key, default_value, evaluation_context, (int,))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """A flag of numbers; a whole one in the file is a number, too."""
        found = self._resolve(flag_key, default_value, evaluation_context, (float, int))
        found.value = float(found.value)
        return found

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """A flag of mappings or lists."""
        return self._resolve(flag_key, default_value, evaluation_context, (dict, list))

    def _resolve(
        self, name: str, default: T, context: EvaluationContext | None, types: tuple[type, ...]
    ) -> FlagResolutionDetails[T]:
        """The value for a case.

        Raises:
            ParseError: the file has never been readable.
            FlagNotFoundError: it has no such flag.
            TypeMismatchError: the flag is of another type.
            TargetingKeyMissingError: it is split by what is not told.
        """
        flags, wrong = self._in_force()
        if wrong:
            raise ParseError(wrong)
        rule = flags.get(name)
        if rule is None:
            raise FlagNotFoundError(f"{self._path.name} has no flag {name}")
        if not rule.enabled:
            return FlagResolutionDetails(default, reason="DISABLED")
        told: dict[str, Any] = dict(context.attributes) if context else {}
        told[TARGETING_KEY] = context.targeting_key if context else None
        try:
            chosen = choose(name, rule, told)
        except NoKey as cause:
            raise TargetingKeyMissingError(f"{name} is split by {cause}, which is not told") from cause
        value = rule.variants[chosen.variant]
        if type(value) not in types:
            raise TypeMismatchError(f"{name} is of the type {type(value).__name__}")
        return FlagResolutionDetails(cast("T", value), reason=chosen.reason, variant=chosen.variant)

    def _in_force(self) -> tuple[Mapping[str, FlagRule], str]:
        with self._lock:
            now = self._ticks()
            if now - self._looked >= LOOK_S:
                self._looked = now
                self._look()
            return self._flags, self._wrong

    def _look(self) -> None:
        found = self._find()
        if found is None:
            self._absent += 1
            if self._absent > 1 or self._seen is None:
                self._seen, self._flags, self._wrong = None, {}, ""
            return
        self._absent = 0
        if found == self._seen:
            return
        first, self._seen = self._seen is None, found
        path = Path(found.path)
        try:
            with path.open("rb") as opened:
                flags = read_flags(opened.read(LARGEST_FILE + 1), path.name)
        except (ConfigInvalid, OSError) as cause:
            kept = "no flag is evaluated" if first or self._wrong else "what was read before stays in force"
            log.error("the flags cannot be read, and %s: %s", kept, cause)  # noqa: TRY400 - the cause says it all
            self._wrong = str(cause) if first or self._wrong else ""
        else:
            self._flags, self._wrong = flags, ""

    def _find(self) -> _Seen | None:
        path = file_of(self._path)
        try:
            found = path.stat() if path else None
        except OSError:  # gone since
            return None
        return _Seen(str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if found else None


def file_of(path: Path) -> Path | None:
    """The file of flags, or the one of the same name that ends in ``.json``; None if neither is there."""
    return next((one for one in (path, path.with_suffix(_JSON)) if one.exists()), None)
