from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interlock.components.component import ComponentRef, Kind, Question
from interlock.components.registry import components_in, load_component, pack_roots
from interlock.components.rules import Rules
from interlock.errors import ComponentFailed, ComponentInvalid, NotFound, Refused, RulesInvalid

sys.path.insert(0, str(Path(__file__).parent))
from rules_files import dump, simple

RULES = ComponentRef(Kind.RULES, "limit", "1")


def write(root: Path, name: str, answer: str = "'fine'") -> None:
    (root / "components").mkdir(parents=True, exist_ok=True)
    (root / "components" / f"{name}.rules.json").write_bytes(dump(simple(("", answer))))


def test_the_first_folder_that_has_it_counts_and_the_same_content_is_loaded_once(tmp_path: Path) -> None:
    write(tmp_path / "one", "limit@1", "'one'")
    write(tmp_path / "two", "limit@1", "'two'")
    first = load_component(RULES, [tmp_path / "none", tmp_path / "one", tmp_path / "two"])
    assert isinstance(first, Rules)
    assert first.ref == RULES
    question = Question(input={"total": "1"}, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert first.answer(question).output == {"out": "one"}
    assert load_component(RULES, [tmp_path / "one"]) is first
    other = load_component(RULES, [tmp_path / "two"])
    assert other.digest != first.digest
    write(tmp_path / "one", "limit@1", "'changed'")
    assert load_component(RULES, [tmp_path / "one"]) is not first


def test_what_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    write(tmp_path, "limit@1")
    with pytest.raises(NotFound, match="no component rules:limit@2") as missing:
        load_component(ComponentRef(Kind.RULES, "limit", "2"), [tmp_path])
    assert missing.value.where == str(tmp_path / "components")
    assert 'did you mean "rules:limit@1"' in missing.value.todo
    with pytest.raises(NotFound, match="onnx:limit@1"):
        load_component(ComponentRef(Kind.ONNX, "limit", "1"), [tmp_path])
    with pytest.raises(NotFound, match="no folder"):
        load_component(RULES, [])
    assert components_in([tmp_path]) == ("rules:limit@1",)


def test_a_file_that_says_it_is_another_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "other@1")
    with pytest.raises(RulesInvalid, match="holds rules:limit@1"):
        load_component(ComponentRef(Kind.RULES, "other", "1"), [tmp_path])
    folder = tmp_path / "components" / "model@2"
    folder.mkdir()
    (folder / "sign.onnx").write_bytes(b"")
    manifest = "kind: onnx\nname: model\nversion: '1'\nmodels: {sign: sign.onnx}\nread: interlock.money:exponent\n"
    (folder / "component.yaml").write_text(manifest)
    with pytest.raises(ComponentInvalid, match="holds onnx:model@1"):
        load_component(ComponentRef(Kind.ONNX, "model", "2"), [tmp_path])


@pytest.mark.parametrize("name", ["../limit", "a/b", ".hidden", "", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="names no file"):
        load_component(ComponentRef(Kind.RULES, name, "1"), [tmp_path])
    with pytest.raises(Refused, match="names no file"):
        load_component(ComponentRef(Kind.ONNX, "a", name), [tmp_path])


def test_a_person_is_asked_by_a_review() -> None:
    person = load_component(ComponentRef.parse("person"), [])
    assert str(person.ref) == "person"
    assert len(person.digest) == 32
    with pytest.raises(ComponentFailed, match="review"):
        person.answer(Question(input={}, now=datetime(2026, 1, 1, tzinfo=UTC)))


def test_packs_are_found_by_their_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = tmp_path / "some_pack-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: some-pack\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text("[interlock.packs]\nsome = some_pack\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    with pytest.raises(Refused, match="no package"):
        pack_roots()
    (tmp_path / "some_pack").mkdir()
    (tmp_path / "some_pack" / "__init__.py").write_text("")
    assert tmp_path / "some_pack" in pack_roots()
