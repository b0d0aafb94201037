"""The connector of the page is one: it passes the suite as the page says, and fails it where a promise is taken out."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "write-a-connector.md"
Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes the page's files down, changed where the test says so, and loads the test of the page."""
    blocks = re.findall(
        r'^ *```python title="(\w+)\.py"\n(.*?)^ *```$', PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert [name for name, _ in blocks] == ["drop_box", "test_drop_box"]

    def loaded(old: str = "", new: str = "") -> ModuleType:
        for name, text in blocks:
            assert not old or name != "drop_box" or text.count(old) == 1
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text.replace(old, new) if old else text))
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        return import_module("test_drop_box")

    yield loaded
    for name, _ in blocks:
        sys.modules.pop(name, None)


async def test_it_conforms_as_the_page_says(load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    await load().test_it_conforms(folder)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("os.link(file.name, self._file(key))", "self._file(key).write_bytes(content)", "void-has-no-effect"),
        ("if self._closed or request.deadline", "if self._closed and request.deadline", "late-is-transient"),
        ('return Permanent("its key stands', 'raise KeyError("its key stands', "never-raises"),
        ('code="no-folder"', 'code=""', "failure-has-a-code"),
    ],
)
async def test_it_is_the_suite_that_says_so(load: Load, tmp_path: Path, old: str, new: str, rule: str) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    with pytest.raises(AssertionError, match=rule):
        await load(old, new).test_it_conforms(folder)
