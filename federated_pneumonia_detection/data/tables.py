"""A CSV that lists images.

Its columns are `image` (or `path`, `file`, `filename`), `label`, and, if there are such, `split` and `patient`. Paths
are relative to the CSV, or to a folder `images` beside it. Only text is read: a cell that begins with `=` is no
formula here, and no image either.
"""

from __future__ import annotations

import csv
import io
from pathlib import PurePosixPath

from federated_pneumonia_detection.data.errors import DataError
from federated_pneumonia_detection.data.listings import Entry, Listing, label_of, patient_of, split_of
from federated_pneumonia_detection.data.trees import Tree

__all__ = ["list_table"]

_COLUMNS = {
    "image": ("image", "path", "file", "filename", "image_path", "file_name", "image_id"),
    "label": ("label", "class", "target", "finding"),
    "split": ("split", "subset", "set", "fold"),
    "patient": ("patient", "patient_id", "patientid", "subject", "subject_id"),
}
_RIGHT = "the first line names the columns: image, label, and optionally split, patient"
_MAX_ROWS = 500_000


def list_table(content: bytes, tree: Tree, *, where: str, base: str = "") -> Listing:
    """List the images that a CSV names.

    Args:
        content: the CSV's bytes, UTF-8 or UTF-16 with its mark; separated by comma, semicolon or tab.
        tree: where its images are.
        where: how errors call the CSV.
        base: the folder of `tree` that the CSV lies in.

    Raises:
        DataError: a column is missing, a row is broken, doubled, or names a label, split or image that there is not.
    """
    rows = _rows(_text(content, where), where)
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    columns = {meaning: _column(header, words) for meaning, words in _COLUMNS.items()}
    for needed in ("image", "label"):
        if columns[needed] is None:
            listed = ", ".join(header[:12]) or "nothing"
            raise DataError(f"it has no column {needed} (it has {listed})", where, _RIGHT)
    if len(rows) == 1:
        raise DataError("it has a first line and no rows", where, "each further line names an image")
    names = set(tree.names())
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        place = f"{where}, line {line}"
        entry = _entry(row, header, columns, names, base, place)
        if entry.name in seen:
            raise DataError(f"the image was named in line {seen[entry.name]} already", place, "keep one of the rows")
        seen[entry.name] = line
        entries.append(entry)
    without = sum(entry.split is None for entry in entries)
    if without and without < len(entries):
        raise DataError(f"{without} rows have no split, the others do", where, "give each row a split, or none")
    return Listing(entries)


def _text(content: bytes, where: str) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"byte {error.start} is not {encoding[:6].upper()}", where, "save it as UTF-8") from None
    if "\0" in text:
        raise DataError("it holds NUL bytes, so it is no text", where, "save it as a CSV in UTF-8")
    return text


def _rows(text: str, where: str) -> list[list[str]]:
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        raise DataError(f"it is no CSV ({error})", where, "close each quote, and keep cells short") from None
    if len(rows) > _MAX_ROWS:
        raise DataError(f"it has {len(rows):,} rows", where, f"at most {_MAX_ROWS:,} are read")
    if not rows:
        raise DataError("it is empty", where, _RIGHT)
    return rows


def _column(header: list[str], words: tuple[str, ...]) -> int | None:
    return next((header.index(word) for word in words if word in header), None)


def _entry(
    row: list[str], header: list[str], columns: dict[str, int | None], names: set[str], base: str, place: str
) -> Entry:
    if len(row) != len(header):
        raise DataError(f"it has {len(row)} cells", place, f"the first line has {len(header)}")
    cells = {meaning: row[at].strip() if at is not None else "" for meaning, at in columns.items()}
    label = label_of(cells["label"])
    if label is None:
        raise DataError(
            f"the label is {ascii(cells['label'])[:60]}", place, "it must be 0 or normal, or 1 or pneumonia"
        )
    split = split_of(cells["split"]) if cells["split"] else None
    if cells["split"] and split is None:
        raise DataError(f"the split is {ascii(cells['split'])[:60]}", place, "it must be train, val or test")
    name = _find(cells["image"], names, base)
    if name is None:
        shown = ascii(cells["image"])[1:-1][:120]
        raise DataError(
            "there is no such image", f"{place}, {shown or 'an empty cell'}", "paths are relative to the CSV"
        )
    return Entry(name, label, split, cells["patient"] or patient_of(name))


def _find(cell: str, names: set[str], base: str) -> str | None:
    """The name in the tree that `cell` means. Only names that are in the tree are found, so no cell leads out of it."""
    path = PurePosixPath(cell.replace("\\", "/"))
    if not cell or path.is_absolute() or ".." in path.parts:
        return None
    root = PurePosixPath(base)
    for candidate in (root / path, root / "images" / path):
        if str(candidate) in names:
            return str(candidate)
    return None
