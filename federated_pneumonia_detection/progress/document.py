"""The polled document in its file: valid JSON at every instant, because it is only ever replaced by rename."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from federated_pneumonia_detection.progress import liveness
from federated_pneumonia_detection.progress.document_fold import ENDED, Folded, Source, Summary, fold, render
from federated_pneumonia_detection.progress.errors import NotAJournal
from federated_pneumonia_detection.progress.framing import JournalHeader, Line
from federated_pneumonia_detection.progress.journal import journal_names, journal_stem
from federated_pneumonia_detection.progress.reading import JournalReader, is_file, read_header, read_small

__all__ = ["LOST_AFTER_S", "Document", "complete_dead", "hub_stem", "journals_in"]

LOST_AFTER_S = 600.0
"""How long after its last word a run that ended normally without saying how counts as lost, in seconds."""

_STATUS = re.compile(rb'"status":"([a-z]+)"')
_HUB_MODE = "hub"
# What one writer's files tell, where there is more than one of them: a copy that lags behind has no last line either.
_TELLS_MOST = (liveness.State.CLOSED, liveness.State.ALIVE, liveness.State.DEAD, liveness.State.UNKNOWN)


def hub_stem(run_id: str) -> str:
    """What the journal is called into which the hub writes what it has to say about a run."""
    return f"{journal_stem(run_id, None)}.hub"


class Document:
    """The document of one run (or one client in it) in one directory: what all its writers there said.

    It reads journals, its own writer's too; there is no second way from a message to the document. Not thread-safe.

    Attributes:
        path: where the document lies.
    """

    def __init__(self, directory: Path, run_id: str, client_id: str | None) -> None:
        self._directory = directory
        self._run_id = run_id
        self._client_id = client_id
        stem = journal_stem(run_id, client_id)
        self.path = directory / f"{stem}.json"
        self._stems = (stem,) if client_id is not None else (stem, hub_stem(run_id))
        self._readers: dict[Path, JournalReader] = {}
        self._sources: dict[Path, Source] = {}
        self._others: set[Path] = set()
        # The fold of the one source there is, as a rule.
        self._folded: tuple[Source, Folded] | None = None

    def refresh(self, journals: Iterable[Path] | None = None) -> bool:
        """Read what was written since the last time; whether the document changes by it.

        Args:
            journals: the journals, where the caller has looked; else the names they take are tried one by one.
        """
        changed = False
        for path in self._find() if journals is None else journals:
            if path in self._others:
                continue
            reader = self._readers.get(path)
            if reader is None:
                reader = self._readers[path] = JournalReader(path, steps=False)
            with contextlib.suppress(OSError):  # gone or not ours to read: what the others said still stands
                changed |= self._read(path, reader)
        return changed

    def summary(self) -> Summary:
        """Where the run (or the client's part) stands."""
        sources = self._of_each_writer()
        if len(sources) != 1:
            return fold(sources, self._client_id)
        # One writer is the rule; then only what is new is folded.
        if self._folded is None or self._folded[0] is not sources[0]:
            self._folded = sources[0], Folded(sources[0], self._client_id)
        return self._folded[1].summary()

    def replace(self, status: str | None = None) -> None:
        """Read what is new, then replace the document, in one step for whoever reads it.

        Args:
            status: what the status is where the messages do not say so (after a death).

        Raises:
            OSError: it could not be written; what was there still is.
        """
        self.refresh()
        # Two writers of a run may replace the document at once; whichever comes last has looked at the other's journal
        # after its own rename. Three times are enough: whoever goes on writing comes back by itself.
        for _ in range(3):
            self._write(status)
            if not self.refresh():
                return

    def _find(self) -> Iterable[Path]:
        for stem in self._stems:
            for name in journal_names(stem):
                path = self._directory / name
                if path not in self._readers and not is_file(path):
                    break
                yield path

    def _read(self, path: Path, reader: JournalReader) -> bool:
        changed = False
        for entries in reader.present():
            source = self._source(path, reader.header)
            if source is None:
                return changed
            if source.is_new:
                source.is_new, changed = False, True
            for entry in entries:
                if isinstance(entry, Line):
                    changed |= source.add(entry)
        return changed

    def _source(self, path: Path, header: JournalHeader | None) -> Source | None:
        source = self._sources.get(path)
        if header is None or (source is not None and source.header is header):
            return source
        # A new journal, or one that was replaced and is read anew.
        if header.run_id != self._run_id or header.client_id != self._client_id:
            self._others.add(path)
            return None
        # A client may be called "hub"; only the run's own messages have the hub beside them.
        is_hub = self._client_id is None and path.name.startswith(self._stems[-1])
        self._sources[path] = Source(header, is_hub=is_hub)
        return self._sources[path]

    def _of_each_writer(self) -> list[Source]:
        # Of a journal and its copies, which may lag behind, the one that says most.
        longest: dict[str, Source] = {}
        for source in self._sources.values():
            known = longest.get(source.header.writer)
            if known is None or len(source.said) > len(known.said):
                longest[source.header.writer] = source
        return list(longest.values())

    def _write(self, status: str | None) -> None:
        sources = self._of_each_writer()
        if not sources:
            return
        summary = self.summary()
        if status is not None and summary.status not in ENDED:
            summary.status, summary.end_time = status, summary.updated_at
        data = render(sources, summary)
        # Never a name that somebody may take for a document.
        temporary = self._directory / f".{os.urandom(8).hex()}.tmp"
        try:
            temporary.write_bytes(data)
            temporary.replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def complete_dead(directory: str | os.PathLike[str]) -> list[Path]:
    """Complete the documents whose writers are all gone, and set their status.

    Every program of ours that opens a directory does this: after `kill -9` nobody else would.

    Returns:
        The documents that were replaced.
    """
    folder = Path(directory)
    groups: dict[tuple[str, str | None], dict[Path, JournalHeader]] = defaultdict(dict)
    for path in journals_in(folder):
        with contextlib.suppress(NotAJournal, OSError):  # not one of ours, or gone by now
            header = read_header(path)
            groups[header.run_id, header.client_id][path] = header
    completed = []
    for (run_id, client_id), journals in groups.items():
        document = Document(folder, run_id, client_id)
        with contextlib.suppress(OSError, NotAJournal):  # a directory that may only be read: the reader still knows
            if _complete(document, journals):
                completed.append(document.path)
    return completed


def journals_in(folder: Path) -> list[Path]:
    """The files in a directory that may be journals, by their names."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(".jsonl") and entry.name[0] != "." and entry.is_file(follow_symlinks=False)
            ]
    except (OSError, ValueError):  # ValueError: a directory's name with a NUL in it
        return []
    return [folder / name for name in sorted(names)]


def _complete(document: Document, journals: Mapping[Path, JournalHeader]) -> bool:
    newest = max(path.stat().st_mtime for path in journals)
    if _is_complete(document.path, newest):
        return False
    states = _states_of_writers(journals) or [liveness.State.CLOSED]
    if any(state in (liveness.State.ALIVE, liveness.State.UNKNOWN) for state in states):
        return False
    status = None
    if liveness.State.DEAD in states:
        status = "failed"
    elif time.time() - newest > LOST_AFTER_S:
        status = "lost"
    document.refresh(journals)
    document.replace(status)
    return True


def _states_of_writers(journals: Mapping[Path, JournalHeader]) -> list[liveness.State]:
    # The hub lives as long as its server: what it says about a run is no sign of the run's life.
    states: dict[str, liveness.State] = {}
    for path, header in journals.items():
        if header.mode != _HUB_MODE:
            found = (liveness.state(path), states.get(header.writer, liveness.State.UNKNOWN))
            states[header.writer] = min(found, key=_TELLS_MOST.index)
    return list(states.values())


def _is_complete(path: Path, newest_journal: float) -> bool:
    try:
        if path.stat().st_mtime < newest_journal:
            return False
        found = _STATUS.search(read_small(path, 4096))
    except OSError:
        return False
    return found is not None and found[1].decode() in ENDED
