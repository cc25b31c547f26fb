"""A folder and a zip, read the same way: names in it, and the bytes of one name.

A zip is never unpacked onto the disk: what it holds is read by name, each within its limit, so that no entry can be
written outside of anything, and none can fill a disk.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Protocol

from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.images import MAX_FILE_BYTES

__all__ = ["MAX_ENTRIES", "MAX_ZIP_BYTES", "FolderTree", "Tree", "ZipTree"]

MAX_ENTRIES = 500_000
MAX_ZIP_BYTES = 64 << 30
MAX_RATIO = 200
_RATIO_FROM_BYTES = 1 << 20  # small files of one colour compress better than any limit, and harm nobody
_IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


class Tree(Protocol):
    """Files under relative names with `/` between their parts."""

    where: str

    def names(self) -> list[str]:
        """All names, sorted, without what operating systems leave lying about."""

    def read(self, name: str) -> bytes:
        """The bytes of one file.

        Raises:
            DataError: it is not there, cannot be read, or is larger than 256 MiB.
        """

    def place(self, name: str) -> str:
        """How an error calls the file `name`."""


class FolderTree:
    """A folder on the disk. Links to folders are not followed, so that none leads in a circle or far away."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)

    def names(self) -> list[str]:
        """As `Tree.names`."""
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not _ignored(name))
            base = Path(folder).relative_to(self.root).as_posix()
            found += [name if base == "." else f"{base}/{name}" for name in files if not _ignored(name)]
            if len(found) > MAX_ENTRIES:
                raise DataError(f"it holds more than {MAX_ENTRIES:,} files", self.where, "name a folder of images")
        return sorted(found)

    def read(self, name: str) -> bytes:
        """As `Tree.read`."""
        path = self.root / name
        try:
            # A pipe or a device would be waited for without end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise DataError("it is no regular file", str(path), "remove it")
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            raise DataError("there is no such file", str(path), "name a file that is there") from None
        except OSError as error:
            raise DataError(f"it cannot be read ({error.strerror})", str(path), "make it readable") from None
        if len(content) > MAX_FILE_BYTES:
            raise DataError("it is larger than 256 MiB", str(path), "an X-ray has a few MiB")
        return content

    def place(self, name: str) -> str:
        """As `Tree.place`."""
        return str(self.root / name)


class ZipTree:
    """A zip, looked over before anything is read from it; a context manager."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise DataError(
                f"it cannot be read ({error.strerror or error})", self.where, "make it readable, or copy it again"
            ) from None
        except Exception as error:  # noqa: BLE001 - zipfile raises whatever damaged bytes make it run into
            raise DataError(f"it is no zip, or a broken one ({error})", self.where, "copy or make it again") from None
        try:
            self._entries = dict(self._usable())
        except DataError:
            self._zip.close()
            raise

    def __enter__(self) -> ZipTree:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """As `Tree.names`."""
        return sorted(self._entries)

    def read(self, name: str) -> bytes:
        """As `Tree.read`."""
        entry = self._entries.get(name)
        if entry is None:
            raise DataError("there is no such entry", self.place(name), "name an entry that is there")
        if entry.file_size > MAX_FILE_BYTES:
            raise DataError("it unpacks to more than 256 MiB", self.place(name), "an X-ray has a few MiB")
        try:
            return self._zip.read(entry)
        except Exception as error:  # noqa: BLE001 - zipfile and its decompressors raise whatever they run into
            raise DataError(f"it cannot be unpacked ({error})", self.place(name), "make the zip again") from None

    def place(self, name: str) -> str:
        """As `Tree.place`."""
        return f"{self.where}!{_printable(name)}"

    def _usable(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES:
            raise DataError(f"it has {len(entries):,} entries", self.where, f"at most {MAX_ENTRIES:,} are read")
        if (total := sum(entry.file_size for entry in entries)) > MAX_ZIP_BYTES:
            raise DataError(f"it unpacks to {total:,} bytes", self.where, f"at most {MAX_ZIP_BYTES:,} are read")
        for entry in entries:
            self._check(entry)
            parts = PurePosixPath(entry.filename).parts
            if not entry.is_dir() and not any(_ignored(part) for part in parts):
                yield entry.filename, entry

    def _check(self, entry: zipfile.ZipInfo) -> None:
        name, place = entry.filename, self.place(entry.filename)
        if name.startswith("/") or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
            raise DataError("the name of an entry leads out of the zip", place, "make the zip of plain relative names")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError("an entry is a link", place, "put the file itself into the zip")
        if entry.flag_bits & 0x1:
            raise DataError("it is encrypted", place, "unpack it, and name the folder")
        if entry.file_size > _RATIO_FROM_BYTES and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise DataError(
                f"an entry of {entry.compress_size:,} bytes unpacks to {entry.file_size:,}",
                place,
                f"more than {MAX_RATIO} times is taken for a bomb; unpack it, and name the folder",
            )


def _ignored(name: str) -> bool:
    return name in _IGNORED or name.startswith(".")


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]
