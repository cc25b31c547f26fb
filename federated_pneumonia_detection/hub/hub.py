"""The hub: one log of everything that journals say, and a cursor in it for each viewer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from federated_pneumonia_detection.hub import alerts, export, run_document, run_page, series
from federated_pneumonia_detection.hub.alerts import END, LEVELS, Alerted
from federated_pneumonia_detection.hub.attempts import CURRENT, Attempts, Wanted
from federated_pneumonia_detection.hub.axes import Axis
from federated_pneumonia_detection.hub.coroner import Coroner, ExitReport
from federated_pneumonia_detection.hub.cursor import Selection
from federated_pneumonia_detection.hub.errors import RunActive, RunElsewhere, UnknownRun
from federated_pneumonia_detection.hub.fanout import Fanout
from federated_pneumonia_detection.hub.follower import Follower
from federated_pneumonia_detection.hub.following import FollowedJournal, Reading
from federated_pneumonia_detection.hub.frames import Frame
from federated_pneumonia_detection.hub.hub_journal import HubJournals
from federated_pneumonia_detection.hub.ledger import Ledger, expected
from federated_pneumonia_detection.hub.private_directory import PrivateDirectory
from federated_pneumonia_detection.hub.shipping import forgotten
from federated_pneumonia_detection.hub.state import RunState, ended
from federated_pneumonia_detection.hub.stores.store import Place, Store, Stored
from federated_pneumonia_detection.hub.subscription import Subscription
from federated_pneumonia_detection.hub.watch import Watch, best_watch
from federated_pneumonia_detection.hub.words import described
from federated_pneumonia_detection.progress.clock import now

__all__ = ["ExitReport", "Frame", "Hub", "Page", "Subscription"]

_READY_WITHIN_S = 10.0


class Page(msgspec.Struct, frozen=True):
    """One answer of the polling fallback."""

    log_id: str
    top: int
    recovered: bool
    messages: list[bytes]
    """Each one JSON object."""


class Hub:
    """The log of all journals in the directories it follows.

    Args:
        store: Where the log lies.
        death_report: Asked with a run's id once its process is known to be gone; what the supervisor of that process
            knows, or `None` (not ours, or not known yet: it is asked again for two seconds).
        private: The directory of writers without files; `None` for one of its own.
        news_only: What was over before its directory was followed goes into the log, and not to viewers.
        ended_kept_s: Runs that ended so many seconds ago are dropped from the log; `None` keeps them.
        make_watch: Makes what wakes the follower.
    """

    def __init__(
        self,
        store: Store,
        *,
        death_report: Callable[[str], ExitReport | None] | None = None,
        private: PrivateDirectory | None = None,
        news_only: bool = False,
        ended_kept_s: float | None = None,
        make_watch: Callable[[], Watch] = best_watch,
    ) -> None:
        self._fanout = Fanout()
        self._ledger = Ledger(store, self._fanout)
        self._private = private or PrivateDirectory()
        self._journals = HubJournals()
        self._coroner = Coroner(
            self._ledger, self._journals, death_report=death_report, fallback=lambda: self.follow(None)
        )
        sink = _Sink(self._ledger, self._coroner, ended_kept_s)
        self._follower = Follower(sink, make_watch, news_only=news_only)
        # One for all viewers.
        self._history = _History(self)
        self._closed = False
        self._lock = threading.Lock()

    @property
    def log_id(self) -> str:
        """Which log offsets belong to."""
        return self._ledger.store.log_id

    @property
    def top(self) -> int:
        """The newest offset."""
        return self._ledger.store.top

    # --- life ---

    def follow(self, directory: str | None) -> str:
        """Follow the journals of a directory, also while running; `None` is a private temporary one.

        Returns:
            The absolute path of the directory that is followed.
        """
        path = self._private.make() if directory is None else str(Path(directory).absolute())
        self._follower.follow(path)
        return path

    def hint(self) -> None:
        """Something was written; cheap, and without effect where the system tells it anyway."""
        self._follower.hint()

    def wait_until_ready(self) -> None:
        """Wait until what was there at the start has been read once (ten seconds at most)."""
        self._follower.ready.wait(_READY_WITHIN_S)

    def start(self, *, wait: bool = True) -> None:
        """Start reading.

        Args:
            wait: Return when what was there already has been read once (after ten seconds at the latest).
        """
        self._ledger.store.listen(self._ledger.catch_up)
        self._follower.start()
        if wait:
            self.wait_until_ready()

    def close(self) -> None:
        """Stop reading, end all subscriptions, let the store go. Twice is fine."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._follower.stop()
        self._coroner.close()
        self._fanout.each(lambda subscription: subscription.close())
        self._journals.close()
        self._ledger.store.close()
        self._private.remove()

    # --- runs ---

    def runs(self) -> list[RunState]:
        """All runs, newest first, sentences made for now."""
        present = datetime.now(UTC)
        return [described(self._with_facts(state), present) for state in self._ledger.states()]

    def undescribed(self) -> list[RunState]:
        """All runs, newest first, without what needs a clock: as they were folded, and cheap."""
        return self._ledger.states()

    def run(self, run_id: str) -> RunState | None:
        """One run (`latest` is one too), its sentences made for now."""
        known = self.resolve(run_id)
        state = None if known is None else self._ledger.state(known)
        return None if state is None else described(self._with_facts(state), datetime.now(UTC))

    def _with_facts(self, state: RunState) -> RunState:
        hears = frozenset() if ended(state) else self._coroner.hears(state.run_id)
        return msgspec.structs.replace(
            state,
            hears_cancel="cancel" in hears,
            hears_pause="pause" in hears,
            pid=self._coroner.pid_of(state.run_id),
        )

    def resolve(self, run_id: str) -> str | None:
        """The run a name means: `latest` is the newest. `None` where there is none."""
        if self._ledger.state(run_id) is not None:
            return run_id
        if run_id != "latest":
            return None
        states = self._ledger.states()
        return states[0].run_id if states else None

    def expect(self, run_id: str, *, experiment_name: str, mode: str, total: int | None = None) -> None:
        """Make a run known before its first message; it is `queued` until then."""
        if self._ledger.state(run_id) is None:
            self._ledger.expect(expected(run_id, experiment_name=experiment_name, mode=mode, total=total))

    def say(self, run_id: str, message: msgspec.Struct) -> None:
        """Say something about a run: into the hub's journal of it, then through the log like everything else.

        A message without a time is said now, and of the attempt that the run is in.

        Raises:
            OSError: It could not be written.
        """
        if not getattr(message, "timestamp", "said"):
            message = msgspec.structs.replace(message, timestamp=now())
        state = self._ledger.state(run_id)
        if state is not None and state.attempt > 1 and getattr(message, "attempt", None) is msgspec.UNSET:
            message = msgspec.structs.replace(message, attempt=state.attempt)
        body = msgspec.json.encode(message)
        directory = self._coroner.directory_of(run_id) or next(iter(self._follower.directories()), None)
        self._journals.say(directory or self.follow(None), run_id, body)
        self._follower.wake()

    def is_elsewhere(self, run_id: str) -> bool:
        """Whether the journals of a run lie with another server that shares this log."""
        if not self._ledger.store.is_shared:
            return False
        state = self._ledger.state(run_id)
        if state is None or not (state.led or state.clients):
            # Nobody but servers has said anything of it yet.
            return False
        return all(journal.is_hubs for journal in self._journals_of(run_id))

    def _journals_of(self, run_id: str) -> list[FollowedJournal]:
        return [journal for journal in self._follower.journals() if _run_of(journal) == run_id]

    def is_written(self, run_id: str) -> bool:
        """Whether somebody on this machine still writes to a journal of the run, though it may have ended."""
        journals = self._journals_of(run_id)
        return any(not (journal.is_hubs or journal.over or journal.remote) and journal.alive for journal in journals)

    def files_of(self, run_id: str) -> list[Path]:
        """The files of a run that are here: its journals, its clients' and the hub's, and before them their documents.

        In this order they may be deleted: whoever goes on after a crash finds the documents by the journals.
        """
        journals = [Path(journal.path) for journal in self._journals_of(run_id)]
        documents = {path.with_name(path.name.removesuffix(".jsonl").partition("~")[0] + ".json") for path in journals}
        return [*sorted(documents), *journals]

    def say_once(self, run_id: str, about: str, body: dict[str, Any]) -> bool:
        """Have an alert said of a run, unless this hub, or another one of its directory, has said one about the same.

        Args:
            run_id: The run.
            about: What it is about.
            body: `level`, `title` and `text`.

        Returns:
            Whether it was said now. It is in the log a moment later.

        Raises:
            OSError: It could not be written.
        """
        state = self._ledger.state(run_id)
        attempt = {"attempt": state.attempt} if state is not None and state.attempt > 1 else {}
        said = {"type": "alert", **body, "about": about, "timestamp": now(), **attempt}
        directory = self._coroner.directory_of(run_id) or next(iter(self._follower.directories()), None)
        is_new = self._journals.say_once(directory or self.follow(None), run_id, about, msgspec.json.encode(said))
        self._follower.wake()
        return is_new

    def warn(self, run_id: str, directory: str, about: str, body: dict[str, Any]) -> None:
        """Have an alert said of a run, in the hub's journal in a directory; of the same once."""
        self._coroner.warn(run_id, directory, about, body)

    def forget(self, run_id: str, *, aged: bool = False) -> None:
        """Delete an ended run, its journals and documents included.

        Args:
            run_id: The run.
            aged: Nobody asked for it, it is only too old: a viewer that missed it is told so.

        Raises:
            UnknownRun: There is no such run.
            RunActive: It has not ended.
            RunElsewhere: Its journals lie with another server.
        """
        state = self._ledger.state(run_id)
        if state is None:
            raise UnknownRun(run_id)
        if not ended(state):
            raise RunActive(run_id, state.status)
        if self.is_elsewhere(run_id):
            raise RunElsewhere(run_id)
        self._journals.close_run(run_id)
        for journal in self._journals_of(run_id):
            if journal.header is not None and journal.header.shipped is True:
                # Its own machine still has it, and would send it again.
                forgotten.forget(Path(journal.path).parent, [journal.header.writer])
        for path in self.files_of(run_id):
            path.unlink(missing_ok=True)
        self._follower.drop({journal.path for journal in self._journals_of(run_id)})
        self._ledger.forget(run_id, aged=aged)

    # --- reading ---

    def messages(self, *, after: int, limit: int) -> list[Stored]:
        """Lifecycle messages of all runs above an offset, in order, as they lie in the log."""
        return self._ledger.store.read(after=after, limit=limit)

    def events(
        self,
        *,
        run_id: str | None = None,
        client_id: str | None = None,
        after: int | None = None,
        log_id: str | None = None,
        limit: int = 1000,
    ) -> Page:
        """What comes after a cursor, at most `limit` lifecycle messages, with the newest steps beside them."""
        selection = Selection(run_id, client_id)
        begun = self._ledger.start(selection, after or 0, log_id)
        current, top = self.log_id, self.top
        return Page(current, top, begun.recovered, self._ledger.answer(selection, begun.after, limit))

    def alerts(
        self,
        *,
        levels: Collection[str] = LEVELS,
        run_id: str | None = None,
        before: int = END,
        after: int = 0,
        limit: int = 100,
    ) -> list[Alerted]:
        """What somebody should look at: alerts, failures and what rules have told, the newest first.

        Args:
            levels: Only of these.
            run_id: Only of this run.
            before: Only below this offset.
            after: Only above this offset.
            limit: At most so many.
        """
        return alerts.found(self._ledger.store, levels=levels, run_id=run_id, before=before, after=after, limit=limit)

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        client_id: str | None = None,
        after: int | None = None,
        log_id: str | None = None,
    ) -> Subscription:
        """Follow the log from a cursor, then live. To be called on the event loop that will iterate."""
        subscription = Subscription(self._history, Selection(run_id, client_id), after=after, log_id=log_id)
        self._fanout.know(subscription)
        return subscription

    def publish(self, frame: Frame) -> None:
        """Hand a frame that stands in no log to every viewer."""
        self._fanout.publish([frame])

    def document(self, run_id: str) -> tuple[bytes, str]:
        """The polled document of the whole run, and its ETag.

        Raises:
            UnknownRun: There is no such run.
        """
        return run_document.document(self._ledger.store, self._known(run_id))

    def page(self, run_id: str) -> bytes:
        """All that a page needs to open the run, as one JSON object; see `run_page.page`.

        Raises:
            UnknownRun: There is no such run.
        """
        return run_page.page(self._ledger.store, self._known(run_id))

    def series(
        self,
        run_id: str,
        *,
        metric: str | None = None,
        client_id: str | None = None,
        points: int | None = None,
        since: int | None = None,
        attempt: Wanted = CURRENT,
        x: Sequence[Axis] = (),
    ) -> dict[str, Any]:
        """Step and epoch metrics as columns; see `series.columns`.

        Raises:
            UnknownRun: There is no such run.
        """
        state = self._known(run_id)
        return series.columns(
            self._ledger.store,
            state.run_id,
            metric=metric,
            client_id=client_id,
            points=points,
            since=since,
            attempts=Attempts(state),
            attempt=attempt,
            x=x,
        )

    def export(self, run_id: str, format: Literal["csv", "jsonl"]) -> Iterator[bytes]:
        """Metrics for a notebook, in pieces.

        Raises:
            UnknownRun: There is no such run.
        """
        state = self._known(run_id)
        return export.exported(self._ledger.store, state.run_id, format, Attempts(state))

    def stats(self) -> dict[str, float]:
        """Counts and gauges for `/metrics`."""
        stuck, counts = self._follower.stuck_since, self._fanout.counts()
        return {
            "top": float(self.top),
            "messages_committed_total": float(self._ledger.messages_committed),
            "steps_committed_total": float(self._ledger.steps_committed),
            "frames_sent_total": float(self._fanout.frames_sent),
            "steps_merged_total": float(counts["steps_merged"]),
            "frames_withheld_total": float(counts["frames_withheld"]),
            "viewers_too_slow_total": float(counts["viewers_too_slow"]),
            "lag_seconds": self._ledger.lag_s,
            "viewers": float(self._fanout.count()),
            "journals": float(len(self._follower.journals())),
            "follower_faults_total": float(self._follower.faults),
            "log_stuck_seconds": 0.0 if stuck is None else datetime.now(UTC).timestamp() - stuck,
            "missing_messages_total": float(self._coroner.missing_messages),
            "damaged_lines_total": float(self._coroner.damaged_lines),
            "unwritten_words_total": float(self._coroner.unwritten_words),
        }

    def _known(self, run_id: str) -> RunState:
        known = self.run(run_id)
        if known is None:
            raise UnknownRun(run_id)
        return known


class _Sink:
    """What the follower reads for."""

    def __init__(self, ledger: Ledger, coroner: Coroner, ended_kept_s: float | None) -> None:
        self._ledger = ledger
        self._coroner = coroner
        self._ended_kept_s = ended_kept_s
        self.place = ledger.place

    def take(self, readings: Sequence[Reading], places: Sequence[Place]) -> None:
        self._ledger.take(readings, places)
        self._coroner.note(readings)

    def judge(self, journals: Sequence[FollowedJournal], *, breathe: Callable[[], None]) -> None:
        self._ledger.check()
        self._coroner.judge(journals, breathe=breathe)
        if self._ended_kept_s is not None:
            self._ledger.forget_older_than(self._ended_kept_s)


class _History:
    """What a subscription asks of its hub."""

    def __init__(self, hub: Hub) -> None:
        self._fanout = hub._fanout
        # Bounded: a hub that nobody starts must not hold a worker thread for ever.
        self.wait_until_ready = hub.wait_until_ready
        self._store = hub._ledger.store
        self.begin = hub._ledger.begin
        self.page = hub._ledger.page
        self.present = hub._ledger.present
        self.flow = hub._fanout.flow
        self.hold = hub._fanout.hold

    def top(self) -> int:
        return self._store.top

    def attach(self, subscription: Subscription) -> None:
        self._fanout.attach(subscription)

    def detach(self, subscription: Subscription, *, forget: bool) -> None:
        self._fanout.detach(subscription, forget=forget)


def _run_of(journal: FollowedJournal) -> str | None:
    return journal.header.run_id if journal.header else None
