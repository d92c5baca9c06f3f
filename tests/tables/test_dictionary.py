"""The data dictionary says what the definitions say, and the page in docs/ is the one they give."""

import subprocess
import sys
from pathlib import Path

import pytest

from dropship_pipeline.tables.dictionary import PAGE, dictionary, main
from dropship_pipeline.tables.registry import ALL_TABLES


def test_the_page_in_docs_is_what_the_definitions_give():
    assert PAGE.read_text(encoding="utf-8") == dictionary(), "write it again with `make docs`"


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.full_name)
def test_every_table_is_described_with_all_its_columns(table):
    page = dictionary()
    section = page.split(f"\n### {table.full_name}\n")[1].split("\n### ")[0]
    assert table.comment in section
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"`{name}`" for name in table.column_names]


def test_every_row_of_the_page_has_as_many_cells_as_its_heading():
    width = 0
    for line in dictionary().splitlines():
        cells = line.replace("\\|", "").count("|")
        if not line.startswith("|"):
            width = 0
        elif width:
            assert cells == width, line
        else:
            width = cells


def test_links_of_the_contents_lead_to_headings():
    page = dictionary()
    anchors = {
        line.removeprefix("### ").replace(".", "").lower() for line in page.splitlines() if line.startswith("### ")
    }
    links = {part.split(")")[0] for part in page.split("](#")[1:]}
    assert links == anchors


def test_a_stale_page_fails_the_check_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page = tmp_path / "tables.md"
    assert main(["--check", "--page", str(page)]) == 1
    page.write_text(dictionary().replace("not null", "null", 1), encoding="utf-8")
    assert main(["--check", "--page", str(page)]) == 1
    assert str(page) in capsys.readouterr().err
    assert main(["--page", str(page)]) == 0
    assert main(["--check", "--page", str(page)]) == 0


def test_another_process_gives_the_same_page():
    script = "import sys; from dropship_pipeline.tables.dictionary import dictionary; sys.stdout.write(dictionary())"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert other.stdout.decode() == dictionary()
