"""What a workflow's file must say of personal data: refused at load where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pg.privacy.raises.raises import raises

from interlock.cases.case import Case
from interlock.cases.purpose_check import check_marks
from interlock.cases.registry import Registered, Registry, register
from interlock.cases.workflow import workflow
from interlock.contracts import check, load_contract, parse_contract
from interlock.errors import ContractInvalid, DeclarationInvalid, PurposeRefused, Refused
from interlock.privacy.purpose import needs_purpose
from interlock.privacy.unsaid import check_key, without_values
from interlock.privacy.veil import Veil

FOLDER = raises.folder
FILE = (FOLDER / "raises.workflow.yaml").read_text("utf-8")


def loaded(tmp_path: Path, *changes: tuple[str, str]) -> Registered:
    """The workflow with some words of its file changed."""
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / "raises.workflow.yaml"
    file.write_text(text, "utf-8")

    async def body(case: Case) -> None:
        """Nothing."""

    return register(workflow("raises", version="1", file=file)(body), (FOLDER,))


def test_the_file_is_loaded_with_its_purposes(tmp_path: Path) -> None:
    registered = loaded(tmp_path)
    assert registered.declaration.personal
    assert registered.declaration.decisions["approve"].purpose == "payroll"
    assert registered.declaration.actions["tell"].purpose == "payroll"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    purpose: payroll\n    checks", "    checks", "is personal: it may be read for audit, payroll, and none"),
        (
            "    purpose: payroll\n    checks",
            "    purpose: audit\n    checks",
            "/born of raise-request@1.0.0 is personal",
        ),
        (
            "    purpose: payroll\n    checks",
            "    purpose: payroll\n    exposure: input.salary EUR\n    checks",
            "input.salary",
        ),
    ],
)
def test_what_a_point_may_not_read_is_refused_at_load(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid) as caught:
        loaded(tmp_path, (old, new))
    assert said in str(caught.value), str(caught.value)


def test_a_feature_that_is_looked_up_by_a_person_is_refused(tmp_path: Path) -> None:
    feature = (
        "features:\n  past@1: {table: features, entity: input.email, output: integer, max_age: 1h}\n\ndecisions:\n"
    )
    with pytest.raises(DeclarationInvalid, match="is looked up by email, which is personal"):
        loaded(tmp_path, ("decisions:\n", feature), ("    checks:", "    features: [past@1]\n    checks:"))


def test_a_version_that_a_point_may_not_read_is_not_published() -> None:
    registry = Registry([register(raises)])
    text = (FOLDER / "contracts" / "raise-answer@1.odcs.yaml").read_text("utf-8")
    check_marks(registry, parse_contract(text.encode(), "raise-answer@1.odcs.yaml"))
    other = text.replace("[payroll, audit]", "[audit]")
    with pytest.raises(ContractInvalid) as caught:
        check_marks(registry, parse_contract(other.encode(), "raise-answer@1.odcs.yaml"))
    (wrong,) = caught.value.violations
    assert (wrong.where, wrong.what) == ("raises.approve", "it may not read /email for payroll")
    elsewhere = other.replace("raise-answer", "raise-letter")
    check_marks(registry, parse_contract(elsewhere.encode(), "raise-letter@1.odcs.yaml"))


def test_a_contract_says_which_field_a_purpose_may_not_read() -> None:
    contract = load_contract(FOLDER / "contracts" / "raise-request@1.odcs.yaml")
    needs_purpose(contract, "payroll")
    for purpose in ("audit", "", "PAYROLL"):
        with pytest.raises(PurposeRefused):
            needs_purpose(contract, purpose)


def test_violations_keep_their_place_and_rule_and_lose_their_value() -> None:
    contract = load_contract(FOLDER / "contracts" / "raise-request@1.odcs.yaml")
    value = {"email": "no address", "Ada Lovelace": 1, "salary": "x", "born": "1815-12-99", "grade": 1.5}
    told = without_values(contract, check(contract, value))
    assert {one.where for one in told} >= {"/email", "/salary", "/born", "/grade", "/(unknown)"}
    for clear in ("no address", "Lovelace", "1815", "1.5"):
        assert clear not in "".join(map(str, told))


def test_a_key_may_not_name_a_person() -> None:
    veil = Veil()
    veil.note("/name", "Ada", "{personal}")
    with pytest.raises(Refused, match="the key repeats a personal value"):
        check_key("raise-ada-7", veil)
    check_key("raise-7", veil)
