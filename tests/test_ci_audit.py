"""What CI looks for before it runs a test: secrets in the files, and advisories against what is installed."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from posting import free_port

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
BASELINE = ROOT / ".secrets.baseline"
KNOWN = "tests/webhooks/test_receiver.py"  # has a signature of the official documents in it
# as Alibaba.com gives them, put together here so that this file holds none
TOKEN = "50000601c30" + "".join(chr(ord("a") + (7 * i) % 26) + str((3 * i) % 10) for i in range(24))


def scan(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Look for secrets as `make audit` does."""
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    baseline = folder / "baseline"
    baseline.write_text(BASELINE.read_text())
    command = [BIN / "detect-secrets-hook", "--no-verify", "--baseline", baseline, *names]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_token_that_somebody_pastes_into_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f'x = 1\ntoken = "{TOKEN}"\n')
    done = scan(tmp_path, "settings.py")
    assert done.returncode == 1
    assert "settings.py:2" in done.stdout
    assert TOKEN not in done.stdout


def test_a_fake_one_that_is_known_may_move_within_its_file_but_not_to_another(tmp_path: Path) -> None:
    moved = tmp_path / KNOWN
    moved.parent.mkdir(parents=True)
    moved.write_text("# a line more\n" + (ROOT / KNOWN).read_text())
    assert scan(tmp_path, KNOWN).returncode == 0
    moved.rename(tmp_path / "other.py")
    assert scan(tmp_path, "other.py").returncode == 1


@pytest.fixture
def advisories() -> Iterator[str]:
    """A database of advisories that knows of one, against jinja2 2.4.1."""

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"], asked["version"]
            found = {
                "id": "PYSEC-1",
                "summary": "escapes nothing",
                "affected": [
                    {
                        "package": {"name": name, "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0"}]}],
                    }
                ],
            }
            answer = json.dumps({"vulns": [found]} if (name, version) == ("jinja2", "2.4.1") else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as it is called
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Advisories) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit(pins: Path, address: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci" / "advisories", "--osv-url", address],
        env={**os.environ, "CONSTRAINTS": str(pins)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_advisory_against_a_dependency_fails_and_names_the_version_that_is_mended(
    tmp_path: Path, advisories: str
) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("jinja2==2.4.1\nrequests==2.32.5\n")
    done = audit(pins, advisories)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].split() == ["jinja2", "2.4.1", "PYSEC-1", "3.0"]
    pins.write_text("jinja2==3.1.6\n")
    assert audit(pins, advisories).returncode == 0


def test_where_the_advisories_cannot_be_reached_that_is_said_in_a_line_and_nothing_fails(tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("jinja2==2.4.1\n")
    done = audit(pins, f"http://127.0.0.1:{free_port()}/v1/query")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "The advisories of osv.dev cannot be reached: the dependencies were not audited\n"
    pins.write_text("jinja2>=2\n")  # whatever else goes wrong is no excuse
    assert audit(pins, f"http://127.0.0.1:{free_port()}/v1/query").returncode == 1
