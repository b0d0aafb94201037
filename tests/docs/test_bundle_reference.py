"""The example of docs/reference/bundle.md is a bundle, and verifies with the key that stands there."""

from __future__ import annotations

import re
import sys
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.docs.pages import ROOT, blocks

from interlock_verify.check import check_bundle
from interlock_verify.checkpoint import Trust
from interlock_verify.note import read_key

PAGE = ROOT / "docs" / "reference" / "bundle.md"
AUDIT = ROOT / "docs" / "howto" / "audit-the-ledger.md"


def test_the_example_verifies_with_its_key() -> None:
    text = PAGE.read_text("utf-8")
    key = re.search(r"With the key `([^`]+)`", text)
    assert key is not None
    (example,) = (block for block in blocks(PAGE) if block.language == "json")
    findings = check_bundle(BytesIO(example.text.encode()), Trust.of([read_key(key[1])]))
    assert (findings.wrong, findings.good, findings.records) == (0, 1, 1)
    assert [one.size for one in findings.follows] == [2]


def test_every_rule_that_can_fail_is_explained_to_the_auditor() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "interlock_verify").glob("*.py"))
    rules = set(re.findall(r'Unproved\([^()]*(?:\([^()]*\)[^()]*)*"([a-z]+)"\)', source)) | {"form"}
    explained = set(re.findall(r"^\| `([a-z]+)` \|", AUDIT.read_text("utf-8"), re.MULTILINE))
    assert len(rules) > 8
    assert rules <= explained
