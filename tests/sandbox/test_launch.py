"""Starting and ending sandboxes: from a test, from the command line, and with a parent that dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from click.testing import CliRunner
from signed_client import Client

from dropship_pipeline.sandbox.command import sandbox_command
from dropship_pipeline.sandbox.fault_table import FAULT_KINDS
from dropship_pipeline.sandbox.launch import SandboxConfig, SandboxFailedError, start

VARIABLES = [
    "ALIBABA_BASE_URL",
    "ALIBABA_AUTHORIZE_URL",
    "ALIBABA_APP_KEY",
    "ALIBABA_APP_SECRET",
    "ALIBABA_ACCESS_TOKEN",
    "ALIBABA_REFRESH_TOKEN",
]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False


def ends_within(url, seconds):
    until = time.monotonic() + seconds
    while answers(url):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_a_started_sandbox_answers_with_the_variables_it_gives_and_ends_when_stopped():
    with start(SandboxConfig(products=50, orders=0)) as running:
        assert list(running.env) == VARIABLES
        assert running.env["ALIBABA_BASE_URL"] == running.base_url
        assert running.base_url.endswith("/rest")
        with urllib.request.urlopen(
            running.env["ALIBABA_AUTHORIZE_URL"]
            + f"?response_type=code&client_id={running.env['ALIBABA_APP_KEY']}&redirect_uri=http://127.0.0.1/callback"
        ) as page:
            assert "asks for access" in page.read().decode()
        assert Client(running).describe("1601206892606")["code"] == "0"
        health = running.control_url + "health"
    assert not answers(health)
    assert running.process.returncode == 0
    running.stop()


def test_nothing_secret_is_in_what_a_running_sandbox_looks_like():
    with start(SandboxConfig(products=50, orders=0)) as running:
        assert running.env["ALIBABA_ACCESS_TOKEN"] not in repr(running)
        assert running.env["ALIBABA_APP_SECRET"] not in repr(running)


def test_a_sandbox_ends_when_its_parent_is_killed():
    program = (
        "import time; from dropship_pipeline.sandbox.launch import *; "
        "running = start(SandboxConfig(products=50, orders=0)); print(running.control_url, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    health = parent.stdout.readline().strip() + "health"
    assert answers(health)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends_within(health, 5)


def test_two_sandboxes_run_side_by_side(own):
    first, _ = own()
    second, _ = own()
    assert first.base_url != second.base_url


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"faults": ("nonsense",)}, "nonsense"),
        ({"products": 2_000_000}, "1000000"),
        ({"log_file": "/nowhere/at/all"}, "/nowhere/at/all"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why(settings, named):
    with pytest.raises(SandboxFailedError, match=named):
        start(SandboxConfig(**settings))


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SandboxFailedError, match="in use"):
            start(SandboxConfig(port=taken.getsockname()[1]))


@pytest.fixture
def command():
    """`command(*options)` runs `python -m dropship_pipeline.sandbox`; gives the process."""
    started = []

    def run(*options):
        program = [sys.executable, "-m", "dropship_pipeline.sandbox", "--port", "0", *options]
        started.append(subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def printed_variables(process):
    lines = [process.stdout.readline().strip() for _ in range(len(VARIABLES) + 2)]
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_the_variables_to_paste_serves_and_ends_quietly(command, ending):
    process = command("--products", "60", "--seed", "3", "--dialect", "live")
    env = printed_variables(process)
    assert list(env) == VARIABLES
    base = env["ALIBABA_BASE_URL"].removesuffix("/rest")
    with urllib.request.urlopen(f"{base}/_sandbox/health") as answer:
        health = json.load(answer)
    assert (health["products"], health["config"]["dialect"], health["config"]["seed"]) == (60, "live", 3)
    os.kill(process.pid, ending)
    _, errors = process.communicate(timeout=60)
    assert errors == ""


def test_the_command_ends_although_a_client_hangs(command):
    process = command("--fault", "hang")
    env = printed_variables(process)
    port = int(env["ALIBABA_BASE_URL"].split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as hanging:
        hanging.sendall(b"GET /rest/eco/buyer/product/check HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_faults_may_be_repeated_or_parted_by_commas(command):
    process = command("--fault", "http_500:0.1,slow:0.2:seconds=1", "--faults", "outage:0", "--clock", "2026-03-01")
    base = printed_variables(process)["ALIBABA_BASE_URL"].removesuffix("/rest")
    with urllib.request.urlopen(f"{base}/_sandbox/faults") as answer:
        active = json.load(answer)["active"]
    assert [(fault["name"], fault["rate"]) for fault in active] == [("http_500", 0.1), ("slow", 0.2), ("outage", 0.0)]
    with urllib.request.urlopen(f"{base}/_sandbox/clock") as answer:
        assert 0 <= json.load(answer)["now_ms"] - 1_772_323_200_000 < 60_000


@pytest.mark.parametrize(
    "options",
    [("--fault", "nonsense"), ("--products", "0"), ("--products", "1000001"), ("--dialect", "dead"), ("--drift", "-1")],
)
def test_an_option_that_cannot_be_is_a_usage_error(options):
    result = CliRunner().invoke(sandbox_command, options)
    assert result.exit_code == 2
    assert options[-1] in result.output


def test_a_taken_port_is_one_line_and_exit_1():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(sandbox_command, ["--port", str(port)])
    assert result.exit_code == 1
    assert result.output == f"Error: Cannot listen on 127.0.0.1:{port}: Address already in use.\n"


def test_the_help_names_every_option_and_the_list_every_fault():
    shown = CliRunner().invoke(sandbox_command, ["--help"]).output
    for option in (
        "--port",
        "--products",
        "--orders",
        "--seed",
        "--dialect",
        "--calls-per-second",
        "--latency-ms",
        "--fault",
    ):
        assert option in shown
    listed = CliRunner().invoke(sandbox_command, ["--list-faults"]).output
    for name, kind in FAULT_KINDS.items():
        assert name in listed
        assert kind.description in listed


def test_importing_the_command_brings_in_no_server_and_no_world():
    program = (
        "import sys; import dropship_pipeline.sandbox.command; "
        "print([m for m in ('uvicorn', 'orjson', 'dropship_pipeline.sandbox.world', 'asyncio') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_the_sandbox_imports_nothing_of_the_rest_of_the_package():
    program = (
        "import sys; import dropship_pipeline.sandbox.server, dropship_pipeline.sandbox.launch; "
        "print([m for m in sys.modules if m.startswith('dropship_pipeline.') and '.sandbox' not in m])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_the_load_measurement_runs(pytestconfig):
    script = str(pytestconfig.rootpath / "benchmarks" / "sandbox_rate.py")
    program = [sys.executable, script, "--calls", "300", "--products", "100", "--minimum", "0"]
    shown = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    assert json.loads(shown)["calls"] == 300
