"""docs/analysts.md and the notebook beside it: every example runs, and answers something."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment
from typed import Type

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "analysts.md").read_text(encoding="utf-8")
SQL = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

pytestmark = pytest.mark.xdist_group("analysts-page")


def test_every_question_of_the_page_is_answered(synced: Deployment, type_command: Type) -> None:
    assert len(SQL) > 8
    answered = 0
    for question in SQL:
        typed = type_command(["sql", "--csv", question], synced.environment)
        assert typed.status == 0, question + typed.err
        answered += len(typed.out.splitlines()) > 1
    assert answered >= 4, "a catalogue that was synced once has no moves, and no orders"


def test_every_script_of_the_page_runs(synced: Deployment, tmp_path: Path) -> None:
    assert len(PYTHON) == 3
    for script in PYTHON:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env={**clean_environment(), **synced.environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, script + done.stderr


def test_the_notebook_runs_from_end_to_end(synced: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    for name, value in {**synced.environment, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(DOCS / "notebook.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not kept: they age"
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells)
    assert "image/png" in str([cell.outputs for cell in cells])
    assert "prices moved since" in str(cells[-1].outputs)
