"""`fpd watch` in a real terminal (tmux): readable at any size, over a restart of the server, and given back after."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from puppet import Puppet
from server_process import ServerProcess

SMALL, WIDE = (80, 24), (200, 50)
WITHIN_S = 40


class Terminal:
    """A terminal of a given size with a shell in it."""

    def __init__(self, directory, environment, size):
        width, height = size
        self._tmux = ["tmux", "-S", str(directory / "tmux"), "-f", os.devnull]
        shell = ["env", "PS1=$ ", "TERM=screen-256color", "sh"]
        self._run(
            "new-session",
            "-d",
            "-c",
            str(directory),
            "-x",
            str(width),
            "-y",
            str(height),
            shlex.join(shell),
            env=environment,
        )

    def _run(self, *command, env=None):
        return subprocess.run([*self._tmux, *command], capture_output=True, text=True, check=True, env=env).stdout

    def type(self, *keys):
        self._run("send-keys", *keys)

    def enter(self, command):
        self._run("send-keys", "-l", command)
        self._run("send-keys", "Enter")

    def resize(self, size):
        self._run("resize-window", "-x", str(size[0]), "-y", str(size[1]))

    def shown(self):
        return self._run("capture-pane", "-p")

    def is_full_screen(self):
        return self._run("display-message", "-p", "#{alternate_on}").strip() == "1"

    def leaves_full_screen(self):
        """Wait for it: what is typed before that is the program's."""
        deadline = time.monotonic() + WITHIN_S
        while self.is_full_screen():
            assert time.monotonic() < deadline, f"it never gave the terminal back; shown:\n{self.shown()}"
            time.sleep(0.05)

    def until(self, *wanted):
        deadline = time.monotonic() + WITHIN_S
        while not all(words in (shown := self.shown()) for words in wanted):
            assert time.monotonic() < deadline, f"{wanted} never came; shown:\n{shown}"
            time.sleep(0.05)
        return shown

    def close(self):
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path, environment, lacking):
    if shutil.which("tmux") is None:
        lacking("TMUX", "nothing was drawn in a real terminal")
    opened = []

    def open_(size=SMALL):
        opened.append(Terminal(tmp_path, environment, size))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def _watch(*arguments):
    return shlex.join([sys.executable, "-m", "federated_pneumonia_detection", "watch", *arguments])


def _is_given_back(terminal, code):
    """The shell is there again, its keys echo, and it tells how the program ended."""
    terminal.leaves_full_screen()
    terminal.enter("echo ended with $?, $(stty -a | grep -ow -e '-*echo')")
    terminal.until(f"ended with {code}, echo")
    return not terminal.is_full_screen()


def _round(server, hospitals, number, total):
    server.say("log_round_start", number, total)
    for i, hospital in enumerate(hospitals):
        hospital.say("log_round_start", number, total)
        hospital.say("log_local_epoch", number, 1, {"train_loss": 0.5 / number + i / 10})


def _end_round(server, hospitals, number):
    for hospital in hospitals:
        hospital.say("log_round_end", number, {"train_loss": 0.5}, {"val_auroc": 0.8, "num_samples": 60})
    server.say("log_round_aggregated", number, {"val_auroc": 0.8 + number / 100, "val_loss": 1 / number}, 2, [])


def test_a_federated_run_is_watched_in_a_terminal_over_a_restart_of_its_server(terminal, tmp_path, environment):
    log_dir = tmp_path / "served"
    log_dir.mkdir()
    with (
        ServerProcess(log_dir, **environment) as served,
        Puppet(log_dir, None, "hospitals") as leader,
        Puppet(log_dir, "client_0", "hospitals") as first,
        Puppet(log_dir, "client_1", "hospitals") as second,
    ):
        for number in (1, 2):
            _round(leader, (first, second), number, 5)
            _end_round(leader, (first, second), number)
        _round(leader, (first, second), 3, 5)
        screen = terminal(SMALL)
        screen.enter(_watch("--url", served.url))
        listed = screen.until("Live by WebSocket", "1 run, 1 live", "round 3/5", "Round 3 of 5")
        assert max(map(len, listed.splitlines())) <= 80
        screen.type("Enter")
        shown = screen.until("client_0", "client_1", "AUROC  ● global model 0.820", "local epoch 1")
        assert len(shown.splitlines()) == 24
        screen.resize(WIDE)
        shown = screen.until("╭─ client_0 ", "╭─ client_1 ", "AUROC  ● global model 0.820")
        assert max(map(len, shown.splitlines())) > 150
        served.kill()
        screen.until("Server away since")
        _end_round(leader, (first, second), 3)
        served.start()
        screen.until("Live by WebSocket", "global model 0.830", "round 3, global model")
        screen.type("C-c")
        assert _is_given_back(screen, 130)


def test_without_a_server_and_without_colours_it_reads_the_journals_and_a_kill_gives_the_terminal_back(
    terminal, tmp_path, environment
):
    log_dir = tmp_path / "logs"
    log_dir.mkdir()
    with Puppet(log_dir, None, "alone") as leader:
        for epoch in (1, 2):
            leader.say("log_epoch_start", epoch, 6)
            leader.say("log_epoch_end", epoch, {"val_loss": 1 / epoch, "val_auroc": 0.9}, "val")
        screen = terminal(SMALL)
        screen.enter(f"NO_COLOR=1 sh -c 'echo $$ > pid; exec {_watch('alone', '--log-dir', str(log_dir))}'")
        screen.until("Reading the journals", "epoch 2 of 6", "loss  ● global model 0.500")
        leader.say("log_epoch_end", 3, {"val_loss": 0.25, "val_auroc": 0.93}, "val")
        screen.until("loss  ● global model 0.250", "AUROC  ● global model 0.930")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        assert _is_given_back(screen, 143)


def test_a_dumb_terminal_gets_plain_lines(terminal, tmp_path, environment):
    log_dir = tmp_path / "logs"
    log_dir.mkdir()
    with Puppet(log_dir, None, "alone") as leader:
        leader.say("log_epoch_end", 1, {"val_loss": 0.5}, "val")
        screen = terminal(SMALL)
        screen.enter(f"TERM=dumb {_watch('alone', '--log-dir', str(log_dir))}")
        screen.until("epoch 1, validation: loss 0.500")
        assert not screen.is_full_screen()
        leader.say("log_training_complete", {"test_auroc": 0.9})
        screen.until("complete: test AUROC 0.900")
        assert _is_given_back(screen, 0)
