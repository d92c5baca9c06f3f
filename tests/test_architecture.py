"""The map of the house has every module on it, and none that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dropship_pipeline"
APART = {"sandbox", "migrations"}  # a page of its own; frozen
SECTION = re.compile(r"^## ([a-z_/]+)/ — ", re.MULTILINE)


def mapped() -> set[str]:
    """Every module that the map names, as its path in the package."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    _, *parts = SECTION.split(page)
    return {
        f"{room}/{module}"
        for room, text in zip(parts[::2], parts[1::2], strict=True)
        for first_cell in re.findall(r"^\|([^|]+)\|", text, re.MULTILINE)
        for module in re.findall(r"`([a-z_0-9]+\.py)`", first_cell)
    }


def test_every_module_has_its_line_in_the_architecture() -> None:
    modules = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.parent != PACKAGE
        and not path.name.startswith("__")
        and not APART & set(path.relative_to(PACKAGE).parts)
    }
    assert modules - mapped() == set()
    assert mapped() - modules == set()


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "adr"
    listed = set(re.findall(r"\((\d{4}-[^)]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}
