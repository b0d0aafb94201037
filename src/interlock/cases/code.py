"""The version of a workflow's code, by content: its module, the project modules that it imports, the lock file."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from uuid import UUID

from interlock.db.gates import short_digest

LOCK_FILES = ("requirements.lock", "pylock.toml", "uv.lock", "poetry.lock")


def code_of(module: Path) -> UUID:
    """16 bytes over a workflow's code: a case finishes on the code that it began on.

    Args:
        module: The file that holds the workflow. The project is the folder that it stands in, with all below it.
    """
    parts: list[bytes] = []
    for path in _modules(module.resolve()):
        parts += [path.relative_to(module.resolve().parent).as_posix().encode(), path.read_bytes()]
    lock = _lock_file(module.resolve().parent)
    if lock:
        parts += [lock.name.encode(), lock.read_bytes()]
    return short_digest(*parts)


def _modules(first: Path) -> list[Path]:
    """The module and the modules below its folder that it imports, directly or not; in order of their paths."""
    folder = first.parent
    found, waiting = set[Path](), [first]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += [other for other in _imported(path, folder) if other not in found]
    return sorted(found)


def _imported(path: Path, folder: Path) -> list[Path]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [file for name in names if (file := _file_of(name, folder))]


def _file_of(name: str, folder: Path) -> Path | None:
    beside = folder.joinpath(*name.split(".")).with_suffix(".py")
    if beside.is_file():
        return beside
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = Path(spec.origin).resolve() if spec and spec.origin and spec.origin.endswith(".py") else None
    return origin if origin and origin.is_relative_to(folder) else None


def _lock_file(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        for name in LOCK_FILES:
            if (parent / name).is_file():
                return parent / name
        if (parent / ".git").exists():
            return None
    return None
