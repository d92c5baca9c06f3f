"""`dropship report`: into the lake with the last ones kept, to a file, to a pipe; and looked at in a browser."""

import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deployment import Deployment
from typed import Type

from dropship_pipeline.storage.server.database import Database

pytestmark = pytest.mark.xdist_group("report-command")


def test_the_report_is_kept_in_the_lake_and_the_oldest_go(synced: Deployment, type_command: Type) -> None:
    folder = synced.home / "lake" / "reports"
    folder.mkdir()
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 9)]
    for day in days:
        (folder / f"{day:%Y-%m-%dT%H-%M-%SZ}.html").write_text("an old one")
    (folder / "mine.html").write_text("not ours")
    typed = type_command(["report"], synced.environment)
    assert typed.status == 0, typed.err
    written = Path(typed.out.strip())
    assert written.parent == folder
    age = datetime.now(UTC) - datetime.strptime(written.stem, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= age < timedelta(minutes=5)
    assert (folder / "latest.html").resolve() == written.resolve()
    assert "<h1>Dropshipping catalogue</h1>" in written.read_text()
    kept = sorted(path.name for path in folder.iterdir())
    assert len(kept) == 7 + len(["latest.html", "mine.html"])
    assert "2026-01-02T00-00-00Z.html" not in kept


def test_it_is_written_where_one_says_and_opened(
    database: Database, type_command: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    out = tmp_path / "catalogue.html"
    empty = {"DROPSHIP_HOME": str(tmp_path / "home"), "DROPSHIP_DATABASE_URL": database.libpq_url}  # no picture to draw
    typed = type_command(["report", "--out", str(out), "--open"], empty)
    assert typed.status == 0, typed.err
    assert typed.out.strip() == str(out)
    assert opened == [out.as_uri()]
    assert out.read_text().startswith("<!doctype html>")


def test_what_goes_to_a_pipe_cannot_be_opened(type_command: Type) -> None:
    typed = type_command(["report", "--out", "-", "--open"])
    assert (typed.status, "give --out FILE" in typed.complaint) == (2, True)
