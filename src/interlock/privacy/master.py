"""Where the master key is: by reference, read anew when it is needed, so that a new one counts without a restart."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from interlock.errors import ConfigInvalid
from interlock.own_file import write_once
from interlock.privacy.keys import KEY_BYTES, MasterKey, written
from interlock.setting_forms import SecretRef

FILE = "privacy.key"
"""The master key of an embedded database, in the data folder."""
_KNOWN_S = 1.0


class MasterKeys:
    """The master key in force, and the one before while keys are wrapped under it still.

    Args:
        current: Where the one in force is; None: nothing personal can be kept.
        previous: Where the one before is.
        beside: The folder in which one is made at the first use, where none is stated; None: none is made.
        environ: Where secrets are that are kept in the environment.
    """

    def __init__(
        self,
        current: SecretRef | None,
        previous: SecretRef | None = None,
        *,
        beside: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._references = (current, previous)
        self._beside = beside
        self._environ = os.environ if environ is None else environ
        self._known: tuple[float, tuple[MasterKey, ...]] = (0.0, ())

    async def all(self) -> tuple[MasterKey, ...]:
        """The one in force, then the one before, if there is one.

        Raises:
            ConfigInvalid: there is none, or what is there is none.
        """
        read_at, keys = self._known
        if keys and time.monotonic() - read_at < _KNOWN_S:
            return keys
        read_at = time.monotonic()
        keys = await asyncio.to_thread(self._read)
        self._known = read_at, keys
        return keys

    def _read(self) -> tuple[MasterKey, ...]:
        current, previous = self._references
        if current is None and self._beside is not None:
            current = made_beside(self._beside)
        if current is None:
            raise ConfigInvalid(
                "there is no master key for personal data, which a contract marks",
                where="privacy_key",
                todo="set privacy_key to env:NAME or file:PATH",
            )
        written_down = [current.resolve(self._environ)]
        if previous is not None and self._is_there(previous):
            written_down.append(previous.resolve(self._environ))
        return tuple(map(MasterKey.parse, written_down))

    def _is_there(self, reference: SecretRef) -> bool:
        """Whether there is such a file or variable: that of the key before goes once nothing is wrapped under it."""
        return reference.name in self._environ if reference.source == "env" else Path(reference.name).exists()


def made_beside(data_dir: Path) -> SecretRef:
    """The master key of an embedded database, which is made at the first use: a file that only its owner reads.

    Raises:
        ConfigInvalid: it cannot be written, or others can read it.
    """
    path = data_dir / FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with suppress(FileExistsError):  # another process was faster
                write_once(path, written(secrets.token_bytes(KEY_BYTES)))
        if path.stat().st_mode & 0o077:
            raise ConfigInvalid("others may read this key", where=str(path), todo=f"chmod 600 {path}")
    except OSError as cause:
        raise ConfigInvalid(f"cannot be made: {cause}", where=str(path), todo="see to the folder's rights") from cause
    return SecretRef("file", str(path))
