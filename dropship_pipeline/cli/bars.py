"""Progress on standard error, so that standard output holds results only: bars for a person, lines for a pipe."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from dropship_pipeline.counting import counted

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

BAR_WIDTH = 32
NARROW = 72  # columns of a terminal below which the bar is shortened, and the time that is left not shown
NARROWEST = 52  # below which there is no bar, only counts
NO_CLOCK = 46  # below which there is no time either


@dataclass(frozen=True, slots=True)
class StageName:
    """How a stage of `sync` is called before people, and what it counts: one of it, or "" for nothing with a name."""

    words: str
    counts: str


STAGES = {
    "list": StageName("Listing feeds", "page"),
    "describe": StageName("Describing products", "product"),
    "take stock": StageName("Reading stock", "product"),
    "publish": StageName("Publishing tables", "table"),
}
_QUOTE = "quote to "


def stage_name(stage: str) -> StageName:
    """The name of a stage, whose destination `quote` tells too."""
    if stage.startswith(_QUOTE):
        return StageName(f"Quoting freight to {stage.removeprefix(_QUOTE)}", "product")
    return STAGES.get(stage, StageName(stage.capitalize(), ""))


class Bars:
    """One bar a stage, on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> "Bars":
        from rich.console import Console  # noqa: PLC0415  only a person waits for it
        from rich.progress import Progress, TaskID  # noqa: PLC0415

        self._console = Console(file=self._stream, highlight=False)
        # what others write to standard error meanwhile is not ours to show between the bars: see `quiet`
        self._progress = Progress(*_columns(self._console.width), console=self._console, redirect_stderr=False)
        self._progress.start()
        self._opening: TaskID | None = self._progress.add_task("Starting", total=None, counts="")
        self._task = self._opening
        self._done = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_opening()
        self._progress.stop()
        self._console.print()

    def begin(self, stage: str, total: int | None) -> None:
        """A new bar."""
        self._end_opening()
        name = stage_name(stage)
        self._task = self._progress.add_task(name.words, total=total, counts=name.counts)
        self._done = 0

    def advance(self, count: int, total: int | None = None) -> None:
        """Move the bar."""
        self._done += count
        if total is None:
            self._progress.update(self._task, advance=count)
        else:
            self._progress.update(self._task, advance=count, total=total)

    def finish(self) -> None:
        """The bar is full, whatever was expected; one with nothing to do too."""
        self._progress.update(self._task, total=max(self._done, 1), completed=max(self._done, 1), done=self._done)

    def note(self, line: str) -> None:
        """A line above the bars."""
        self._console.print(line, style="yellow", markup=False, soft_wrap=True)

    def _end_opening(self) -> None:
        if self._opening is not None:
            self._progress.remove_task(self._opening)
            self._opening = None


class Lines:
    """A line when a stage ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, stage: str, total: int | None) -> None:
        """Remember when."""
        del total
        self._stage, self._done, self._began = stage_name(stage), 0, time.monotonic()

    def advance(self, count: int, total: int | None = None) -> None:
        """Count."""
        del total
        self._done += count

    def finish(self) -> None:
        """Say it."""
        done = counted(self._done, self._stage.counts) if self._stage.counts else f"{self._done:,}"
        self.note(f"{self._stage.words}: {done} in {time.monotonic() - self._began:.1f} s")

    def note(self, line: str) -> None:
        """Say it."""
        print(line, file=self._stream, flush=True)


def watcher(*, plain: bool) -> Bars | Lines:
    """Bars for a person, lines for a pipe, and for whoever wants them plain."""
    stream = sys.stderr
    return Lines(stream) if plain or not stream.isatty() else Bars(stream)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep to ourselves what libraries log and write to standard error while a run goes.

    Each thing that can go wrong there comes to us as an error too, and is told in one line.
    """
    import logging  # noqa: PLC0415
    from contextlib import redirect_stderr  # noqa: PLC0415
    from io import StringIO  # noqa: PLC0415

    root = logging.getLogger()
    silent = logging.NullHandler()
    root.addHandler(silent)  # with no handler at all, logging would make one that writes
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        root.removeHandler(silent)


def _columns(width: int) -> list["ProgressColumn"]:
    from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Count(ProgressColumn):
        """`120/290 products`; without a total `12 pages`, and so at the end."""

        def render(self, task: Task) -> Text:
            done, thing = int(task.fields.get("done", task.completed)), task.fields["counts"]
            if not thing:
                return Text("")
            if task.total is None or task.finished:
                return Text(counted(done, thing))
            return Text(f"{done:,}/{counted(int(task.total), thing)}")

    class Clock(ProgressColumn):
        """Seconds since the stage began; while it goes, the time that is left too."""

        def render(self, task: Task) -> Text:
            taken = _time(task.finished_time if task.finished else task.elapsed)
            left = None if task.finished or width < NARROW else task.time_remaining
            return Text(taken if left is None else f"{taken}, {_time(left)} left", style="dim")

    one_line = Column(no_wrap=True)
    bar = [BarColumn(BAR_WIDTH if width >= NARROW else width - 48)] if width >= NARROWEST else []
    return [
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("{task.description}"),
        *bar,
        Count(one_line),
        *([Clock(one_line)] if width >= NO_CLOCK else []),
    ]


def _time(seconds: float | None) -> str:
    minutes, rest = divmod(round(seconds or 0), 60)
    return f"{minutes}:{rest:02}"
