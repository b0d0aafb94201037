from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from interlock.sim import FaultPlan, SimulatedProvider


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedProvider]:
    """One process for a module; its tests use keys of their own."""
    with SimulatedProvider(tmp_path_factory.mktemp("provider") / "book") as provider:
        yield provider


@pytest.fixture
def provider(running: SimulatedProvider) -> Iterator[SimulatedProvider]:
    """A good provider before each test, and again after it."""
    running.start()
    running.set_faults(FaultPlan())
    yield running
    running.set_faults(FaultPlan())


@pytest.fixture
def client(provider: SimulatedProvider) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=provider.url, timeout=10) as client:
        yield client


@pytest.fixture
def book_path(tmp_path: Path) -> Path:
    return tmp_path / "book"
