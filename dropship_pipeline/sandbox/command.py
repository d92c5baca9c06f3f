"""`dropship sandbox`: the simulated Alibaba.com from the command line. Imports nothing but click until it is run."""

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import click

from dropship_pipeline.sandbox.config import SandboxConfig

_DEFAULTS = SandboxConfig(port=8787)


def _list_faults(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print every fault and what it does, and end."""
    if not wanted or context.resilient_parsing:
        return
    from dropship_pipeline.sandbox.fault_table import FAULT_KINDS  # noqa: PLC0415 - imports the whole world

    for name, kind in FAULT_KINDS.items():
        click.echo(f"{name:20} {kind.description}")
        for option, meaning in kind.options.items():
            click.echo(f"{'':20}   {option}= {meaning}")
    context.exit()


@click.command("sandbox")
@click.option("--host", default=_DEFAULTS.host, show_default=True, help="Address to listen on.")
@click.option("--port", default=_DEFAULTS.port, show_default=True, help="Port to listen on; 0 for a free one.")
@click.option(
    "--products",
    type=click.IntRange(1, 1_000_000),
    default=_DEFAULTS.products,
    show_default=True,
    help="Size of the catalogue, the 8 products of the guide's examples included.",
)
@click.option(
    "--orders", type=click.IntRange(0), default=_DEFAULTS.orders, show_default=True, help="Orders in its history."
)
@click.option("--seed", default=_DEFAULTS.seed, show_default=True, help="The same seed gives the same world.")
@click.option(
    "--dialect",
    type=click.Choice(["guide", "live"]),
    default=_DEFAULTS.dialect,
    show_default=True,
    help="guide: page, page_size. live: index, size, product_type, country.",
)
@click.option(
    "--calls-per-second",
    type=click.FloatRange(0),
    default=_DEFAULTS.calls_per_second,
    show_default=True,
    help="Calls an app may make; 0 for no limit.",
)
@click.option(
    "--ban-seconds",
    type=click.FloatRange(0),
    default=_DEFAULTS.ban_s,
    show_default=True,
    help="How long an app that calls more often is refused.",
)
@click.option(
    "--latency-ms",
    type=click.FloatRange(0),
    default=_DEFAULTS.latency_ms,
    show_default=True,
    help="Time added to every answer.",
)
@click.option(
    "--fault",
    "--faults",
    "faults",
    multiple=True,
    metavar="NAME[:RATE][:OPTION=VALUE]…",
    help="Switch a fault on, such as http_500:0.1 or throttle_body:0.05:path=*inventory; repeat, or part with commas.",
)
@click.option(
    "--list-faults", is_flag=True, is_eager=True, expose_value=False, callback=_list_faults, help="List the faults."
)
@click.option(
    "--drift",
    type=click.FloatRange(0),
    default=_DEFAULTS.drift,
    show_default=True,
    help="Pace at which prices, stock and listings change; 0: never.",
)
@click.option(
    "--clock",
    "clock_start",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="What time it is in the sandbox at the start (UTC); now, if not given.",
)
@click.option(
    "--clock-speed",
    type=click.FloatRange(0),
    default=_DEFAULTS.clock_speed,
    show_default=True,
    help="Sandbox seconds a second.",
)
@click.option(
    "--access-token-seconds", "access_token_s", default=_DEFAULTS.access_token_s, show_default=True, help="Lifetime."
)
@click.option(
    "--refresh-token-seconds", "refresh_token_s", default=_DEFAULTS.refresh_token_s, show_default=True, help="Lifetime."
)
@click.option("--rotate-refresh-token", is_flag=True, help="A refresh ends the refresh token and gives another.")
@click.option(
    "--refresh-repeats-token/--refresh-omits-token",
    default=_DEFAULTS.refresh_repeats_token,
    show_default=True,
    help="Whether a refresh answer tells the refresh token.",
)
@click.option("--push-url", metavar="URL", help="Push every change of products and orders to this address, signed.")
@click.option(
    "--push-drop", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of messages that get lost."
)
@click.option(
    "--push-duplicate",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of messages that come twice.",
)
@click.option(
    "--push-reorder",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of messages that come late, after others.",
)
@click.option("--log", "log_file", type=click.Path(dir_okay=False), help="Write a JSON line for each answered call.")
@click.option(
    "--announce",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the variables into this file (JSON, for its owner only) instead; it is removed at the end.",
)
def sandbox_command(
    faults: tuple[str, ...], clock_start: datetime | None, ban_seconds: float, announce: Path | None, **settings: object
) -> None:
    """Run a simulated Alibaba.com until Ctrl-C.

    It speaks the API of the guide over HTTP, from a catalogue that its seed decides, and prints the variables that make
    a client use it.

    Example: dropship sandbox --products 2000 --calls-per-second 50
    """
    from dropship_pipeline.sandbox.announcement import Announcement  # noqa: PLC0415 - keeps `--help` quick
    from dropship_pipeline.sandbox.launch import serve  # noqa: PLC0415 - likewise

    start_ms = int(clock_start.replace(tzinfo=UTC).timestamp() * 1000) if clock_start else None
    named = tuple(fault for text in faults for fault in text.split(",") if fault)
    config = SandboxConfig(faults=named, clock_start_ms=start_ms, ban_s=ban_seconds, **settings)  # type: ignore[arg-type]
    announced: list[Announcement] = []

    def tell(base_url: str, env: dict[str, str]) -> None:
        if announce is None:
            _print(base_url, env)
            return
        announced.append(Announcement(os.getpid(), base_url, env))
        announced[0].write(announce)
        click.echo(f"A simulated Alibaba.com is up: {base_url}")

    # uvicorn stops at SIGTERM and then raises it again, which would end us before we have cleaned up
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(config, tell)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        what = f"write {error.filename}" if error.filename else f"listen on {config.host}:{config.port}"
        raise click.ClickException(f"Cannot {what}: {error.strerror}.") from None
    finally:
        if announce is not None and announced:
            announced[0].withdraw(announce)


def _print(base_url: str, env: dict[str, str]) -> None:
    control = base_url.removesuffix("/rest") + "/_sandbox/"
    click.echo("# A simulated Alibaba.com is up. Paste this where the client runs:")
    for name, value in env.items():
        click.echo(f"export {name}={value}")
    click.echo(f"# What is true in it, its log and its levers: {control}health. Ctrl-C ends it.")
