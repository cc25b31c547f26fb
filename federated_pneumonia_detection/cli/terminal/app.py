"""The full screen of `fpd watch`: a list of runs, one run from inside, and what the keys do."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from federated_pneumonia_detection.cli.lines import PHANTOMS, printable
from federated_pneumonia_detection.cli.terminal import views
from federated_pneumonia_detection.cli.terminal.live import LineState
from federated_pneumonia_detection.cli.terminal.reader import ListReader, RunList, RunReader, RunSeen
from federated_pneumonia_detection.cli.terminal.sources import Source
from federated_pneumonia_detection.cli.terminal.story import NOTHING

__all__ = ["KEYS", "WatchApp"]

KEYS: Sequence[tuple[str, str]] = (
    ("j k  ↓ ↑", "next and previous run; scroll"),
    ("Enter", "open the run"),
    ("Esc", "back to the list, or close what is open"),
    ("/", "filter the runs by name, id, tag or state"),
    ("m", "the next metrics of a run"),
    ("Tab", "from the hospitals to the events, to scroll them"),
    ("Shift+S", "stop the run (asks)"),
    ("p", "let the run wait, or go on (asks)"),
    ("l", "copy the address of its page"),
    ("d", "dark or light"),
    ("?", "this list"),
    ("q  Ctrl+C", "quit; the training does not notice"),
)

_LINE_STYLES = {"live": "green", "polling": "cyan", "journals": "cyan", "away": "bold yellow", "refused": "bold red"}


class Arrived(Message):
    """A reader's thread has something to show."""

    def __init__(self, what: RunList | RunSeen | LineState) -> None:
        self.what = what
        super().__init__()


class Heading(Static):
    """The first row: what this is on the left, how it is connected on the right."""

    left = Text("fpd watch")
    line = LineState("connecting", "Connecting")

    def show(self, left: Text | None = None, line: LineState | None = None) -> None:
        """Change one of the two."""
        self.left, self.line = left or self.left, line or self.line
        self.refresh()

    def render(self) -> Text:
        """Fit both into the row; the line's words come first."""
        words = printable(self.line.words)
        width = self.size.width
        right = Text(words, style=_LINE_STYLES.get(self.line.kind, ""))
        right.truncate(width, overflow="ellipsis")
        left = self.left.copy()
        left.truncate(max(0, width - len(right) - 1), overflow="ellipsis", pad=True)
        return Text(" ", no_wrap=True).join([left, right])


class Drawn(Widget):
    """Text that is made for the room there is."""

    draw: Callable[[int, int], Text] = staticmethod(lambda width, height: Text(""))

    def show(self, draw: Callable[[int, int], Text]) -> None:
        """Draw this from now on, afresh at each change of size."""
        self.draw = draw
        self.refresh(layout=True)

    def render(self) -> Text:
        """The text for the present size."""
        return self.draw(self.size.width, self.size.height)

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        """As many rows as the text has."""
        text = self.draw(width, 0)
        return max(1, sum(1 for _ in text.wrap(self.app.console, max(1, width))))


class _Reading(Screen[None]):
    """A screen that shows what a thread reads, and how it is connected."""

    _reader: ListReader | RunReader

    def on_unmount(self) -> None:
        """Read no more."""
        self._reader.stop()

    def _post(self, what: Any) -> None:
        self.post_message(Arrived(what))

    def on_arrived(self, message: Arrived) -> None:
        """Show it."""
        if isinstance(message.what, LineState):
            self.query_one(Heading).show(line=message.what)
        else:
            self._arrived(message.what)

    def _arrived(self, what: Any) -> None:
        """What the reader has found."""
        raise NotImplementedError


class RunsScreen(_Reading):
    """All runs, live ones on top."""

    AUTO_FOCUS = ""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("j,down", "next", "next", show=False),
        Binding("k,up", "previous", "previous", show=False),
        Binding("S", "stop", "stop", key_display="S"),
        Binding("p", "pause", "pause/go on"),
        Binding("l", "link", "copy link", show=False),
        Binding("escape", "clear", "clear", show=False),
    ]

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._reader: ListReader = ListReader(source, self._post)
        self._found = RunList([], 0, "")
        self._is_loaded = False

    def compose(self) -> ComposeResult:
        """Heading, filter, list, keys."""
        yield Heading()
        yield Input(placeholder="filter by name, id, tag or state; Enter to keep it, Esc to clear it", id="filter")
        yield Static("", id="empty")
        yield OptionList(id="runs")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one("#filter").display = False
        self.query_one("#runs").display = False
        self.query_one("#empty", Static).update("Looking for runs …")
        self.query_one(Heading).show(Text.assemble(("fpd watch", "bold"), f"  {self._source.where}"))
        self._reader.start()

    def _arrived(self, what: Any) -> None:
        if isinstance(what, RunList):
            self._found, self._is_loaded = what, True
            self._draw()

    def on_resize(self) -> None:
        """Each row is made for a width."""
        if self._is_loaded:
            self._draw()

    def on_screen_resume(self) -> None:
        """Come back to the row that was open."""
        if self._is_loaded:
            self._draw()

    def _draw(self) -> None:
        found = self._found
        live = sum(map(views.is_live, found.runs))
        counted = f"{found.total} run{'' if found.total == 1 else 's'}, {live} live"
        if found.wanted:
            counted += f", with “{printable(found.wanted)}”"
        if found.total > len(found.runs):
            counted += f"; the first {len(found.runs)} are shown, / finds the others"
        left = Text.assemble(("fpd watch", "bold"), f"  {counted}  ", (printable(self._source.where), "dim"))
        self.query_one(Heading).show(left)
        listed, empty = self.query_one(OptionList), self.query_one("#empty", Static)
        listed.display, empty.display = bool(found.runs), not found.runs
        if not found.runs:
            empty.update(
                "No run fits; Esc shows all."
                if found.wanted
                else "No runs yet. In another terminal:\n\n  fpd train centralized        one machine\n"
                "  fpd train federated          three hospitals\n  fpd demo                     both, and the page\n\n"
                "It appears here by itself."
            )
            return
        width = (listed.content_size.width or self.size.width) - 3
        scale = views.key_range(found.runs)
        rows = {str(run["run_id"]): views.row(run, width, scale) for run in found.runs}
        if [option.id for option in listed.options] == [*rows]:
            for run_id, row in rows.items():
                listed.replace_option_prompt(run_id, row)
            return
        chosen = self._chosen_id()
        listed.clear_options()
        listed.add_options([Option(row, id=run_id) for run_id, row in rows.items()])
        listed.highlighted = [*rows].index(chosen) if chosen in rows else 0
        if not self.query_one("#filter").display:
            listed.focus()

    def _chosen_id(self) -> str | None:
        option = self.query_one(OptionList).highlighted_option
        return None if option is None else option.id

    def _chosen(self) -> dict[str, Any] | None:
        chosen = self._chosen_id()
        return next((run for run in self._found.runs if run["run_id"] == chosen), None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open a run."""
        if event.option_id is not None:
            self.app.push_screen(RunScreen(self._source, event.option_id))

    def action_open(self) -> None:
        """Open the run under the cursor."""
        if (chosen := self._chosen_id()) is not None:
            self.app.push_screen(RunScreen(self._source, chosen))

    def action_next(self) -> None:
        """The next row."""
        self.query_one(OptionList).action_cursor_down()

    def action_previous(self) -> None:
        """The row before."""
        self.query_one(OptionList).action_cursor_up()

    def action_filter(self) -> None:
        """Ask for the words to look for."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look while it is typed."""
        self._reader.filter(event.value)

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the rows."""
        self.query_one("#filter").display = False
        self.set_focus(None)
        self.query_one(OptionList).focus()

    def action_clear(self) -> None:
        """Show all runs again."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        # Where the list is hidden because no run fits, a hidden field would go on taking the keys.
        self.set_focus(None)
        self.query_one(OptionList).focus()

    def action_stop(self) -> None:
        """Stop the run under the cursor."""
        if (run := self._chosen()) is not None:
            _app(self).ask_stop(run)

    def action_pause(self) -> None:
        """Let the run under the cursor wait, or go on."""
        if (run := self._chosen()) is not None:
            _app(self).ask_pause(run)

    def action_link(self) -> None:
        """Copy where its page is."""
        _app(self).copy_link(self._chosen_id())


class RunScreen(_Reading):
    """One run: the sentence, its numbers and curves, its hospitals, what happened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "runs", key_display="Esc"),
        Binding("S", "stop", "stop", key_display="S"),
        Binding("p", "pause", "pause/go on"),
        Binding("m", "metrics", "metrics"),
        Binding("l", "link", "copy link", show=False),
        Binding("j", "down", "down", show=False),
        Binding("k", "up", "up", show=False),
    ]

    def __init__(self, source: Source, run_id: str) -> None:
        super().__init__()
        self._source, self.run_id = source, run_id
        self._reader: RunReader = RunReader(source, run_id, self._post)
        self.seen: RunSeen | None = None
        self._first_chart = 0

    def compose(self) -> ComposeResult:
        """Sentence on top, curves and hospitals below it, events beside them or under them."""
        yield Heading()
        yield Drawn(id="sentence")
        yield Drawn(id="progress")
        yield Drawn(id="numbers")
        with Container(id="body"):
            with Vertical(id="main"):
                yield Drawn(id="plots")
                with VerticalScroll(id="hospitals"):
                    yield Drawn(id="clients")
            with VerticalScroll(id="events"):
                yield Drawn(id="lines")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one(Heading).show(Text(printable(self.run_id), style="bold"))
        self.query_one("#hospitals").display = False
        self.query_one("#sentence", Drawn).show(lambda width, height: Text("Reading its messages …"))
        self._reader.start()

    def _arrived(self, what: Any) -> None:
        if isinstance(what, RunSeen):
            self.seen = what
            self._draw()

    def _draw(self) -> None:
        if self.seen is None:
            return
        state, seen = self.seen
        head = Text.assemble((views.title(state), "bold"))
        if state.get("phantom"):
            head.append(f"  {PHANTOMS}", style="bold yellow")
        if state.get("attempt", 1) > 1:
            head.append(f"  attempt {state['attempt']}", style="dim")
        page = self._source.page_of(self.run_id)
        if page:
            head.append("  ").append(page, style=f"dim link {page}")
        elif state["run_id"] != views.title(state):
            head.append(f"  {printable(self.run_id)}", style="dim")
        self.query_one(Heading).show(head)
        self.query_one("#sentence", Drawn).show(lambda width, height: views.sentences(state, width))
        self.query_one("#progress", Drawn).show(lambda width, height: views.progress(state, width))
        self.query_one("#numbers", Drawn).show(lambda width, height: views.numbers(state, width))
        self.query_one("#plots", Drawn).show(self._plots)
        has_hospitals = state["mode"] == "federated" or bool(state["clients"])
        self.query_one("#hospitals").display = has_hospitals
        self.set_class(has_hospitals, "-federated")
        self.query_one("#clients", Drawn).show(lambda width, height: views.hospitals(state, seen, width))
        newest_first = "\n".join(reversed(seen.lines)) or "Nothing has happened yet."
        self.query_one("#lines", Drawn).show(lambda width, height: Text(newest_first))

    def _plots(self, width: int, height: int) -> Text:
        state, seen = self.seen or RunSeen({}, NOTHING)
        if not state or height < 4:
            return Text("")
        found = views.charts(state, seen)
        if not found:
            return Text("\nThe curves begin with the first epoch or round that ends.", style="dim")
        most = max(1, width // 38)
        down = max(1, min(height // 12, -(-len(found) // most)))
        across = max(1, min(-(-len(found) // down), most))
        shown = found[self._first_chart % len(found) :][: across * down]
        each, deep = (width - 2 * (across - 1)) // across, height // down
        rows: list[Text] = []
        for first in range(0, len(shown), across):
            drawn = [views.chart_rows(chart, state, each, deep) for chart in shown[first : first + across]]
            for line in zip(*drawn, strict=False):
                for part in line[:-1]:
                    part.truncate(each, pad=True)
                rows.append(Text("  ").join(line))
        return Text("\n", no_wrap=True).join(rows)

    def action_metrics(self) -> None:
        """The next metric comes first."""
        self._first_chart += 1
        self.query_one("#plots").refresh()

    def action_back(self) -> None:
        """To the list."""
        self.app.pop_screen()

    def action_down(self) -> None:
        """Scroll what has the focus, else the hospitals or the events."""
        self._scrolled().scroll_down(animate=False)

    def action_up(self) -> None:
        """The other way."""
        self._scrolled().scroll_up(animate=False)

    def _scrolled(self) -> Widget:
        focused = self.focused
        if isinstance(focused, VerticalScroll):
            return focused
        return self.query_one("#hospitals" if self.query_one("#hospitals").display else "#events")

    def action_stop(self) -> None:
        """Stop it."""
        if self.seen is not None:
            _app(self).ask_stop(self.seen.state)

    def action_pause(self) -> None:
        """Let it wait, or go on."""
        if self.seen is not None:
            _app(self).ask_pause(self.seen.state)

    def action_link(self) -> None:
        """Copy where its page is."""
        _app(self).copy_link(self.run_id)


class Ask(ModalScreen[bool]):
    """A question with yes and no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes", key_display="y"),
        Binding("n,escape", "answer(False)", "no", key_display="n"),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question, self._consequence = question, consequence

    def compose(self) -> ComposeResult:
        """The question, what comes of it, the keys."""
        words = Text.assemble((self._question, "bold"), f"\n\n{self._consequence}\n\n", ("y", "bold"), " yes   ")
        yield Static(words.append("n", style="bold").append(" no"), id="dialog")

    def action_answer(self, answer: bool) -> None:
        """Close with it."""
        self.dismiss(answer)


class Help(ModalScreen[None]):
    """The keys, and where the page is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "close")]

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        """A row for each key."""
        told = Text("Keys\n\n", style="bold")
        for key, does in KEYS:
            told.append(key.ljust(12), style="bold").append(f"{does}\n", style="not bold")
        told.append("\nMarks  ", style="bold").append(
            "● runs  ‖ waits  ✓ finished  ✗ failed  ■ stopped  ? lost", "not bold"
        )
        if self._page:
            told.append("\nPage   ", style="bold").append(self._page, style=f"not bold link {self._page}")
        yield VerticalScroll(Static(told), id="dialog")


class WatchApp(App[int]):
    """The program.

    Args:
        source: where runs are read from.
        run_id: the run to open at once; `None` for the list.
    """

    TITLE = "fpd watch"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 (as Textual declares it)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("d", "dark", "dark or light", show=False),
    ]
    CSS = """
    Screen { layout: vertical; }
    Heading { height: 1; background: $panel; padding: 0 1; }
    #filter { height: 3; }
    #empty { padding: 1 2; height: 1fr; }
    #runs { height: 1fr; border: none; padding: 0; background: $background; scrollbar-size-vertical: 1; }
    #sentence { height: auto; max-height: 5; padding: 0 1; }
    #progress, #numbers { height: 1; padding: 0 1; }
    #body { height: 1fr; layout: vertical; }
    #main { height: 1fr; }
    #plots { height: 1fr; padding: 0 1; }
    #hospitals { height: auto; max-height: 50%; padding: 0 1; scrollbar-size-vertical: 1; }
    #clients, #lines { height: auto; }
    #events { height: 5; padding: 0 1; border-top: solid $panel; scrollbar-size-vertical: 1; }
    .-federated #events { height: 4; }
    .-low #events { display: none; }
    .-wide #body { layout: horizontal; }
    .-wide #main { width: 2fr; }
    .-wide #events { width: 1fr; height: 1fr; border-top: none; border-left: solid $panel; }
    VerticalScroll:focus { background-tint: $foreground 5%; }
    ModalScreen { align: center middle; }
    #dialog { width: 72; max-width: 96%; height: auto; max-height: 96%; padding: 1 2; }
    #dialog { background: $surface; border: round $primary; }
    """

    def __init__(self, source: Source, run_id: str | None = None) -> None:
        super().__init__()
        self._source, self._run_id = source, run_id

    def on_mount(self) -> None:
        """Open what was asked for; a signal to end gives the terminal back first."""
        self.push_screen(RunsScreen(self._source))
        if self._run_id is not None:
            self.push_screen(RunScreen(self._source, self._run_id))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, partial(self.exit, 128 + number))

    def action_interrupt(self) -> None:
        """Ctrl-C quits, as everywhere."""
        self.exit(128 + signal.SIGINT)

    async def action_quit(self) -> None:
        """Quit."""
        self.exit(0)

    def action_help(self) -> None:
        """The keys."""
        if not isinstance(self.screen, ModalScreen):
            shown = self.screen.run_id if isinstance(self.screen, RunScreen) else None
            self.push_screen(Help(self._source.page_of(shown)))

    def action_dark(self) -> None:
        """Dark or light."""
        self.theme = "textual-light" if self.theme == "textual-dark" else "textual-dark"

    def copy_link(self, run_id: str | None) -> None:
        """Put the address of a run's page where it can be pasted from."""
        page = self._source.page_of(run_id)
        if page:
            self.copy_to_clipboard(page)
            self.notify(f"Copied: {page}")
        else:
            self.notify("There is no page without a server; fpd serve starts one.", severity="warning")

    def ask_stop(self, state: dict[str, Any]) -> None:
        """Ask, then stop a run."""
        name, run_id = views.title(state), str(state["run_id"])
        if not views.is_live(state):
            self.notify(f"{name} has ended already.")
            return
        kept = "It ends after the batch it is in; its checkpoints stay, and fpd resume goes on with it."
        self._ask(f"Stop {name}?", kept, partial(self._source.stop, run_id), f"{name} was asked to stop.")

    def ask_pause(self, state: dict[str, Any]) -> None:
        """Ask, then let a run wait or go on."""
        name, run_id = views.title(state), str(state["run_id"])
        if state["status"] == "completed":
            self.notify(f"{name} has finished; there is nothing to go on with.")
        elif state.get("paused") or not views.is_live(state):
            how = "It goes on where it waits." if views.is_live(state) else "It goes on from its newest checkpoint."
            self._ask(f"Let {name} go on?", how, partial(self._source.go_on, run_id), f"{name} was asked to go on.")
        else:
            held = "It waits after the batch it is in, and holds its memory; p lets it go on."
            self._ask(f"Let {name} wait?", held, partial(self._source.pause, run_id), f"{name} was asked to wait.")

    def _ask(self, question: str, consequence: str, act: Callable[[], str | None], done: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._act(act, done)

        self.push_screen(Ask(question, consequence), answered)

    @work(thread=True, exit_on_error=False)
    def _act(self, act: Callable[[], str | None], done: str) -> None:
        try:
            told = act() or done
        except (ValueError, OSError, LookupError) as error:
            self.call_from_thread(self.notify, printable(str(error)), severity="error", timeout=10)
        else:
            self.call_from_thread(self.notify, printable(told))


def _app(screen: Screen[Any]) -> WatchApp:
    app = screen.app
    assert isinstance(app, WatchApp)
    return app
