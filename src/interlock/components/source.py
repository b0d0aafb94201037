"""The source of a component's code: the module and what it imports of its own package, so that a digest covers it."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path


def sources(module: str) -> dict[str, bytes]:
    """The source of a module, of its package's ``__init__``, and of all of that package that they import, by name.

    Imports are found by reading, at any depth of the code, so one that runs only sometimes counts too.

    Raises:
        ImportError: there is no such module, or no source of it.
        SyntaxError: a source is no Python.
    """
    package = module.rpartition(".")[0]
    waiting = [module, *([package] if package else [])]
    found: dict[str, bytes] = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _path(name)
        if path is None:
            if name == module:
                raise ImportError(f"there is no source of {module}")
            continue
        found[name] = path.read_bytes()
        is_package = path.name == "__init__.py"
        waiting += [other for other in _imported(found[name], name, is_package=is_package) if _within(other, package)]
    return found


def _within(name: str, package: str) -> bool:
    return bool(package) and (name == package or name.startswith(f"{package}."))


def _path(name: str) -> Path | None:
    """Where a module's source is; None if there is no such module, as for a function that is imported from one."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def _imported(source: bytes, name: str, *, is_package: bool) -> Iterator[str]:
    """Every name that could be a module: ``from a import b`` means ``a`` and perhaps ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = _start(name, node.level, is_package=is_package)
            origin = ".".join(part for part in (start, node.module or "") if part)
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _start(name: str, level: int, *, is_package: bool) -> str:
    """The package that a relative import counts from (PEP 328)."""
    if level == 0:
        return ""
    parts = name.split(".")
    return ".".join(parts[: len(parts) - level + is_package])
