"""Progress on a terminal: one bar a stage. To a pipe, a line when a stage ends."""

import sys
import time
from types import TracebackType

import click


class Bars:
    """Progress bars on standard error, so that standard output holds results only."""

    def __enter__(self) -> "Bars":
        from rich.console import Console  # noqa: PLC0415  only a person waits for it
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._progress.start()
        self._task = self._progress.add_task("Opening", total=None)
        self._done = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, stage: str, total: int | None) -> None:
        """A new bar."""
        if self._progress.tasks and self._progress.tasks[-1].description == "Opening":
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(stage, total=total)
        self._done = 0

    def advance(self, count: int, total: int | None = None) -> None:
        """Move the bar."""
        self._done += count
        if total is None:
            self._progress.update(self._task, advance=count)
        else:
            self._progress.update(self._task, advance=count, total=total)

    def finish(self) -> None:
        """The bar is full, whatever was expected."""
        self._progress.update(self._task, total=max(self._done, 1), completed=max(self._done, 1))

    def note(self, line: str) -> None:
        """A line above the bars."""
        self._console.print(line, style="yellow", markup=False, highlight=False)


class Lines:
    """A line on standard error when a stage ends."""

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, stage: str, total: int | None) -> None:
        """Remember when."""
        del total
        self._stage, self._done, self._began = stage, 0, time.monotonic()

    def advance(self, count: int, total: int | None = None) -> None:
        """Count."""
        del total
        self._done += count

    def finish(self) -> None:
        """Say it."""
        click.echo(f"{self._stage}: {self._done} in {time.monotonic() - self._began:.1f} s", err=True)

    def note(self, line: str) -> None:
        """Say it."""
        click.echo(line, err=True)


def watcher() -> Bars | Lines:
    """Bars for a person, lines for a pipe."""
    return Bars() if sys.stderr.isatty() else Lines()
