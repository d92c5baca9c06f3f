"""The table of services: what `dropship up` runs, in the order in which it is started. Nothing is started here."""

import re
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from signal import SIGINT

from dropship_pipeline.sandbox.config import SandboxConfig
from dropship_pipeline.services import probes
from dropship_pipeline.services.place import LOCATION, UpPlace
from dropship_pipeline.services.ports import take_port
from dropship_pipeline.services.service import Service
from dropship_pipeline.settings import Settings
from dropship_pipeline.sync.place import SIMULATED_PRODUCTS
from dropship_pipeline.webhooks import paths

POSTGRES, RECEIVER = "postgres", "webhooks"
_HOURS_A_DAY = 24
_ROUTINE = re.compile(
    "Checking |Collected |Instance is configured |Priority sorting |Sensor .* skipped|Schedule .* skipped"
    "|WARNING No cursor for event type"
)
_PYTHON = (sys.executable, "-m")


def services(
    settings: Settings, place: UpPlace, host: str, port: int, simulated_days_per_hour: float | None
) -> tuple[Service, ...]:
    """What runs with these settings, in its order. `host` and `port` are the UI's."""
    speed = 1.0 if simulated_days_per_hour is None else simulated_days_per_hour * _HOURS_A_DAY
    address = f"http://{reachable(host)}:{port}"
    # who configured Alibaba.com to push to a port needs that one; the simulated one is told which it is
    told = settings.has_credentials or "webhook_port" in settings.model_fields_set
    pushes = f"http://127.0.0.1:{take_port('127.0.0.1', settings.webhook_port if told else 0, 'DROPSHIP_WEBHOOK_PORT')}"
    return (
        *([_postgres()] if settings.database_url is None else []),
        *([] if settings.has_credentials else [_sandbox(place, speed, f"{pushes}{paths.MESSAGES}")]),
        _receiver(pushes),
        _code_server(place),
        _webserver(place, host, port, address),
        _daemon(place, address),
    )


def reachable(host: str) -> str:
    """An address by which this machine reaches itself, as a URL has it: of one that means all of them, a loopback."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  read, not bound
    return f"[{here}]" if ":" in here else here


def _postgres() -> Service:
    return Service(
        name=POSTGRES,
        title="the embedded Postgres",
        command=_always(*_PYTHON, "dropship_pipeline.services.postgres"),
        is_ready=probes.says_its_address,
        ready_within=180.0,  # recovery after a crash
        ends_within=30.0,  # a checkpoint
        ends_within_in_a_hurry=10.0,  # the data are closed properly however great the hurry
    )


def _sandbox(place: UpPlace, speed: float, push_url: str) -> Service:
    began = time.time()
    port = take_port("127.0.0.1", 0, "--port")  # the same after a restart: who was given the address keeps it
    config = SandboxConfig()

    def command() -> Sequence[str]:
        # one that is started again goes on at its own time, which may run faster than ours
        now = datetime.fromtimestamp(began + (time.time() - began) * speed, UTC)
        return (
            *(*_PYTHON, "dropship_pipeline.cli", "sandbox", "--port", str(port), "--announce", str(place.announcement)),
            *("--products", str(SIMULATED_PRODUCTS), "--orders", str(config.orders), "--clock-speed", str(speed)),
            *("--clock", now.strftime("%Y-%m-%dT%H:%M:%S"), "--push-url", push_url),
            # tokens live as long by our clock as they do at Alibaba.com
            *("--access-token-seconds", str(round(config.access_token_s * max(1.0, speed)))),
            *("--refresh-token-seconds", str(round(config.refresh_token_s * max(1.0, speed)))),
        )

    return Service(
        name="alibaba",
        title="the simulated Alibaba.com",
        command=command,
        is_ready=lambda process: probes.is_announced(process, place.announcement),
        said_when_started_again="The simulated Alibaba.com begins anew: orders that were placed in it are gone",
    )


def _receiver(address: str) -> Service:
    port = address.rpartition(":")[2]
    return Service(
        name=RECEIVER,
        title="the receiver of push messages",
        command=_always(*_PYTHON, "dropship_pipeline.cli", "webhooks", "serve", "--port", port),
        is_ready=lambda _: probes.answers(f"{address}{paths.HEALTH}"),
        ends_within=15.0,  # what it has accepted is stored
    )


def _code_server(place: UpPlace) -> Service:
    # not `dagster code-server`, which is a second process of 100 MB that starts this one
    return Service(
        name="code",
        title="the code server",
        command=_always(
            *(*_PYTHON, "dagster", "api", "grpc", "--module-name", "dropship_pipeline.definitions"),
            *("--socket", str(place.code_socket), "--location-name", LOCATION, "--log-level", "warning"),
        ),
        is_ready=lambda _: probes.accepts(place.code_socket),
        ready_within=120.0,
        end_signal=SIGINT,  # a run that is just starting knows no other
        ends_within=20.0,
        heard_to_the_end=True,  # runs say how far they came
    )


def _webserver(place: UpPlace, host: str, port: int, address: str) -> Service:
    return Service(
        name="ui",
        title="the Dagster UI",
        command=_always(
            *(*_PYTHON, "dagster_webserver", "--workspace", str(place.workspace), "--host", host, "--port", str(port)),
            *("--dagster-log-level", "warning", "--uvicorn-log-level", "warning", "--suppress-warnings"),
            *("--db-pool-recycle", "1"),  # seconds: a Postgres that restarts goes unnoticed
        ),
        is_ready=lambda _: probes.shows_the_code(address),
        ready_within=120.0,
        ends_within=10.0,
    )


def _daemon(place: UpPlace, address: str) -> Service:
    return Service(
        name="daemon",
        title="the Dagster daemon",
        command=_always(*_PYTHON, "dagster._daemon", "run", "--workspace", str(place.workspace)),
        is_ready=lambda process: probes.has_heartbeats(process, address),
        ready_within=120.0,
        ends_within=10.0,
        routine=_ROUTINE,
    )


def _always(*command: str) -> Callable[[], Sequence[str]]:
    return lambda: command
