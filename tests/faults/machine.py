"""What trials share: a Postgres, simulated Alibaba.coms by world, forked syncs, a reader; and what each gets anew.

A world is a small catalogue at one moment. It is read once without any trouble, into a database and a lake that are
then copied for each trial: a trial begins where a merchant is who has synced before, or at nothing.
"""

import shutil
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from deployment import Deployment
from forked_syncs import Ended, Forks, Work
from lake_reader import Reader
from moment import THEN_MS
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server.database import Database

DAY = 86_400
_SANDBOXES_KEPT = 3
_TEMPLATE = "faults_template"


@dataclass(frozen=True)
class World:
    """A simulated Alibaba.com: its products and orders, what is drawn of them, its dialect; and how it is reached."""

    products: int = 30
    seed: int = 1
    dialect: str = "guide"
    orders: int = 0
    rotate_refresh_token: bool = False
    refresh_token_s: int = 50_000_000

    def config(self) -> SandboxConfig:
        return SandboxConfig(
            **asdict(self),  # type: ignore[arg-type]  # the dialect is one of the two
            clock_start_ms=THEN_MS,
            clock_speed=0.0,
            access_token_s=10_000_000,
        )


@dataclass
class Merchant(Deployment):
    """A deployment of one trial, that works in forked processes."""

    machine: "Machine" = field(kw_only=True, repr=False)
    passed: dict[str, int] = field(default_factory=dict)

    def work(self, job: str = "sync", **options: Any) -> Work:
        """What such a process is told."""
        return Work(environment=self.environment, job=job, mutation=self.machine.mutation, **options)

    def run(self, job: str = "sync", **options: Any) -> Ended:
        """One process, to its end."""
        return self.machine.forks.run(self.work(job, **options))

    def days_pass(self, days: float) -> None:
        """Time passes at Alibaba.com; everything that was read before is due."""
        if days:
            self.sandbox.control("clock", {"advance_s": days * DAY})
        with self.database.begin() as connection:
            connection.exec_driver_sql("UPDATE ops.fetches SET fetched_at = fetched_at - interval '9 days'")

    def switch_on(self, *faults: str) -> None:
        for fault in faults:
            self.sandbox.control("faults", {"fault": fault})

    def switch_off(self) -> None:
        self.sandbox.control("faults", method="DELETE")

    def was_hit(self) -> bool:
        """Whether a fault that is on has hit a call."""
        return any(fault["hits"] for fault in self.sandbox.control("faults")["active"])

    @property
    def lake(self) -> Path:
        return self.home / "lake"


@dataclass(frozen=True)
class Base:
    """A world that was read once, undisturbed: a database to copy, and a home."""

    database: str
    home: Path
    passed: dict[str, int]


class Machine:
    """What the trials of one process share."""

    def __init__(self, maintenance: Database, folder: Path) -> None:
        self.maintenance = maintenance
        self.folder = folder
        self._worlds: OrderedDict[World, Running] = OrderedDict()
        self._bases: dict[World, Base] = {}
        self._used: set[World] = set()
        self._own: list[str] = []
        self._at_the_end: list[Callable[[], None]] = []
        self.mutation = ""
        """Which safeguard the pipeline lacks, of `mutations.py`: to show that it is needed."""
        self.known: dict[Any, Any] = {}
        """What undisturbed runs came to, by what was run."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        with self.maintenance.autocommit() as connection:
            found = connection.exec_driver_sql(f"SELECT 1 FROM pg_database WHERE datname = '{_TEMPLATE}'").scalar()
            self.template = _TEMPLATE if found else self._migrated()

    @cached_property
    def forks(self) -> Forks:
        return Forks(self.folder)

    @cached_property
    def reader(self) -> Reader:
        return Reader()

    def at_the_end(self, do: Callable[[], None]) -> None:
        """Have something closed before everything else is."""
        self._at_the_end.append(do)

    def close(self) -> None:
        """End every process, drop every database, and remove every file."""
        for do in self._at_the_end:
            do()
        for name in ("forks", "reader"):
            if name in self.__dict__:
                getattr(self, name).close()
        for sandbox in self._worlds.values():
            sandbox.stop()
        for name in self._own:
            self._drop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Worlds

    def sandbox(self, world: World) -> Running:
        """The world's Alibaba.com as at its start."""
        if world in self._worlds:
            running = self._worlds[world]
            self._worlds.move_to_end(world)
            if world in self._used:
                running.control("faults", method="DELETE")
                running.control("clock", {"set_ms": THEN_MS, "speed": 0})
                running.control("limit", {"calls_per_second": 0})
                running.control("stats/reset", {})
            return running
        while len(self._worlds) >= _SANDBOXES_KEPT:
            self._worlds.popitem(last=False)[1].stop()
        self._worlds[world] = start(world.config())
        self._used.add(world)
        return self._worlds[world]

    def forget(self, world: World) -> None:
        """End the world's Alibaba.com: its tokens or orders are not what they were at its start."""
        if world in self._worlds:
            self._worlds.pop(world).stop()

    # Merchants

    @contextmanager
    def merchant(
        self, world: World, *, new: bool = False, home: Path | None = None, variables: dict[str, str] | None = None
    ) -> Iterator[Merchant]:
        """One who has synced the world before, or a `new` one; everything of theirs is gone at the end."""
        base = None if new else self.base(world)
        home = home or self.folder / f"home-{uuid.uuid4().hex[:8]}"
        with self.database(base.database if base else self.template) as database:
            if base is not None:
                shutil.copytree(base.home, home, symlinks=True, dirs_exist_ok=True)
            merchant = Merchant(home, database, self.sandbox(world), variables or {}, machine=self)
            merchant.days_pass(0)
            merchant.passed = dict(base.passed) if base else {}
            try:
                yield merchant
            finally:
                for _ in range(3):
                    with suppress(OSError):  # a process that was killed may still be giving its files up
                        shutil.rmtree(home)
                        break

    @contextmanager
    def database(self, template: str) -> Iterator[Database]:
        """A copy of a database, dropped at the end."""
        name = f"trial_{uuid.uuid4().hex[:12]}"
        database = self.copy(template, name)
        try:
            yield database
        finally:
            database.close()
            self._drop(name)

    def copy(self, template: str, name: str) -> Database:
        with self.maintenance.autocommit() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._at(name)

    def base(self, world: World) -> Base:
        """The world, read once."""
        if world not in self._bases:
            name = f"base_{uuid.uuid4().hex[:12]}"
            home = self.folder / name
            database = self.copy(self.template, name)
            self._own.append(name)
            merchant = Merchant(home, database, self.sandbox(world), {}, machine=self)
            ended = merchant.run()
            assert ended.is_done, ended.output
            database.close()
            self._bases[world] = Base(name, home, ended.said["passed"])
        return self._bases[world]

    def _migrated(self) -> str:
        name = f"empty_{uuid.uuid4().hex[:12]}"
        with self.maintenance.autocommit() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        self._own.append(name)
        database = self._at(name)
        migrate.upgrade(database)
        database.close()
        return name

    def _at(self, name: str) -> Database:
        return Database(make_url(self.maintenance.libpq_url).set(database=name).render_as_string(hide_password=False))

    def _drop(self, name: str) -> None:
        with self.maintenance.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
