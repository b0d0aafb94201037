"""The model of dispatch holds for every kind of connector, and each way of breaking it is found.

What Spin says follows from the model's text alone, so the kinds that take longest are checked by `make model` only;
a model that they were not checked with fails here.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.mark.structures import ParameterSet

import interlock.actions

MODEL = Path(interlock.actions.__file__).parent / "model" / "dispatch.pml"
DEPTH = 400_000
PATIENCE_S = 120.0

missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"{' and '.join(missing)} not found: apt-get install spin gcc, then `make model`"
)

HOLDS = {
    "nothing, to be asked of": "ATTEMPTS=3",
    "transactional": "TRANSACTIONAL",
    "look-up": "LOOKUP",
    "look-up, three attempts": "LOOKUP ATTEMPTS=3 KILLS=0",
    "keys for ever": "HONOURS",
    "keys for a time": "HONOURS FORGETS",
    "keys for ever, look-up": "HONOURS LOOKUP KILLS=0",
    "keys for a time, look-up": "HONOURS FORGETS LOOKUP KILLS=0 REFUSALS=0",
    "voidable": "VOIDS",
    "voidable, look-up": "VOIDS LOOKUP",
    "voidable, keys for a time": "VOIDS HONOURS FORGETS KILLS=0 REFUSALS=0",
    "voidable, keys for a time, look-up": "VOIDS HONOURS FORGETS LOOKUP KILLS=0 UNKNOWNS=0 REFUSALS=0",
}
BROKEN = {
    "no timer": ("LOOKUP NO_TIMER", "effects"),
    "timer armed late": ("LOOKUP ARMED_LATE", "effects"),
    "let go early": ("LOOKUP LET_GO_EARLY", "effects"),
    "no drain": ("LOOKUP NO_DRAIN", "effects"),
    "look-up alone": ("LOOKUP LOOKUP_ALONE", "effects"),
    "clock read after the look-up": ("LOOKUP LOOKED_TOO_EARLY", "effects"),
    "expired key": ("HONOURS FORGETS KEY_TRUSTED", "effects"),
    "key seen before the commit": ("HONOURS FORGETS KEY_SEEN_BEFORE", "effects"),
    "no fence": ("NO_FENCE", "holds"),
    "no fence, as to effects": ("LOOKUP NO_FENCE EFFECTS_ONLY REFUSALS=0", "effects"),
    "not committed before sending": ("LOOKUP UNCOMMITTED", "effects"),
    "person too early, keys": ("HONOURS PERSON_EARLY", "state"),
    "person too early, look-up": ("LOOKUP PERSON_EARLY", "state"),
    "void without a new key": ("VOIDS VOID_SAME_KEY", "excused"),
    "void forgotten by the next worker": ("VOIDS LOOKUP VOID_FORGOTTEN", "excused"),
    "void by a fenced worker": ("VOIDS VOID_UNFENCED", "excused"),
}
ENDS = {
    "nothing, to be asked of": "KILLS=1",
    "look-up": "LOOKUP KILLS=0",
    "voidable, keys for ever": "VOIDS HONOURS KILLS=0 REFUSALS=0",
}
TAKE_LONG = {
    "keys for a time",
    "keys for a time, look-up",
    "voidable, look-up",
    "voidable, keys for a time",
    "voidable, keys for a time, look-up",
    "voidable, keys for ever",
    "voidable",
    "keys for ever, look-up",
}
WHOLLY_CHECKED = "3ce87747f24d933e8a4ac5af45f1946c01a613ad37f08930d3a12619f69c506e"
"""SHA-256 of the model's text with which `make model` passed last."""


def marked(kinds: Iterable[str]) -> list[ParameterSet]:
    """The kinds, those that take long marked so."""
    return [pytest.param(kind, marks=[pytest.mark.long] if kind in TAKE_LONG else []) for kind in kinds]


class Checked(NamedTuple):
    """What Spin found.

    Attributes:
        errors: 0, or 1: it stops at the first.
        states: How many it visited.
        said: The assertion that failed.
        whole: Whether it visited all that there are.
    """

    errors: int
    states: int
    said: str
    whole: bool


def check(folder: Path, flags: str, *, ends: bool = False, soon: bool = False) -> Checked:
    """Check one variant exhaustively; with ``ends``, that no run of it goes on for ever.

    ``soon``: an error is expected within few states, so that compiling is what takes time.
    """
    defines = [f"-D{flag}" for flag in flags.split()]
    kind = "-DNP" if ends else "-DSAFETY"
    run(folder, "spin", "-a", *defines, str(MODEL))
    run(folder, "gcc", "-O0" if soon else "-O1", "-w", kind, "-DNOFAIR", "-DVECTORSZ=512", "-o", "pan", "pan.c")
    # -E: no invalid end states, since the model says itself how it may end; -w: the hash table's size, as a power of 2
    said = run(folder, "./pan", *(["-l"] if ends else []), "-E", f"-m{DEPTH}", "-w22")
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"(\d+) states, stored", said)
    failed = re.search(r"pan:1: (.*?) \(at depth", said)
    assert errors, said
    assert states, said
    whole = "max search depth too small" not in said and "Search not completed" not in said
    return Checked(int(errors[1]), int(states[1]), failed[1] if failed else "", whole)


def run(folder: Path, *command: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S, errors="replace"
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("kind", marked(HOLDS))
def test_at_most_one_effect_a_true_record_and_none_lost(
    tmp_path: Path, kind: str, record_property: Callable[[str, object], None]
) -> None:
    found = check(tmp_path, HOLDS[kind])
    record_property("states", found.states)
    assert found.errors == 0, found.said
    assert found.whole
    assert found.states > (100 if kind == "transactional" else 100_000)


@pytest.mark.parametrize("variant", BROKEN)
def test_what_is_broken_on_purpose_is_found(tmp_path: Path, variant: str) -> None:
    flags, what = BROKEN[variant]
    found = check(tmp_path, flags, soon=True)
    assert found.errors == 1
    assert what in found.said


@pytest.mark.parametrize("kind", marked(ENDS))
def test_no_run_goes_on_for_ever(tmp_path: Path, kind: str) -> None:
    found = check(tmp_path, ENDS[kind], ends=True)
    assert found.errors == 0, found.said
    assert found.whole


def test_the_kinds_that_take_long_were_checked_with_this_model() -> None:
    now = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert now == WHOLLY_CHECKED, f"the model changed: run `make model`, and then write {now} as WHOLLY_CHECKED"


def test_every_broken_variant_is_named_in_the_model_and_its_page() -> None:
    page = MODEL.with_name("README.md").read_text().split("## What is broken on purpose")[1]
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    tried = {flag for flags, _ in BROKEN.values() for flag in flags.split() if "=" not in flag}
    assert named == tried - {"LOOKUP", "HONOURS", "FORGETS", "VOIDS", "EFFECTS_ONLY"}
    head = MODEL.read_text().split("*/")[0]
    assert [name for name in named if name not in head] == []
