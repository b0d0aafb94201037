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
    found: list[Path | None] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [_file_of(alias.name, folder) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.parents[node.level - 1] if node.level else None
            names = [node.module or "", *(f"{node.module or ''}.{alias.name}".lstrip(".") for alias in node.names)]
            found += [_beside(name, package) if package else _file_of(name, folder) for name in names]
    return [file for file in found if file and file.is_relative_to(folder)]


def _beside(name: str, folder: Path) -> Path | None:
    """The module or package of a name that is looked for in a folder."""
    path = folder.joinpath(*filter(None, name.split(".")))
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _file_of(name: str, folder: Path) -> Path | None:
    beside = _beside(name, folder) if name else None
    if beside:
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
