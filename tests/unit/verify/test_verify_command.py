from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit.verify.a_log import Log, Signer, canonical, lines

import interlock_verify
from interlock_verify.command import main

PACKAGE = Path(interlock_verify.__file__).parent
KEY = str(Signer())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A good bundle of the entries 1 to 3 of 6."""
    path = tmp_path / "b.json"
    path.write_text(canonical(Log().grow(6).bundle(1, 2, 3, earlier=4)), "utf-8")
    return path


def test_a_copy_of_the_folder_runs_without_any_package(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "alone" / "interlock_verify", ignore=shutil.ignore_patterns("__pycache__"))
    ran = subprocess.run(
        # -S: no installed packages; -E and -s: no paths from elsewhere; -W error: not even a warning
        [sys.executable, "-S", "-E", "-s", "-W", "error", "-m", "interlock_verify", bundle, "--key", KEY],
        cwd=tmp_path / "alone",
        env={"LC_ALL": "C"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"VERIFIED: all of the above is proved." in ran.stdout


def test_it_imports_nothing_but_the_standard_library() -> None:
    names: set[str] = set()
    for file in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    assert names - {"interlock_verify"} <= sys.stdlib_module_names
    assert not names & {"socket", "urllib", "http", "subprocess", "ctypes", "pickle"}


def test_it_says_in_words_what_is_proved(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle), "--key", KEY]) == 0
    root = Log().grow(6).note().split("\n")[2]
    earlier = Log().grow(4).note().split("\n")[2]
    assert capsys.readouterr().out.splitlines() == [
        "log         ledger.example.com/prod",
        f"checkpoint  6 entries, root {root}",
        f"follows     the log of 4 entries, root {earlier}",
        "entries     3 of 3 proved, from index 1 to 3",
        "            0 others stand between them, and nothing is said of those",
        "records     3 are the ones that their entries vouch for",
        "",
        "VERIFIED: all of the above is proved.",
    ]


def test_it_says_in_words_what_is_wrong_and_the_first_thing_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Log().grow(30).bundle()
    for entry in bad["entries"][4:]:
        entry["record"] = "{}"
    (tmp_path / "bad.jsonl").write_bytes(lines(bad))
    assert main([str(tmp_path / "bad.jsonl"), "--key", KEY]) == 1
    said = capsys.readouterr().out
    assert "entries     4 of 30 proved, from index 0 to 3" in said
    first = said.partition("WRONG: 26 failures, the first of them:\n")[2].splitlines()
    assert first[0].startswith("line 6, index 4, id 00000000-")
    assert first[-1] == "and 6 more (--json names up to a thousand)"
    assert "VERIFIED" not in said


def test_it_says_it_to_programs(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bundle), "--key", KEY, "--json"]) == 0
    good = json.loads(capsys.readouterr().out)
    assert good["verified"] is True
    assert good["failures"] == []
    assert good["bundle"]["checkpoint"]["size"] == 6
    assert good["bundle"]["follows"][0]["size"] == 4
    assert (good["bundle"]["entries"], good["bundle"]["proved"], good["bundle"]["whole"]) == (3, 3, False)
    bad = json.loads(bundle.read_text("utf-8"))
    bad["entries"][1]["index"] = 5
    bundle.write_text(json.dumps(bad))
    assert main([str(bundle), "--key", KEY, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["failures_total"]) == (False, 1)
    assert {name: told["failures"][0][name] for name in ("where", "rule", "index")} == {
        "where": "entries[1]",
        "rule": "inclusion",
        "index": 5,
    }
    (tmp_path / "x").write_text("x")
    assert main([str(tmp_path / "x"), "--key", KEY, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["verified"] is False


def test_keys_stand_in_arguments_files_and_folders(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "log.vkey").write_text(f"# handed over on paper\n\n{Signer(2)}\n{KEY}\n")
    (tmp_path / "keys" / ".hidden").write_text("no key")
    assert main([str(bundle), "--key", f"@{tmp_path / 'keys' / 'log.vkey'}"]) == 0
    assert main([str(bundle), "--trust", str(tmp_path / "keys")]) == 0
    assert main([str(bundle), "--key", str(Signer(2)), "--key", KEY]) == 0
    assert main([str(bundle), "--key", str(Signer(2))]) == 1


def test_the_checkpoint_that_was_kept_and_what_was_published_are_compared(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log().grow(8)
    (tmp_path / "kept").write_text(log.note(4), "utf-8")
    (tmp_path / "newer").write_text(log.note(8), "utf-8")
    assert main([str(bundle), "--key", KEY, "--checkpoint", str(tmp_path / "kept")]) == 0
    assert main([str(bundle), "--key", KEY, "--checkpoint", str(tmp_path / "newer")]) == 1
    assert "your checkpoint: ROLLBACK" in capsys.readouterr().out
    other = Log().grow(6)
    other.leaves[0] = other.leaves[1]
    note = other.note()
    row = {"at": "2026-05-01T10:00:00Z", "size": 6, "root": note.split("\n")[2], "note": note}
    (tmp_path / "1.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["--history", str(tmp_path), "--key", KEY]) == 0
    assert "published   1 checkpoints, the newest of 6 entries" in capsys.readouterr().out
    assert main([str(bundle), "--history", str(tmp_path), "--key", KEY, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["rule"] for one in told["failures"]] == ["fork"]
    assert told["history"]["checkpoints"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["BUNDLE"],
        ["BUNDLE", "--key", "x"],
        ["BUNDLE", "--key", "@none"],
        ["BUNDLE", "--key", "@a\x00b"],
        ["BUNDLE", "--trust", "none"],
        ["BUNDLE", "--key", KEY, "--checkpoint", "none"],
        ["BUNDLE", "--key", KEY, "--history", "none"],
        ["BUNDLE", "--key", KEY, "--key", str(Signer(name="other"))],
        ["none", "--key", KEY],
        [".", "--key", KEY],
        ["--key", KEY],
        ["--key", KEY, "--checkpoint", "BUNDLE"],
    ],
)
def test_what_cannot_be_read_is_said_and_is_another_exit_code(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(bundle) if one == "BUNDLE" else one for one in arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("cannot be read: ")
    assert said.out == ""


def test_files_that_are_too_large_for_a_key_or_a_note_are_not_read(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"#" * (1 << 21))
    assert main([str(bundle), "--key", f"@{tmp_path / 'large'}"]) == 2
    assert main([str(bundle), "--key", KEY, "--checkpoint", str(tmp_path / "large")]) == 2


def test_a_wrong_option_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as left:
        main(["--nonsense"])
    assert left.value.code == 2


def test_a_bundle_comes_by_standard_input(bundle: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "interlock_verify", "-", "--key", KEY],
        input=bundle.read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    closed = f"exec {sys.executable} -m interlock_verify - --key {KEY} <&-"
    told = subprocess.run(["sh", "-c", closed], capture_output=True, timeout=60, check=False)
    assert told.returncode == 2
    assert told.stderr.startswith(b"cannot be read: ")
