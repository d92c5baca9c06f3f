"""`dropship auth`: authorising buyers, and how long their tokens last. Tokens are never shown."""

import webbrowser
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import show_json, show_table
from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.alibaba.tokens import TokenPair


_account = click.option(
    "--account", default="default", metavar="NAME", show_default=True, help="Name of the account: one for each buyer."
)
_replace = click.option("--replace", is_flag=True, help="The account may become another buyer's than before.")


@click.group()
def auth() -> None:
    """Authorise buyers: login, exchange, refresh, forget, status."""


@auth.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8765,
    show_default=True,
    help="Port on this machine for the callback; 0: any free one.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address, for a browser that is opened by hand.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=300.0, show_default=True, help="Seconds to wait for the buyer."
)
@_account
@_replace
def login(port: int, no_browser: bool, wait: float, account: str, replace: bool) -> None:
    """Open the page where the buyer authorises the app, and keep the tokens that come of it.

    The catalogue is read with the account `default`. Orders are followed for every account; each is one buyer, and no
    buyer goes by two names.

    The app's console must know http://127.0.0.1:PORT/callback as a callback. Where it cannot, or the browser is on
    another machine, open the page by hand and give the code of the address that the browser ends at to `dropship auth
    exchange`.

    \b
    dropship auth login
    dropship auth login --account lakeshore
    dropship auth login --no-browser --port 9000
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.accounts.authorise import login as log_in  # noqa: PLC0415
    from dropship_pipeline.sync.accounts.authorise import open_authority  # noqa: PLC0415

    def tell(address: str) -> None:
        click.echo(f"Open this page and authorise the app:\n{address}")
        if not no_browser:
            webbrowser.open(address)

    with open_authority(load_settings(), account) as authority:
        _tell_how_long(account, log_in(authority, port, tell, wait, replace=replace))


@auth.command()
@click.argument("code")
@_account
@_replace
def exchange(code: str, account: str, replace: bool) -> None:
    """Exchange an authorisation code for tokens. A code lasts 30 minutes and serves once.

    \b
    dropship auth exchange 3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26
    dropship auth exchange 3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26 --account lakeshore
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.accounts.authorise import open_authority  # noqa: PLC0415

    with open_authority(load_settings(), account) as authority:
        _tell_how_long(account, authority.exchange(code, replace=replace))


@auth.command()
@_account
def refresh(account: str) -> None:
    """Refresh the tokens now. Syncs do it by themselves, half an hour before they end.

    \b
    dropship auth refresh
    dropship auth refresh --account lakeshore
    """
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.accounts.authorise import open_authority  # noqa: PLC0415

    with open_authority(load_settings(), account) as authority:
        _tell_how_long(account, authority.refresh())


@auth.command()
@click.argument("name")
def forget(name: str) -> None:
    """Let go of an account and its tokens. What is in the tables of its orders stays.

    Makes no call: Alibaba.com is not told, and the buyer can withdraw the authorisation there.

    \b
    dropship auth forget lakeshore
    """
    from dropship_pipeline.alibaba.tokens import DEFAULT_ACCOUNT  # noqa: PLC0415
    from dropship_pipeline.cli.database import open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_vault  # noqa: PLC0415

    settings = load_settings()
    vault = open_vault(settings, open_tables(settings))
    if not vault.forget(name):
        known = ", ".join(row.account for row in vault.accounts())
        raise Problem(f"No account is called {name[:40]!r}", f"There are: {known}" if known else "There is none")
    click.echo(f"Account {name} is forgotten.")
    if name == DEFAULT_ACCOUNT and (settings.alibaba_access_token or settings.alibaba_refresh_token):
        click.echo("ALIBABA_ACCESS_TOKEN or ALIBABA_REFRESH_TOKEN is set: the next call takes their tokens over again.")


@auth.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def status(as_json: bool) -> None:
    """List the accounts: whose they are, their state, and until when their tokens last. Makes no call.

    \b
    dropship auth status
    """
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.cli.database import NothingYet, open_tables  # noqa: PLC0415
    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_vault  # noqa: PLC0415

    settings = load_settings()
    try:
        rows = open_vault(settings, open_tables(settings)).accounts()
    except NothingYet:
        rows = []
    if as_json:
        show_json([asdict(row) for row in rows])
    elif not rows:
        click.echo("No account is known yet. Authorise one: dropship auth login")
    else:
        show_table(
            ("account", "user", "platform", "state", "access token until", "refresh token until", "last used", "why"),
            [
                (
                    r.account,
                    r.alibaba_user_id,
                    r.account_platform,
                    r.state,
                    r.access_token_expires_at,
                    r.refresh_token_expires_at,
                    r.last_used_at,
                    r.reason,
                )
                for r in rows
            ],
        )


def _tell_how_long(account: str, pair: "TokenPair") -> None:
    until = "" if pair.expires_at is None else f" until {pair.expires_at:%Y-%m-%d %H:%M}Z"
    click.echo(f"Account {account} is authorised{until}.")
    if pair.refresh_token is None or pair.refresh_expires_at == pair.expires_at:
        click.echo("Its tokens cannot be refreshed: authorise it again before that.")
    elif pair.refresh_expires_at is not None:
        click.echo(f"Its tokens are refreshed by themselves until {pair.refresh_expires_at:%Y-%m-%d %H:%M}Z.")
