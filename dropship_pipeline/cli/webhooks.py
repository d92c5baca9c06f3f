"""`dropship webhooks`: receiving push messages, and looking at those that came."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.options import AGE
from dropship_pipeline.cli.show import show_json, show_line, show_table
from dropship_pipeline.counting import counted
from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.settings import Settings
    from dropship_pipeline.webhooks.intake import Intake

_KEY_SHOWN = 12  # characters: enough to tell millions of messages apart
_SHORTEST_KEY = 8


@click.group()
def webhooks() -> None:
    """Push messages: serve, status, dead, replay."""


@webhooks.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="0: any free one. Default: DROPSHIP_WEBHOOK_PORT, which is 8088."
)
@click.option(
    "--certfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A certificate (PEM, the whole chain) for TLS of its own. Default: plain HTTP, behind a proxy that has one.",
)
@click.option("--keyfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its private key (PEM).")
@click.option(
    "--max-age",
    type=AGE,
    metavar="AGE",
    help="Refuse messages that were sent longer ago: 12h. Alibaba.com repeats one for six hours. Default: 12h.",
)
def serve(host: str, port: int | None, certfile: Path | None, keyfile: Path | None, max_age: timedelta | None) -> None:
    """Receive push messages until Ctrl-C: verify, store, and only then acknowledge.

    Alibaba.com posts to /webhook/alibaba, over HTTPS with a certificate of an authority (OV or EV): put a proxy with
    one in front, or give the certificate here. /health says whether messages can be stored, /metrics counts them.
    What is to be done about them does the sensor webhook_sensor. Without ALIBABA_APP_KEY, messages of the simulated
    Alibaba.com of `dropship up` are received.

    \b
    dropship webhooks serve                                          at 127.0.0.1:8088, behind a proxy
    dropship webhooks serve --host 0.0.0.0 --port 443 --certfile chain.pem --keyfile key.pem
    """
    if keyfile is not None and certfile is None:
        raise click.UsageError("--keyfile is the key of a certificate: give --certfile too.")
    from contextlib import closing  # noqa: PLC0415  --help must not wait for it

    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.server.opening import open_database  # noqa: PLC0415
    from dropship_pipeline.webhooks.serve import Listening  # noqa: PLC0415
    from dropship_pipeline.webhooks.serve import serve as receive  # noqa: PLC0415

    settings = load_settings()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    intake = _intake(settings, max_age)
    where = Listening(host, settings.webhook_port if port is None else port, certfile, keyfile)

    def ready(address: str) -> None:
        click.echo(f"Push messages are received at {address}")

    with closing(open_database(settings)) as database:
        receive(database, intake, where, ready)


def _intake(settings: "Settings", max_age: timedelta | None) -> "Intake":
    """Whose messages are received: the app's, or those of the simulated Alibaba.com that `dropship up` runs."""
    from dropship_pipeline.sync.place import find_announced  # noqa: PLC0415
    from dropship_pipeline.webhooks.intake import MAX_AGE, Intake  # noqa: PLC0415

    age = MAX_AGE if max_age is None else max_age
    if settings.alibaba_app_key is not None and settings.alibaba_app_secret is not None:
        return Intake(settings.alibaba_app_key, settings.alibaba_app_secret.get_secret_value(), age)
    announced = find_announced(settings.absolute_home)
    if announced is None:
        raise Problem(
            "No app is named whose messages could be received, and no simulated Alibaba.com runs",
            "Set ALIBABA_APP_KEY and ALIBABA_APP_SECRET, or start `dropship up`",
        )
    return Intake(announced.env["ALIBABA_APP_KEY"], announced.env["ALIBABA_APP_SECRET"], age)


@webhooks.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def status(as_json: bool) -> None:
    """What is in the inbox: how many messages of each kind wait, are being worked on, are done or dead.

    \b
    dropship webhooks status
    """
    from contextlib import closing  # noqa: PLC0415

    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.ops.inbox import inbox_counts  # noqa: PLC0415

    with closing(open_tables(load_settings())) as database:
        counts = inbox_counts(database)
    if as_json:
        show_json(counts)
    elif counts:
        show_table(list(counts[0]), [list(row.values()) for row in counts])
    else:
        show_line("No push message has come")


@webhooks.command()
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def dead(limit: int, as_json: bool) -> None:
    """The messages that nothing is done about, each with its reason, the newest first.

    \b
    dropship webhooks dead
    """
    from contextlib import closing  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.storage.ops.inbox import dead_messages  # noqa: PLC0415

    with closing(open_tables(load_settings())) as database:
        found = dead_messages(database, limit)
    if as_json:
        show_json([asdict(message) for message in found])
    elif found:
        show_table(
            ("message", "received", "kind", "about", "event", "state", "came", "reason"),
            [
                (m.message_key[:_KEY_SHOWN], m.received_at, m.kind, m.subject, m.event, m.state, m.deliveries, m.reason)
                for m in found
            ],
        )
    else:
        show_line("No message is dead, and none is of an unknown kind")


@webhooks.command()
@click.argument("messages", nargs=-1, metavar="[MESSAGE]...")
@click.option("--all-dead", is_flag=True, help="Every dead message.")
def replay(messages: tuple[str, ...], all_dead: bool) -> None:
    """Let messages begin anew: they are read again, and wait for webhook_sensor. MESSAGE: as `dead` shows it.

    For when Alibaba.com no longer refuses what a message is about, or this version knows what the one before did not.
    Messages that were done may be replayed too.

    \b
    dropship webhooks replay 3f1c09a2b7de
    dropship webhooks replay --all-dead
    """
    if bool(messages) == all_dead:
        raise click.UsageError("Name messages, or give --all-dead.")
    short = [message for message in messages if len(message) < _SHORTEST_KEY]
    if short:
        raise click.UsageError(f"{short[0]} is too short: give at least {_SHORTEST_KEY} characters of each message.")
    from contextlib import closing  # noqa: PLC0415

    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.webhooks.replay import replay_messages  # noqa: PLC0415

    with closing(open_tables(load_settings())) as database:
        done = replay_messages(database, messages, all_dead=all_dead, now=datetime.now(UTC))
    if not done and messages:
        raise Problem(
            "No settled message is called so",
            "See `dropship webhooks dead`; what waits or is being worked on needs no replay",
        )
    show_line(f"{counted(done, 'message begins', 'messages begin')} anew")
