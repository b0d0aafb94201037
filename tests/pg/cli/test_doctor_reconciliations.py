"""Doctor tells what a reconciliation names and is not there."""

from __future__ import annotations

from pathlib import Path

from interlock.cli.doctor.check import Level
from interlock.cli.doctor.local import check_workflows
from interlock.cli.doctor.reconciliations import check_reconciliations
from interlock.config import FILE, Settings
from interlock.connectors.registry import make_connector

HOWTO = Path(__file__).parents[3] / "docs/howto/take-statements-in.md"
SOURCE = '[reconciliation.bank.actual.house]\nfolder = "in"\n'
CARRIED = 'workflows = ["interlock.packs.reconciliation.workflow:reconciliation"]\n'


def test_a_workflow_that_is_not_carried_and_a_folder_that_is_none_are_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(SOURCE)
    found = list(check_reconciliations(Settings.load({}, {}, tmp_path)))
    assert [one.level for one in found] == [Level.FAIL, Level.FAIL]
    assert "workflows = [" in found[0].todo
    assert "which is no folder" in found[1].what
    (tmp_path / FILE).write_text(CARRIED + SOURCE)
    (tmp_path / "in").mkdir()
    (one,) = check_reconciliations(Settings.load({}, {}, tmp_path))
    assert (one.level, one.what) == (Level.OK, "1 sources")


def test_the_settings_of_the_guide_are_fit_to_run(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(HOWTO.read_text().split("```toml\n")[1].split("```")[0])
    for folder in ("in/house", "in/invoices"):
        (tmp_path / folder).mkdir(parents=True)
    settings = Settings.load({}, {"ERP_URL": "postgresql://erp.example.com/erp"}, tmp_path)
    found = [*check_workflows(settings), *check_reconciliations(settings)]
    assert [one for one in found if one.level is Level.FAIL] == []
    for name, connector in settings.connectors.items():
        make_connector(name, connector)
