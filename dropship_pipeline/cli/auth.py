"""`dropship auth`: authorising buyers, and how long their tokens last."""

import webbrowser

import click

from dropship_pipeline.cli.show import show_json, show_table


@click.group()
def auth() -> None:
    """Authorise buyers: login, exchange, refresh, status."""


@auth.command()
@click.option("--port", default=8765, show_default=True, help="Port on this machine for the callback; 0: any free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def login(port: int, no_browser: bool) -> None:
    """Open the page where the buyer authorises the app, and keep the tokens that come of it.

    The app's console must know http://127.0.0.1:PORT/callback as a callback. Where it cannot, open the page by hand and
    give the code of the address that the browser ends at to `dropship auth exchange`.
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.authorise import login as log_in  # noqa: PLC0415
    from dropship_pipeline.sync.authorise import open_authority  # noqa: PLC0415

    def tell(address: str) -> None:
        click.echo(f"Open this page and authorise the app:\n{address}")
        if not no_browser:
            webbrowser.open(address)

    with open_authority(load_settings()) as authority:
        log_in(authority, port, tell)
        click.echo(f"Account {authority.account} is authorised.")


@auth.command()
@click.argument("code")
def exchange(code: str) -> None:
    """Exchange an authorisation code for tokens. A code lasts 30 minutes and serves once."""
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.authorise import open_authority  # noqa: PLC0415

    with open_authority(load_settings()) as authority:
        authority.exchange(code)
        click.echo(f"Account {authority.account} is authorised.")


@auth.command()
def refresh() -> None:
    """Refresh the tokens now. Syncs do it by themselves, half an hour before they end."""
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.authorise import open_authority  # noqa: PLC0415

    with open_authority(load_settings()) as authority:
        authority.refresh()
        click.echo(f"The tokens of account {authority.account} are new.")


@auth.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def status(as_json: bool) -> None:
    """List the accounts: their state, and until when their tokens last. Tokens are never shown."""
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_database, open_vault  # noqa: PLC0415

    settings = load_settings()
    rows = open_vault(settings, open_database(settings)).accounts()
    if as_json:
        show_json([asdict(row) for row in rows])
    elif not rows:
        click.echo("No account is known yet. Authorise one: dropship auth login")
    else:
        show_table(
            ("account", "state", "access token until", "refresh token until", "why"),
            [(r.account, r.state, r.access_token_expires_at, r.refresh_token_expires_at, r.reason) for r in rows],
        )
