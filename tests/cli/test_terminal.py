"""What a person sees on a terminal: tables that fit, bars that end, no colours where none are wanted."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment

from dropship_pipeline.cli.bars import NARROWEST, Bars, Lines, stage_name
from dropship_pipeline.cli.show import cell_width
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.progress import Progress

pytestmark = pytest.mark.xdist_group("terminal")  # what is set up once is set up once

COLOR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-7]|9[0-7]|38|48)(?:;[0-9]+)*m")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(arguments: list[str], variables: dict[str, str], folder: Path, columns: int) -> tuple[int, str]:
    """Type a command on a terminal of this width: its exit status and everything that was written to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in clean_environment().items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "dropship_pipeline.cli", *arguments],
        env={**environment, "TERM": "xterm-256color", **variables}, cwd=folder,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # how a pseudo-terminal says that the last writer has gone
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    return process.wait(), written.decode()


def lines_of(written: str) -> list[str]:
    """The lines as they were written, one for each time that a line was drawn, without colours."""
    return [line.rstrip() for line in re.split(r"\r*\n|\r", CONTROL.sub("", written.replace("\x1b[2K", "\n")))]


def last_of_the_bars(written: str) -> list[str]:
    """The bars as they stand at the end, without the bar and the time."""
    said = [line for line in lines_of(written.rpartition("\x1b[1A")[2]) if line.startswith("✓")]
    return [re.sub(r"\s+", " ", re.sub(r"━|\d+:\d\d", "", line)).strip() for line in said]


class Screen(StringIO):
    """A terminal that is only written to."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [120, 60, 42])
def test_bars_end_with_a_tick_and_a_count_at_any_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    for name, value in (("COLUMNS", str(columns)), ("TERM", "xterm-256color"), ("NO_COLOR", "")):
        monkeypatch.setenv(name, value)
    screen = Screen()
    with Bars(screen) as bars:
        bars.begin("list", None)
        bars.advance(5)
        bars.finish()
        for stage, total in (("describe", 1_400), ("take stock", 0), ("quote to US", 1_400)):
            bars.begin(stage, total)
            bars.advance(total // 2)
            bars.advance(total - total // 2, total)
            bars.finish()
    assert last_of_the_bars(screen.getvalue()) == [
        "✓ Listing feeds 5 pages", "✓ Describing products 1,400 products", "✓ Reading stock 0 products",
        "✓ Quoting freight to US 1,400 products",
    ]  # fmt: skip
    drawn = lines_of(screen.getvalue())
    assert max(map(cell_width, drawn)) <= columns
    assert any("0/1,400 products" in line for line in drawn)
    assert any("━" in line for line in drawn) == (columns >= NARROWEST)


def test_bars_stop_where_a_stage_failed_and_a_note_stands_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Screen()

    def fail() -> None:
        with Bars(screen) as bars:
            bars.begin("describe", 10)
            bars.advance(4)
            bars.note("a raw file is torn")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    said = lines_of(screen.getvalue())
    assert "a raw file is torn" in said
    assert "Describing products" in said[-3]
    assert "4/10 products" in said[-3]
    assert screen.getvalue().endswith("\x1b[?25h\n"), "the cursor is back"


def test_a_sync_on_a_terminal_shows_bars_and_then_the_summary(
    deploy: Callable[..., Deployment], dagster_template: str, make_database: Callable[..., Database], tmp_path: Path
) -> None:
    merchant = deploy(products=40, drift=0.0)
    merchant.database = make_database(dagster_template)
    status, written = on_a_terminal(["sync", "--feed", "local_us"], merchant.environment, tmp_path, 100)
    assert status == 0, written
    products = merchant.value("SELECT count(*) FROM catalog.products")
    assert [re.sub(r"\d+ pages", "N pages", line) for line in last_of_the_bars(written)] == [
        "✓ Listing feeds N pages", f"✓ Describing products {products} products", f"✓ Reading stock {products} products",
        f"✓ Quoting freight to US {products} products", "✓ Publishing tables 22 tables",
    ]  # fmt: skip
    said = lines_of(written)
    assert any(re.match(rf"local_us +{products} +{products} +0 +0 +0  complete$", line) for line in said)
    # a path is not broken, however long: it is there to be copied
    assert max(cell_width(line) for line in said if str(merchant.home) not in line) <= 100
    assert COLOR.search(written)


def test_no_color_is_heeded(tmp_path: Path) -> None:
    down = {"DROPSHIP_DATABASE_URL": "postgresql://127.0.0.1:9/x"}
    for variables, colored in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        status, written = on_a_terminal(["doctor"], {**down, **variables}, tmp_path, 100)
        assert status == 1
        assert "✗ Database" in written
        assert bool(COLOR.search(written)) == colored


@pytest.mark.parametrize("columns", [120, 80, 40])
def test_status_fits_the_terminal_and_loses_nothing(synced: Deployment, tmp_path: Path, columns: int) -> None:
    status, written = on_a_terminal(["status"], synced.environment, tmp_path, columns)
    assert status == 0
    said = lines_of(written)
    tables = said[: said.index(next(line for line in said if line.startswith("Catalogue of")))]
    assert max(map(cell_width, tables)) <= columns
    words = " ".join(said)
    for word in ("us_standard", "cross_border", "description", "freight to US", "never read", "default", "active"):
        assert word in words


def test_an_answer_that_fits_is_a_table_and_one_that_does_not_a_list(synced: Deployment, tmp_path: Path) -> None:
    query = "SELECT product_id, title, wholesale_price FROM catalog.products LIMIT 2"
    _, written = on_a_terminal(["sql", query], synced.environment, tmp_path, 100)
    said = lines_of(written)
    assert re.split(r"\s{2,}", said[0].strip()) == ["product_id", "title", "wholesale_price"]
    assert "2 rows" in said
    assert max(map(cell_width, said)) <= 100
    _, written = on_a_terminal(["sql", "SELECT * FROM catalog.products LIMIT 2"], synced.environment, tmp_path, 100)
    said = lines_of(written)
    assert said[0].startswith("1 ─")
    assert any(re.match(r"wholesale_price +\d+\.\d{4}$", line) for line in said)
    assert any(re.match(r"delisted_at +NULL$", line) for line in said)
    assert max(map(cell_width, said)) <= 100


def test_a_person_sees_the_first_thousand_rows_and_how_to_get_the_rest(synced: Deployment, tmp_path: Path) -> None:
    _, written = on_a_terminal(["sql", "SELECT n FROM generate_series(1, 1500) n"], synced.environment, tmp_path, 80)
    said = lines_of(written)
    assert "1000" in {line.strip() for line in said}
    assert "1001" not in {line.strip() for line in said}
    assert any("first 1,000 rows; --csv or --json gives them all" in line for line in said)


def test_what_is_in_the_tables_cannot_command_the_terminal_s_markup(synced: Deployment, tmp_path: Path) -> None:
    _, written = on_a_terminal(["sql", "SELECT '[red]sale[/red] [/]' AS title"], synced.environment, tmp_path, 80)
    assert "[red]sale[/red] [/]" in written


def test_what_is_in_the_tables_cannot_command_the_terminal_itself(synced: Deployment, tmp_path: Path) -> None:
    question = r"SELECT E'\x1b[2J\x1b]0;owned\x07\u009b31m a\u202egnp b' AS title, E'two\nlines 👩\u200d🚀' AS emoji"
    for columns in (200, 30):  # a table, a list
        _, written = on_a_terminal(["sql", question], synced.environment, tmp_path, columns)
        assert not [sign for sign in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e") if sign in written]
        assert "👩\u200d🚀" in written
    _, written = on_a_terminal(["sql", "SELEKT \x1b]0;owned\x07"], synced.environment, tmp_path, 80)
    assert "dropship: " in written
    assert "\x1b]" not in written


def test_every_stage_of_a_sync_has_a_name_for_people() -> None:
    names = [stage_name(stage) for stage in ("describe", "take stock", "list", "publish", "quote to US")]
    assert [name.words for name in names] == [
        "Describing products", "Reading stock", "Listing feeds", "Publishing tables", "Quoting freight to US"
    ]  # fmt: skip
    assert all(name.counts for name in names)


def test_a_note_stands_between_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    watching: Progress
    with Lines(sys.stderr) as watching:
        watching.begin("describe", 10)
        watching.advance(4)
        watching.note("a raw file is torn")
        watching.advance(6, 10)
        watching.finish()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "a raw file is torn"
    assert said[1].startswith("Describing products: 10 products in ")
