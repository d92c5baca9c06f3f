"""The command line as such: what it lists, what it imports, how it ends."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from deployment import Deployment, clean_environment
from typed import Type

from dropship_pipeline.cli import reference
from dropship_pipeline.cli.commands import COMMANDS, run

pytestmark = pytest.mark.xdist_group("commands")  # what is set up once is set up once

DROPSHIP = [sys.executable, "-m", "dropship_pipeline.cli"]
ROOT = Path(__file__).parents[2]
LEAVES = [
    (path, context) for path, context in reference.every_command() if not isinstance(context.command, click.Group)
]


def processor_seconds(arguments: list[str], variables: dict[str, str], folder: Path) -> float:
    """Seconds of processor time of a command, the least of three: the machine may be busy with other things."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*DROPSHIP, *arguments], env=variables, cwd=folder, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def test_help_lists_every_command(type_command: Type) -> None:
    shown = type_command(["--help"])
    assert shown.status == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name}" in shown.out
        assert line in shown.out
    assert type_command(["-h"]).out == shown.out


def test_nothing_typed_shows_the_help_and_is_a_usage_error(type_command: Type) -> None:
    typed = type_command([])
    assert typed.status == 2
    assert "Commands:" in typed.err


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"], ["sandbox", "--help"], ["db", "--help"]])
def test_help_imports_nothing_that_takes_time(arguments: list[str]) -> None:
    program = (
        "import json, sys; from dropship_pipeline.cli.commands import run; "
        f"status = run({arguments!r}); print(json.dumps(sorted(sys.modules)), file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "dagster",
        "pyarrow",
        "sqlalchemy",
        "pandas",
        "pydantic",
        "rich",
        "aiohttp",
        "requests",
        "uvicorn",
        "psycopg2",
    }
    assert heavy & {name.partition(".")[0] for name in json.loads(done.stderr)} == set()


def test_help_takes_less_than_three_tenths_of_a_second_of_the_processor(tmp_path: Path) -> None:
    assert processor_seconds(["--help"], clean_environment(), tmp_path) < 0.3


def test_status_takes_less_than_a_second_of_the_processor(synced: Deployment, tmp_path: Path) -> None:
    assert processor_seconds(["status"], {**clean_environment(), **synced.environment}, tmp_path) < 1.0


@pytest.mark.parametrize(("path", "context"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_command_explains_itself_with_an_example_and_each_option(path: str, context: click.Context) -> None:
    shown = context.get_help()
    first = shown.index("\n\n")
    assert f"{path}" in shown[first:].replace("$(", "").split("Options:")[0], "an example"
    for parameter in context.command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_page_of_the_commands_is_what_they_say_and_the_readme_leads_to_it() -> None:
    assert reference.main(["--check"]) == 0
    assert "](docs/commands.md)" in (ROOT / "README.md").read_text()
    page = (ROOT / "docs" / "commands.md").read_text()
    for path, _ in reference.every_command():
        assert f"\n## {path}\n" in page


def test_a_stale_page_is_noticed_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "commands.md"
    page.write_text("of yesterday")
    assert reference.main(["--check", "--page", str(page)]) == 1
    assert str(page) in capsys.readouterr().err
    assert reference.main(["--page", str(page)]) == 0
    assert reference.main(["--check", "--page", str(page)]) == 0


def test_the_page_does_not_depend_on_the_terminal_that_it_is_written_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = reference.reference()
    monkeypatch.setenv("COLUMNS", "40")
    assert reference.reference() == fresh


SECRET = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156f"


@click.command()
def broken() -> None:
    """A command with a fault of its own."""
    raise KeyError(SECRET)


@pytest.fixture
def broken_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "broken", (f"{__name__}:broken", "Has a fault."))


def test_a_fault_of_ours_is_one_line_without_secrets(broken_command: None, type_command: Type) -> None:
    typed = type_command(["broken"])
    assert typed.status == 1
    assert "KeyError" in typed.complaint
    assert "dropship --debug broken" in typed.complaint
    assert SECRET not in typed.err


def test_debug_shows_where_an_error_comes_from(broken_command: None) -> None:
    with pytest.raises(KeyError):
        run(["--debug", "broken"])


def test_a_reader_that_leaves_is_no_error(synced: Deployment, tmp_path: Path) -> None:
    command = f"{' '.join(DROPSHIP)} sql --csv 'SELECT * FROM generate_series(1, 300000) n' | head -n 2"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**clean_environment(), **synced.environment}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "n\n1\n"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "status", "says"),
    [
        ("{dropship} sql --csv 'SELECT 1' > /dev/full", 1, "dropship: No space left on device: what was being written"),
        ("{dropship} sql 'SELECT 1' <&- >&-", 0, ""),
        ("{dropship} sql 'SELECT 1' <&- >&- 2>&-", 0, ""),
    ],
)
def test_an_output_that_is_full_is_named_and_one_that_is_closed_is_no_fault(
    synced: Deployment, tmp_path: Path, shell: str, status: int, says: str
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", shell.format(dropship=" ".join(DROPSHIP))],
        env={**clean_environment(), **synced.environment}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert done.stderr.startswith(says)
    assert len(done.stderr.splitlines()) == bool(says)


def test_a_terminal_that_cannot_show_a_character_gets_a_question_mark(synced: Deployment, tmp_path: Path) -> None:
    done = subprocess.run(
        [*DROPSHIP, "sql", "SELECT 'Größe ✓ 尺寸'"],
        env={**clean_environment(), **synced.environment, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[1] == b"Gr??e ? ??"


def test_the_version_is_told(type_command: Type) -> None:
    assert type_command(["--version"]).out.startswith("dropship, version ")
    assert os.sep not in type_command(["--version"]).out
