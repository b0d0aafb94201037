"""Writes small contracts for tests."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent

import pytest

from interlock.contracts import Contract, parse_contract

HEAD = """\
apiVersion: {api}
kind: DataContract
id: test-thing
name: thing
version: {version}
status: {status}
team:
  name: testers
  members:
    - {{username: owner@example.com, role: owner}}
{extra}schema:
  - name: thing
    logicalType: object
    properties:
"""

Describe = Callable[..., Contract]


def write(
    properties: str,
    *,
    quality: str = "",
    version: str = "1.0.0",
    status: str = "active",
    api: str = "v3.1.0",
    extra: str = "",
) -> str:
    text = HEAD.format(api=api, version=version, status=status, extra=extra) + indent(properties, " " * 6)
    return text + (f"\n    quality:\n{indent(quality, ' ' * 6)}" if quality else "")


@pytest.fixture
def describe() -> Describe:
    """Makes a contract of one object from the YAML of its properties."""

    def make(properties: str, **parts: str) -> Contract:
        return parse_contract(write(properties, **parts).encode(), "thing.odcs.yaml")

    return make


@pytest.fixture
def written() -> Callable[..., str]:
    """Makes the text of a contract's file from the YAML of its properties."""
    return write
