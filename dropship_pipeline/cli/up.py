"""`dropship up`: everything as services, in one terminal. What they are and how they are kept running is `services`."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dropship_pipeline.settings import Settings

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_FASTEST = 24.0 * 30


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True, help="The UI's; 0: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the UI listens. It has no login.")
@click.option("--open", "open_browser", is_flag=True, help="Open the UI in a browser when it is there.")
@click.option(
    "--simulated-days-per-hour",
    type=click.FloatRange(0, _FASTEST),
    metavar="N",
    help="Let the simulated Alibaba.com live faster, so that prices, stock and orders move. Default: as we do.",
)
def up(port: int, host: str, open_browser: bool, simulated_days_per_hour: float | None) -> int:
    """Run everything until Ctrl-C: Postgres, the receiver of push messages, the Dagster UI with its schedules.

    Without ALIBABA_APP_KEY a simulated Alibaba.com runs too, which `dropship sync` and every run of the UI then read.
    A service that dies is started again; Ctrl-C ends all of them, a second one at once.

    \b
    dropship up                              the UI at http://127.0.0.1:3000
    dropship up --port 0 --open              at any free port, opened in a browser
    dropship up --simulated-days-per-hour 6  watch a week of prices and orders pass in an hour
    """
    from dropship_pipeline.services.output import Output  # noqa: PLC0415  --help must not wait for it
    from dropship_pipeline.services.place import claim  # noqa: PLC0415
    from dropship_pipeline.services.ports import take_port  # noqa: PLC0415
    from dropship_pipeline.services.supervisor import Supervisor  # noqa: PLC0415
    from dropship_pipeline.services.table import reachable, services  # noqa: PLC0415
    from dropship_pipeline.settings import find_dagster_home, load_settings, set_in_environment  # noqa: PLC0415

    settings = load_settings()
    if settings.has_credentials and simulated_days_per_hour is not None:
        raise click.UsageError("--simulated-days-per-hour is for the simulated Alibaba.com; ALIBABA_APP_KEY is set.")
    set_in_environment({"DAGSTER_HOME": str(find_dagster_home(settings)), "PYTHONUNBUFFERED": "1"})
    port = take_port(host, port, "--port")
    address = f"http://{reachable(host)}:{port}"
    with claim(settings.absolute_home) as place:
        table = services(settings, place, host, port, simulated_days_per_hour)
        supervisor = Supervisor(table, place.folders, place.lock)
        output = Output([service.name for service in table], settings, supervisor.nobody_reads)

        def started() -> None:
            for line in _what_there_is(settings, address, supervisor.said):
                output.plain(line)
            if open_browser:
                click.launch(address)

        if host not in _LOOPBACK:
            output.write("dropship", "WARNING The UI has no login: whoever reaches this machine can run everything")
        supervisor.run(output, started)
    return 0


def _what_there_is(settings: "Settings", address: str, said: "Callable[[str], Sequence[str]]") -> "Iterator[str]":
    """What a person needs to know when everything runs."""
    from dropship_pipeline.services.table import POSTGRES, RECEIVER  # noqa: PLC0415

    yield ""
    yield f"The Dagster UI:  {address}"
    if settings.database_url is None:
        url = next(line for line in said(POSTGRES) if line.startswith("postgresql://"))
        yield f'The tables:      psql "{url}", or dropship db psql'
    else:
        yield "The tables:      in the database of DROPSHIP_DATABASE_URL: dropship db psql"
    received = next((line for line in said(RECEIVER) if "://" in line), "")
    yield f"Push messages:   {received.rpartition(' ')[2]}"
    if not settings.has_credentials:
        yield ""
        yield "This is the simulated Alibaba.com: no product in these tables exists. To try, in another terminal:"
        yield "  dropship sync             the whole catalogue, as a run that the UI shows"
        yield "  dropship status           how true the tables are"
        yield "or in the UI: Assets, Materialize all."
    yield ""
    yield "Ctrl-C stops everything."
    yield ""
