"""The lake as a place: a folder, or a bucket through pyarrow's file systems. A file is there whole, or not at all.

Paths are relative to the lake's root, with slashes. Names that begin with a dot are unfinished business of this module
and are never listed. What the lake holds is said in `raw.py` and `snapshots.py`.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from pyarrow import dataset

QUARANTINE = "quarantine"
"""The folder for what is damaged and was set aside."""

_HIDDEN = re.compile(r"\..+\.[0-9a-f]{8}\.(new|gone)")
_AGAIN = "then run the command again: what was merged is kept"
_FULL = f"Free space there, or set DROPSHIP_LAKE_URL to another place, {_AGAIN}"
_RIGHTS = "Let this user read and write there, or set DROPSHIP_LAKE_URL to another place"

# a file system without hard links, or with as many of this file as it can have
_NO_LINK = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})

# errno -> what happened to the path, what to do about it
_MEANINGS = {
    errno.ENOSPC: ("does not fit: the disk is full", _FULL),
    errno.EDQUOT: ("does not fit: the quota is used up", _FULL),
    errno.EFBIG: ("does not fit: the limit on the size of a file is reached", f"Raise it (ulimit -f), {_AGAIN}"),
    errno.EACCES: ("is not accessible to this user", _RIGHTS),
    errno.EPERM: ("is not accessible to this user", _RIGHTS),
    errno.EROFS: ("is on a read-only disk", _RIGHTS),
    errno.ENOENT: ("is missing", "Check DROPSHIP_LAKE_URL; `dropship sync` makes anew what was deleted"),
    errno.ENOTDIR: ("lies under something that is no folder", "Move that away, or set DROPSHIP_LAKE_URL"),
    errno.EISDIR: ("is a folder where a file is expected", "Move that away, or set DROPSHIP_LAKE_URL"),
    errno.EIO: ("cannot be read or written: the disk is failing", "See the system's log"),
}
_UNKNOWN = "Check DROPSHIP_LAKE_URL and, for a bucket, its credentials and the network; then run the command again"


class LakeProblem(Problem):
    """The lake could not be read or written."""


class Lake:
    """A lake at a path or an `s3://…` address. Making one touches nothing local: folders come with the first file."""

    def __init__(self, url: str) -> None:
        """Raises `LakeProblem` for an address that cannot be read, and for a bucket whose host cannot be asked."""
        parts = urlsplit(url) if "://" in url else None
        if parts is None or parts.scheme == "file":
            self._folder: Path | None = Path(parts.path if parts else url).expanduser().absolute()
            self._fs: fs.FileSystem = fs.LocalFileSystem()
            self._root = self.location = str(self._folder)
            return
        self._folder = None
        if parts.scheme != "s3":  # of others Arrow knows, some ask for credentials for minutes
            raise LakeProblem(
                f"A lake cannot be at {parts.scheme}://", "Set DROPSHIP_LAKE_URL to a path or to s3://bucket/prefix"
            )
        if not parts.hostname:
            raise LakeProblem("The address of the lake names no bucket", "Set DROPSHIP_LAKE_URL to s3://bucket/prefix")
        self.location = f"{parts.scheme}://{parts.hostname or ''}{parts.path}".rstrip("/")
        try:
            self._fs, root = fs.FileSystem.from_uri(url)
        except (pa.ArrowException, OSError, ValueError) as error:
            # the address itself is not shown: it may hold a key
            raise LakeProblem(f"The lake {self.location} cannot be opened: {_words(error)}", _UNKNOWN) from None
        self._root = root.rstrip("/")

    def __repr__(self) -> str:
        return f"Lake({self.location!r})"

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine: one that can hold symbolic links."""
        return self._folder is not None

    def at(self, path: str) -> str:
        """Where that is, to be shown: no credentials."""
        return f"{self.location}/{path}"

    def write(self, path: str, data: bytes | pa.Buffer) -> None:
        """Write a file: there whole and on disk when this returns, and not there at all if it raises `LakeProblem`."""
        with self.in_our_words(path):
            if self._folder is None:
                with self._fs.open_output_stream(self._full(path)) as sink:
                    sink.write(data)
                return
            target = self._folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = _hidden(target, "new")
            try:
                with unfinished.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            _sync(target.parent)

    def read(self, path: str) -> pa.Buffer:
        """A whole file. Raises `LakeProblem`."""
        with self.in_our_words(path), self._fs.open_input_stream(self._full(path)) as source:
            return source.read_buffer()

    def open_input(self, path: str) -> pa.NativeFile:
        """A file to be read in pieces. Raises `LakeProblem`."""
        with self.in_our_words(path):
            return self._fs.open_input_file(self._full(path))

    def dataset(self, path: str) -> "dataset.Dataset":
        """A Parquet file to be asked for some of its columns and rows: nothing is read yet but its schema."""
        from pyarrow import dataset  # noqa: PLC0415 - it imports pandas, at a third of a second, which few commands need

        with self.in_our_words(path):
            return dataset.dataset(self._full(path), filesystem=self._fs, format="parquet")

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        with self.in_our_words(path):
            return self._fs.get_file_info(self._full(path)).type != fs.FileType.NotFound

    def files(self, under: str) -> list[str]:
        """The files under a folder, at any depth, sorted; none where there is no such folder."""
        return self._list(under, fs.FileType.File, recursive=True)

    def folders(self, under: str) -> list[str]:
        """The folders directly in a folder, sorted; none where there is no such folder."""
        return self._list(under, fs.FileType.Directory, recursive=False)

    def size(self, under: str) -> int:
        """The bytes of all files under a folder; 0 where there is no such folder."""
        return sum(self.sizes(under).values())

    def sizes(self, under: str) -> dict[str, int]:
        """The bytes of each file under a folder, by its path from there; none where there is no such folder."""
        with self.in_our_words(under):
            return _sizes(self._fs, self._full(under))

    def rename(self, path: str, new_path: str) -> None:
        """Give a file another name."""
        with self.in_our_words(path):
            self._fs.move(self._full(path), self._full(new_path))

    def delete(self, path: str) -> None:
        """Delete a file; fine if there is none."""
        with self.in_our_words(path), suppress(FileNotFoundError):
            self._fs.delete_file(self._full(path))

    def delete_folder(self, path: str) -> None:
        """Delete a folder with all that is in it; fine if there is none. Locally it vanishes from sight at once."""
        with self.in_our_words(path), suppress(FileNotFoundError):
            if self._folder is None:
                self._fs.delete_dir(self._full(path))
                return
            gone = _hidden(self._folder / path, "gone")
            (self._folder / path).rename(gone)
            shutil.rmtree(gone)

    def unfinished(self, under: str) -> list[str]:
        """What killed processes left half made or half deleted in a folder, or others are at now: see `discard`."""
        if self._folder is None:
            return []
        with self.in_our_words(under), suppress(FileNotFoundError):
            place = self._folder / under
            return sorted(
                entry.relative_to(self._folder).as_posix() for entry in place.iterdir() if _HIDDEN.fullmatch(entry.name)
            )
        return []

    def discard(self, unfinished: str) -> None:
        """Delete something unfinished; fine if it is gone. Whoever was at it fails: it cannot be finished any more."""
        if self._folder is None:
            raise TypeError(f"{self.location} holds nothing that is unfinished")
        path = self._folder / unfinished
        with self.in_our_words(unfinished), suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def set_aside(self, path: str) -> str:
        """Move a file or folder that is damaged to `quarantine/…`, out of everybody's way; where it is now."""
        aside = f"{QUARANTINE}/{path}"
        while self.exists(aside):
            aside += "-again"
        with self.in_our_words(path):
            if self._folder is not None:
                target = self._folder / aside
                target.parent.mkdir(parents=True, exist_ok=True)
                (self._folder / path).rename(target)
                _sync(target.parent)
                return aside
            # a bucket has no folders to be moved
            for file in self.files(path) or [path]:
                self._fs.move(self._full(file), self._full(aside + file[len(path) :]))
        return aside

    @contextmanager
    def new_folder(self, path: str) -> Iterator["Draft"]:
        """A folder to be filled. Locally it is there, whole and on disk, at the end, and never if the inside raises.

        A bucket cannot rename: its files are there as they come, so that a reader needs to be told when all are.
        """
        if self._folder is None:
            draft = path
        else:
            draft = _hidden(self._folder / path, "new").relative_to(self._folder).as_posix()
        try:
            yield Draft(self, self._fs, self._full(draft))
            if self._folder is not None:
                with self.in_our_words(path):
                    for folder, _, names in os.walk(self._folder / draft, topdown=False):
                        for name in names:
                            _sync(Path(folder, name))
                        _sync(Path(folder))
                    (self._folder / draft).rename(self._folder / path)
                    _sync((self._folder / path).parent)
        except BaseException:
            with suppress(LakeProblem):  # what is left will be found unfinished; the first failure is the one to tell
                self.delete_folder(draft)
            raise

    def point(self, name: str, target: str, confirm: Callable[[], None] = lambda: None) -> None:
        """Make `name` a symbolic link to `target`, both in the lake, in one atomic step. Only for a local lake.

        `confirm` is asked, when all is prepared, whether it may still be done, by raising if not. Whoever is allowed to
        point after us discards first what is `unfinished`: then the step that we may have confirmed before fails.
        """
        if self._folder is None:
            raise TypeError(f"{self.location} holds no symbolic links")
        with self.in_our_words(name):
            link = self._folder / name
            if link.is_symlink() and os.readlink(link) == target:  # noqa: PTH115  Path.readlink makes a path of the text
                return
            link.parent.mkdir(parents=True, exist_ok=True)
            unfinished = _hidden(link, "new")
            try:
                unfinished.symlink_to(target)
                confirm()
                unfinished.replace(link)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            _sync(link.parent)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _list(self, under: str, kind: fs.FileType, *, recursive: bool) -> list[str]:
        selector = fs.FileSelector(self._full(under), recursive=recursive, allow_not_found=True)
        with self.in_our_words(under):
            found = self._fs.get_file_info(selector)
        paths = [info.path[len(self._root) + 1 :] for info in found if info.type == kind]
        return sorted(path for path in paths if not any(part.startswith(".") for part in PurePosixPath(path).parts))

    @contextmanager
    def in_our_words(self, path: str) -> Iterator[None]:
        """Raise what the file system raises inside as a `LakeProblem` that names the path and the remedy."""
        try:
            yield
        except OSError as error:
            what, remedy = _MEANINGS.get(error.errno or 0, (f"failed: {_words(error)}", _UNKNOWN))
            raise LakeProblem(f"{self.at(path)} {what}", remedy) from error


class Draft:
    """A folder that is being filled: see `Lake.new_folder`."""

    def __init__(self, lake: Lake, file_system: fs.FileSystem, folder: str) -> None:
        self._lake = lake
        self._fs = file_system
        self._folder = folder

    @contextmanager
    def open_output(self, path: str) -> Iterator[pa.NativeFile]:
        """A file in the folder, to be written in pieces. What goes wrong inside with a file is a `LakeProblem`."""
        full = f"{self._folder}/{path}"
        with self._lake.in_our_words(path):
            if self._lake.is_local:
                Path(full).parent.mkdir(parents=True, exist_ok=True)
            with self._fs.open_output_stream(full) as sink:
                yield sink

    def take_over(self, path: str, into: str) -> None:
        """Have a file of the lake that nobody writes to any more in the folder too: not a byte of it passes by here."""
        source, target = self._lake._full(path), f"{self._folder}/{into}"
        with self._lake.in_our_words(path):
            if not self._lake.is_local:
                self._fs.copy_file(source, target)
                return
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            try:
                Path(target).hardlink_to(source)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                shutil.copyfile(source, target)

    def sizes(self) -> dict[str, int]:
        """The bytes of each file in the folder, by its path from there."""
        with self._lake.in_our_words(self._folder):
            return _sizes(self._fs, self._folder)

    @contextmanager
    def open_input(self, path: str) -> Iterator[pa.NativeFile]:
        """A file in the folder that was written, to be read back."""
        with self._lake.in_our_words(path), self._fs.open_input_file(f"{self._folder}/{path}") as source:
            yield source


def _sizes(file_system: fs.FileSystem, folder: str) -> dict[str, int]:
    found = file_system.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return {info.path[len(folder) + 1 :]: info.size or 0 for info in found if info.type == fs.FileType.File}


def _hidden(path: Path, suffix: str) -> Path:
    """A name beside `path` that is not listed, and that no other process takes."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{suffix}")


def _sync(path: Path) -> None:
    """Have a file or folder on disk, whoever wrote it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _words(error: BaseException) -> str:
    """The file system's first line."""
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0]
