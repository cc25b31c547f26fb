"""Each wrong input of a command is one line that says what was wrong and what would be right, and an exit code."""

import os
import socket

import pytest

USAGE, FAILED = 2, 1

BAD = [
    (["trian"], USAGE, "No such command 'trian'. Did you mean 'train'?"),
    (["train", "centralised"], USAGE, "Did you mean 'centralized'?"),
    (["train", "centralized", "--epoch", "3"], USAGE, "--epochs"),
    (["train", "centralized", "--epochs", "ten"], USAGE, "'ten' is not a valid integer"),
    (["train", "centralized", "phantoms", "--epochs", "-1"], FAILED, "epochs: it is -1; it must be a whole number"),
    (["train", "centralized", "absent.npz"], FAILED, "absent.npz: there is no such file or folder"),
    (["train", "centralized", "text.png"], FAILED, "text.png: a file that ends in '.png' is no source"),
    (["train", "centralized", "broken.npz"], FAILED, "it is no npz, or a broken one"),
    (["train", "centralized", "one_class"], FAILED, "training has only images of class normal"),
    (["train", "federated", "phantoms", "--clients", "5000"], FAILED, "5000"),
    (["train", "federated", "phantoms", "--strategy", "median"], FAILED, "'fedavg', 'fedprox' or 'fedadam'"),
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
    (["serve", "--host", "0.0.0.0"], FAILED, "no tokens"),
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
]


@pytest.fixture
def prepared(tmp_path, few_phantoms):
    (tmp_path / "text.png").write_text("I am text")
    (tmp_path / "broken.npz").write_bytes(few_phantoms.read_bytes()[:500])
    (tmp_path / "misspelt.yaml").write_text("epoch: 3\n")
    (tmp_path / "gpu.yaml").write_text("device: cuda:7\n")
    (tmp_path / "tabs.yaml").write_text("epochs:\n\t- 3\n")
    from PIL import Image

    for number in range(6):
        path = tmp_path / "one_class" / ("train", "val", "test")[number // 2] / "NORMAL" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28), number).save(path)
    return tmp_path


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[" ".join(row[0]) for row in BAD])
def test_a_wrong_input_is_one_line(fpd, prepared, arguments, code, words):
    done = fpd(*arguments)
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("fpd: ")
    assert words in line
    assert "Traceback" not in done.stdout + done.stderr


def test_a_taken_port_names_who_holds_it_and_what_to_do(fpd, tmp_path):
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
