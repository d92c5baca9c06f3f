"""The map of the house has every module on it, and none that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dropship_pipeline"
APART = {"sandbox", "migrations"}  # a page of its own; frozen


def test_every_module_has_its_line_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    modules = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if not path.name.startswith("__") and not APART & set(path.relative_to(PACKAGE).parts)
    }
    named = set(re.findall(r"`(?:[a-z_]+/)?([a-z_0-9]+\.py)`", page))
    assert modules - named == set()
    assert named - modules == set()


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "adr"
    listed = set(re.findall(r"\((\d{4}-[^)]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}
