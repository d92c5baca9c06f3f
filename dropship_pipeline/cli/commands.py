"""The list of commands, and what happens to an error: one line on stderr that names the thing and the remedy.

A command's module is imported when the command runs, never to list it: `dropship --help` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from errno import EDQUOT, ENOSPC
from importlib import import_module
from itertools import takewhile

import click

from dropship_pipeline import __version__
from dropship_pipeline.problem import Problem
from dropship_pipeline.stopping import exit_status

# name -> where it is, what it does: the one list, which the help and the docs show
COMMANDS: dict[str, tuple[str, str]] = {
    "sync": ("dropship_pipeline.cli.sync:sync", "Bring the tables up to date with the catalogue, and publish them."),
    "up": ("dropship_pipeline.cli.up:up", "Run everything as services: Postgres, the Dagster UI, its daemon."),
    "status": ("dropship_pipeline.cli.status:status", "How true the tables are: feeds, ages, accounts, last sync."),
    "doctor": ("dropship_pipeline.cli.doctor:doctor", "Check everything that a sync needs, and say what to mend."),
    "auth": ("dropship_pipeline.cli.auth:auth", "Authorise buyers: login, exchange, refresh, status."),
    "orders": (
        "dropship_pipeline.cli.orders:orders",
        "Orders: their tables, and placing, paying, cancelling one.",
    ),
    "publish": ("dropship_pipeline.cli.publish:publish", "Write the public tables as a new Parquet snapshot."),
    "replay": (
        "dropship_pipeline.cli.replay:replay",
        "Derive the tables again from the landed answers, without a call.",
    ),
    "rejected": (
        "dropship_pipeline.cli.rejected:rejected",
        "Records that could not be read: look at them, read them again.",
    ),
    "webhooks": (
        "dropship_pipeline.cli.webhooks:webhooks",
        "Push messages: receive them, and look at those that came.",
    ),
    "watch": (
        "dropship_pipeline.cli.watch:watch",
        "Products to be told of: dearer, sold out, gone.",
    ),
    "sql": ("dropship_pipeline.cli.sql:sql", "Ask the tables, or a published snapshot, a question."),
    "report": ("dropship_pipeline.cli.report:report", "Make the report: the catalogue on one page, for people."),
    "db": ("dropship_pipeline.cli.db:db", "The database: psql, its address, its server, its migrations."),
    "sandbox": ("dropship_pipeline.sandbox.command:sandbox_command", "Serve a simulated Alibaba.com."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Whoever read its output may leave, as `head` does: nothing is wrong then."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            with suppress(OSError, ValueError):  # Python would complain when it flushes at exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; say which one was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], COMMANDS, 1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]}?", ctx) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  as click calls it
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  as click calls it
        """Import the command; None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  as click calls it
        """List the commands from `COMMANDS`, so that none is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dropship")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
def dropship(debug: bool) -> None:
    """Keep a copy of the Alibaba.com dropshipping catalogue true, in Postgres and Parquet.

    \b
    dropship sync                                   everything, against the simulated Alibaba.com without credentials
    dropship sql "SELECT * FROM catalog.products"   look at the tables
    dropship doctor                                 when something does not work
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit status: 0 done, 1 something failed, 2 usage.

    Also 130 and 143: stopped, by Ctrl-C and by SIGTERM.
    """
    debug = "--debug" in takewhile(lambda argument: argument.startswith("-"), arguments)
    try:
        result = dropship.main(args=list(arguments), prog_name="dropship", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort) as stop:
        _say("stopped")
        return exit_status(stop.__cause__ or stop)  # click's Abort has what it stands for as its cause
    except Exception as error:
        if debug:
            raise
        _say(str(error) if isinstance(error, Problem) else _unforeseen(error, arguments))
        return 1
    return result if isinstance(result, int) else 0


def _say(line: str) -> None:
    from dropship_pipeline.cli.show import visible  # noqa: PLC0415  only what went wrong needs it

    click.echo(f"dropship: {visible(' '.join(line.split()))}", err=True)


def _unforeseen(error: Exception, arguments: Sequence[str]) -> str:
    """What no part of the program has words for: a file that cannot be used, or a fault of ours."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Let this user read and write there, or set DROPSHIP_HOME."
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return f"{error.strerror}: what was being written is not whole. Make room, and run the command again."
    from dropship_pipeline.alibaba.redaction import message  # noqa: PLC0415  hardly ever needed

    words = message(str(error)) or "no words"
    return (
        f"A fault of dropship itself, {type(error).__name__}: {words}. "
        f"See where it comes from with `dropship --debug {arguments[0] if arguments else ''}`, and report it."
    )
