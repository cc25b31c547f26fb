"""Row "Command line": each wrong input is one line that says what was wrong and what would be right, and an exit code.

Ctrl-C in the middle of a training, and a terminal of twenty columns, are in `cli/test_training.py`.
"""

import importlib.util
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from snapshots import files_in

USAGE, FAILED, CANCELLED = 2, 1, 130

BAD = [
    (["trian"], USAGE, "No such command 'trian'. Did you mean 'train'?"),
    (["train", "centralised"], USAGE, "Did you mean 'centralized'?"),
    (["train", "centralized", "--epoch", "3"], USAGE, "--epochs"),
    (["train", "centralized", "--epochs", "ten"], USAGE, "'ten' is not a valid integer"),
    (["train", "centralized", "phantoms", "--epochs", "-1"], FAILED, "epochs: it is -1; it must be a whole number"),
    (["train", "centralized", "absent.npz"], FAILED, "absent.npz: there is no such file or folder"),
    (["train", "centralized", "text.png"], FAILED, "text.png: a file that ends in '.png' is no source"),
    (["train", "centralized", "broken.npz"], FAILED, "it is no npz, or a broken one"),
    (["train", "federated", "phantoms", "--clients", "5000"], FAILED, "5000"),
    (["train", "federated", "phantoms", "--strategy", "median"], FAILED, "did you mean 'fedmedian'?"),
    (["train", "federated", "phantoms", "--strategy", "krum", "--clients", "2"], FAILED, "krum needs 3"),
    (["train", "federated", "phantoms", "--set", "proximal_mu=0.3"], FAILED, "choose fedprox"),
    (["train", "federated", "phantoms", "--set", "proximal_nu=0.3"], FAILED, "did you mean 'proximal_mu'?"),
    (["train", "federated", "phantoms", "--set", "proximal_mu"], USAGE, "give KEY=VALUE"),
    (["train", "federated", "phantoms", "--privacy", "noise"], FAILED, "'server_fixed'"),
    (["train", "centralized", "phantoms", "--experiment-name", "../../x"], USAGE, "a name is no path"),
    (["train", "centralized", "phantoms", "--config", "absent.yaml"], FAILED, "`fpd config init` writes one"),
    (["train", "centralized", "phantoms", "--config", "misspelt.yaml"], FAILED, "did you mean 'epochs'?"),
    (["train", "centralized", "phantoms", "--config", "gpu.yaml"], FAILED, "device 'cuda:7' is not available here"),
    (["train", "centralized", "phantoms", "--config", "tabs.yaml"], FAILED, "spaces, not tabs"),
    (["train", "centralized", "phantoms", "--log-dir", "text.png/logs"], USAGE, "nothing can be written there"),
    (["train", "centralized", "phantoms", "--checkpoint-dir", "text.png"], USAGE, "nothing can be written there"),
    (["train", "centralized", "phantoms", "--model", "nonsense"], FAILED, "model 'nonsense'"),
    (["serve", "--port", "99999"], USAGE, "99999 is not in the range"),
    (["serve", "--port", "-1"], USAGE, "-1 is not in the range"),
    (["serve", "--host", "0.0.0.0"], FAILED, "--tls-cert"),
    (["serve", "--log-dir", "text.png", "--port", "0"], FAILED, "--log-dir"),
    (["watch", "--log-dir", "absent"], USAGE, "there is no such directory"),
    (["watch", "x", "--log-dir", "."], FAILED, "no runs yet"),
    (["watch", "--log-dir", ".", "--url", "http://127.0.0.1:9"], USAGE, "not both"),
    (["watch", "--url", "http://127.0.0.1:9"], FAILED, "no server answers at http://127.0.0.1:9"),
    (["export", "--format", "xls"], USAGE, "'csv', 'jsonl'"),
    (["predict", "latest", "text.png"], FAILED, "no run has left a checkpoint here yet"),
    (["predict", "latest"], USAGE, "Missing argument"),
    (["predict", "latest", "text.png", "--threshold", "2"], USAGE, "2.0 is not in the range"),
    (["evaluate", "nobody", "phantoms"], FAILED, "checkpoint"),
    (["data", "inspect", "absent"], FAILED, "there is no such file or folder"),
    (["config", "init", "tabs.yaml"], USAGE, "--force replaces it"),
    (["config", "check", "misspelt.yaml"], FAILED, "did you mean 'epochs'?"),
    (["config", "check", "list.yaml"], FAILED, "it is a list"),
    (["train", "centralized", "pipe.npz"], FAILED, "pipe.npz: it is no regular file"),
    (["train", "centralized", "\x1b[31mred"], FAILED, "\\x1b[31mred: there is no such file"),
    (["train", "centralized", "phantoms", "--epochs", ""], USAGE, "'' is not a valid integer"),
    (["train", "centralized", "phantoms", "--epochs", "9" * 99], FAILED, "it must be a whole number"),
    (["runs", "--log-dir", "text.png"], USAGE, "there is no such directory"),
]


@pytest.fixture
def prepared(tmp_path, few_phantoms):
    (tmp_path / "text.png").write_text("I am text")
    (tmp_path / "broken.npz").write_bytes(few_phantoms.read_bytes()[:500])
    (tmp_path / "misspelt.yaml").write_text("epoch: 3\n")
    (tmp_path / "gpu.yaml").write_text("device: cuda:7\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "tabs.yaml").write_text("epochs:\n\t- 3\n")
    return tmp_path


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[" ".join(row[0]) for row in BAD])
def test_a_wrong_input_is_one_line_and_changes_nothing(fpd, prepared, arguments, code, words):
    before = files_in(prepared)
    done = fpd(*arguments)
    # A training that turns out to be impossible is a failed run, and is recorded as one.
    left = {name: what for name, what in files_in(prepared).items() if not name.startswith(("logs", "checkpoints"))}
    assert left == before
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("fpd: ")
    assert words in line
    assert "Traceback" not in done.stdout + done.stderr


def test_a_taken_port_names_who_holds_it_and_what_to_do(fpd, tmp_path):
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = fpd("serve", "--port", str(port))
    assert done.returncode == FAILED
    (line,) = done.stderr.splitlines()
    assert str(port) in line
    assert str(os.getpid()) in line
    assert "--port" in line


def test_without_data_and_network_a_training_says_so_and_goes_on_with_phantoms(fpd):
    # A proxy that is not there stands for a network that is not there.
    away = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = fpd("train", "centralized", "--epochs", "1", no_proxy="", NO_PROXY="", **away)
    assert done.returncode == 0, done.stderr
    assert "Going on with phantoms, not X-rays" in done.stdout
    assert "started pneumonia (phantoms, not X-rays)" in done.stdout
    assert done.stdout.rstrip().endswith("It was trained on phantoms, not X-rays.")


def test_help_is_quick_and_needs_no_terminal(fpd):
    before = os.times()
    done = fpd("--help", NO_COLOR="1", TERM="dumb", COLUMNS="20")
    after = os.times()
    assert done.returncode == 0
    assert "not a medical" in " ".join(done.stdout.split())
    assert "\x1b" not in done.stdout
    # Of the processor, so that a busy machine is no failure.
    used_s = after.children_user - before.children_user + after.children_system - before.children_system
    assert used_s < 0.7


@pytest.mark.parametrize("family", ["train", "data", "config"])
def test_a_family_alone_lists_its_commands(fpd, family):
    done = fpd(family)
    assert "Commands" in done.stdout
    assert done.stderr == ""


def test_a_reader_that_goes_away_is_no_error(start):
    process = start("config", "schema")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0


def test_a_partition_by_patient_needs_patients(fpd, few_phantoms):
    done = fpd("train", "federated", str(few_phantoms), "--partition", "patient")
    assert done.returncode == FAILED
    assert done.stderr.splitlines()[-1].startswith("fpd: ")
    assert "the patients are not known" in done.stderr


@pytest.fixture
def strange_journals(tmp_path):
    """Every strange journal of the table of journals, in one directory."""
    path = Path(__file__).with_name("test_journal_files.py")
    spec = importlib.util.spec_from_file_location("journal_table", path)
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    log_dir = tmp_path / "strange"
    log_dir.mkdir()
    for name, (line, _) in table.DAMAGE.items():
        start = table.message(1, type="run_start", experiment_name="\x1b[31mred\u202e", mode="centralized", data={})
        end = table.message(3, type="training_complete", final_metrics={})
        head = table.first_line(run_id=f"d-{table.slug(name)}")
        (log_dir / f"d-{table.slug(name)}.jsonl").write_bytes(head + start + line + end)
    for name, body in table.ODD.items():
        end = table.message(2, type="training_complete", final_metrics={})
        head = table.first_line(run_id=f"o-{table.slug(name)}")
        (log_dir / f"o-{table.slug(name)}.jsonl").write_bytes(head + table.encode_line(body, 1) + end)
    for name, (make, _) in table.NO_JOURNALS.items():
        make(log_dir / f"n-{table.slug(name)}.jsonl")
    return log_dir, [f"o-{table.slug(name)}" for name in table.ODD] + [f"d-{table.slug(name)}" for name in table.DAMAGE]


def test_runs_and_watch_read_any_directory_of_journals(fpd, strange_journals):
    log_dir, runs = strange_journals
    before = files_in(log_dir)
    done = fpd("runs", "--log-dir", str(log_dir))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(runs)
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == set(runs)
    assert re.sub(r"[\t\n]", "", done.stdout).isprintable()
    assert files_in(log_dir) == before, "whoever only looks changes nothing"


def test_what_is_watched_of_a_strange_journal_is_printable_lines(strange_journals, monkeypatch, capsys):
    # In this process: one for each journal would take half a minute.
    from federated_pneumonia_detection.cli.journals import Journals
    from federated_pneumonia_detection.cli.lines import line

    log_dir, runs = strange_journals
    for run_id in runs:
        journals = Journals(log_dir)
        messages = journals.messages(run_id)
        told = []
        while (message := next(messages)) is None or message["type"] != "training_complete":
            told += [] if message is None else [line(message) or ""]
        assert all(each.isprintable() for each in told), run_id


NARROW = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "20"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_letters_gets_all_lines(fpd, strange_journals, encoding):
    done = fpd("runs", "--log-dir", str(strange_journals[0]), PYTHONIOENCODING=encoding, **NARROW)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(strange_journals[1])


def test_no_colour_where_none_is_wanted_and_the_width_that_there_is(environment, strange_journals, tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "federated_pneumonia_detection", "runs", "--log-dir", str(strange_journals[0])]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**environment, **NARROW, "TERM": "xterm"}, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed: how a pseudo-terminal says that it is over
            break
        shown += part
    os.close(ours)
    assert process.wait(timeout=30) == 0
    assert b"\x1b[3" not in shown
    rows = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, rows)) <= 20


def test_a_disk_that_is_full_where_it_prints_is_one_line(environment, strange_journals, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "federated_pneumonia_detection", "runs", "--log-dir", str(strange_journals[0])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == FAILED
    assert done.stderr == "fpd: it cannot be written or read: No space left on device\n"


def test_port_0_takes_a_free_one_and_ctrl_c_ends_it(start):
    import signal

    process = start("serve", "--port", "0", "--log-dir", "progress")
    told = ""
    while "http://" not in told:
        told = process.stdout.readline()
        assert told, "the server ended"
    assert int(told.split(":")[-1].split("/")[0].split()[0]) > 0
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(timeout=30) in (0, 130)
    assert "Traceback" not in rest


INTERRUPTED = """
import sys
left = int(sys.argv.pop(1))

class Interrupts:
    # As if the key were pressed in the middle of the import.
    def find_spec(self, name, path=None, target=None):
        global left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from federated_pneumonia_detection.cli.main import main
main()
"""


@pytest.mark.parametrize("imports", [5, 6, 8, 15, 60, 150, 260])
def test_ctrl_c_in_the_middle_of_an_import_is_exit_130_and_no_traceback(environment, tmp_path, imports):
    command = [sys.executable, "-c", INTERRUPTED, str(imports), "runs", "--log-dir", "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == CANCELLED, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("width", ["1", "20", "100000", "0", "-3", "many"])
def test_help_breaks_at_no_width_that_a_terminal_may_claim(fpd, width):
    done = fpd("--help", COLUMNS=width, NO_COLOR="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
