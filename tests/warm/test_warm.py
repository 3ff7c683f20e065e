"""A command that is started warm is the command that a cold start gives: status, streams, signals, modules, bits."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from textwrap import dedent

import pytest
import sample_records
from conftest import PYTHON, QUICK, ROOT, run_python, surroundings
from warm import client, pair_files, recordings

from mlp_spec.experiment import PRESETS, TrainingSpec
from parity.pair import Pair, Settings
from parity.protocol import memory, pair_file
from parity.protocol.records import stamped
from parity.protocol.task import SnippetsTask, Task, read_record, write_record

pytestmark = pytest.mark.skipif(sys.executable == PYTHON, reason="NOT RUN: every command starts cold here")
HEAD = "import lightning_mlp\n"  # what makes the client choose a warm process


def both(code: str, *arguments: str, **options):
    """Runs code warm and cold."""
    return [run_python("-c", HEAD + code, *arguments, cold=cold, **options) for cold in (False, True)]


@pytest.mark.parametrize(
    "ending",
    ["", "sys.exit(7)", "sys.exit('no such port')", "sys.exit(300)", "os._exit(3)"],
)
def test_a_command_ends_as_from_a_cold_start(ending):
    code = f"import os, sys; print('out', flush=True); print('err', file=sys.stderr)\n{ending}"
    warm, cold = both(code)
    assert warm == cold


def test_an_error_has_its_traceback_and_status():
    warm, cold = both("import atexit; atexit.register(print, 'bye')\nraise ValueError('planted')")
    assert (warm.status, warm.out) == (cold.status, cold.out) == (1, "bye\n")
    assert warm.err.splitlines()[-1] == cold.err.splitlines()[-1] == "ValueError: planted"


def test_a_signal_ends_both_alike():
    warm, cold = both("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert warm.status == cold.status == -signal.SIGSEGV


def test_arguments_folder_environment_and_path_are_the_commands(tmp_path):
    code = "import os, sys; print(sys.argv, os.getcwd(), os.environ['PAINT'], sys.path[0] == '', __name__)"
    warm = run_python("-c", "import lightning_mlp, os; os.environ['PAINT'] = '1'\n" + code, "a b", cwd=tmp_path)
    assert warm.out == f"{['-c', 'a b']} {tmp_path} 1 True __main__\n"


@pytest.mark.parametrize("word", ["lightning_mlp", "keras_reference"])
def test_no_framework_is_in_sight_before_it_is_imported(word):
    names = ("torch", "lightning", "tensorflow", "keras")
    ended = run_python("-c", f"import {word}, sys; print([name for name in {names} if name in sys.modules])")
    assert ended.out == "[]\n", ended


def test_a_variable_that_imports_read_gives_a_cold_start(monkeypatch):
    settings = {"environment": surroundings(), "cores": sorted(os.sched_getaffinity(0))}
    for name in ("COLUMNS", "PL_GLOBAL_SEED"):
        monkeypatch.setenv(name, "33")
    assert client.same_surroundings(settings)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not client.same_surroundings(settings)


@pytest.mark.parametrize(
    ("variable", "value", "other"), [("OMP_NUM_THREADS", "1", "2"), (*memory.surroundings().popitem(), "another")]
)
def test_what_is_read_when_a_process_starts_has_servers_of_its_own(variable, value, other, monkeypatch):
    monkeypatch.delenv(variable, raising=False)
    settings = {"environment": surroundings(), "cores": sorted(os.sched_getaffinity(0))}
    assert client.as_started(settings) == (settings, "")
    monkeypatch.setenv(variable, value)
    one, name = client.as_started(settings)
    assert client.same_surroundings(one) and not client.same_surroundings(settings)
    monkeypatch.setenv(variable, other)
    assert client.as_started(settings)[1] not in ("", name)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["-m", "keras_reference.train"], "keras"),
        (["-u", "-m", "lightning_mlp.train", "--epochs", "1"], "torch"),
        (["-m", "parity.adapters.torch"], "torch"),
        (["-m", "parity", "seeds"], "plain"),
        (["-c", "from keras_reference import train"], "keras"),
        (["-c", "print(1)"], None),
        (["-m", "paritying"], None),
        (["-W", "error", "-m", "parity"], None),
        (["script.py"], None),
        ([], None),
    ],
)
def test_a_command_finds_its_server(arguments, kind):
    assert client.kind_of(arguments) == kind


def started(code: str) -> subprocess.Popen:
    """Starts code warm; returns when it has called `ready`, which prints its process id: `number`."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", HEAD + "import os, time\nready = lambda: print(os.getpid())\n" + code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=surroundings(),
    )  # fmt: skip
    process.number = int(process.stdout.readline())
    return process


def is_running(number: int) -> bool:
    """Says whether a process still runs, half a minute at most after it was told to end."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True


def test_standard_input_arrives():
    with started("import sys; ready(); print(sys.stdin.read().upper())") as process:
        assert process.communicate("paint", timeout=60)[0] == "PAINT\n"


def test_a_signal_is_passed_on():
    with started("try: ready(); time.sleep(60)\nexcept KeyboardInterrupt: print('caught')") as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "caught\n" and process.returncode == 0


def test_a_command_ends_with_whoever_asked_for_it():
    with started("ready(); time.sleep(60)") as process:
        process.kill()
    assert not is_running(process.number)


SESSION = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from warm import session
python = session.write(Path(sys.argv[1]), dict(os.environ))
done = subprocess.run([python, "-m", "parity", "--help"], capture_output=True, text=True)
print(done.returncode, "--hidden-sizes" in done.stdout, os.path.exists(sys.argv[1] + "/plain.socket"), flush=True)
os._exit(0)
"""


def test_servers_end_with_a_session_that_was_killed_and_take_its_folder_along():
    folder = tempfile.mkdtemp(prefix="warm-")
    ended = run_python("-c", SESSION, folder, ROOT / "tests", cold=True)
    assert ended.out == "0 True True\n", ended
    deadline = time.monotonic() + 30
    while os.path.exists(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(folder)


@pytest.fixture(scope="module")
def one_worker():
    """Asked for by tests that must run on one worker; see `schedule`."""


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_leaves_in_the_environment_is_taken_back(turn, one_worker):
    assert "LEFT_BY_A_TEST" not in os.environ
    os.environ["LEFT_BY_A_TEST"] = "here"


@pytest.mark.parametrize("module", ["keras_reference.train", "lightning_mlp.train"])
def test_training_gives_the_same_bits(module, tmp_path):
    for name, cold in (("warm", False), ("cold", True)):
        ended = run_python("-m", module, *QUICK, "--output-dir", tmp_path / name, cold=cold)
        assert ended.status == 0 and ended.err == "", ended
    histories = [json.loads((tmp_path / name / "history.json").read_text()) for name in ("warm", "cold")]
    assert histories[0] == histories[1]


# ---- recordings ----------------------------------------------------------------------------------------------------


def command(folder, *parts, reference=None, candidate=None, **changes):
    """Writes a task as `parity` does; returns the arguments of its process."""
    task = Task(("facts",), str(folder / "keras"), Pair(PRESETS["small"], reference=reference, candidate=candidate))
    return ["-m", recordings.REFERENCE, str(replace(task, **changes).write(folder / "keras.json")), *parts]


def test_a_task_is_known_again_in_another_folder(tmp_path):
    (tmp_path / "other").mkdir()
    job = recordings.job_of(command(tmp_path, "facts"))
    assert job.output == tmp_path / "keras"
    assert recordings.job_of(command(tmp_path / "other", "facts")) == replace(job, output=tmp_path / "other" / "keras")
    assert recordings.job_of(command(tmp_path, "facts", candidate="port.py:Port")) == job
    for other in (command(tmp_path, "cases"), command(tmp_path, "facts", level="quick")):
        assert recordings.job_of(other).key != job.key


def test_nothing_else_is_kept(tmp_path):
    assert recordings.job_of(command(tmp_path, reference="port.py:build")) is None
    assert recordings.job_of(command(tmp_path, pair=Pair(PRESETS["small"], data="port.py:rows"))) is None
    assert recordings.job_of(command(tmp_path, pair=None, snippets=SnippetsTask("", {}))) is None
    assert recordings.job_of(["-m", "parity", "drift"]) is None


@pytest.mark.parametrize(
    ("status", "line", "kept"), [(0, b"@parity {}\n", True), (1, b"", False), (0, b'{"event": "failed"}', False)]
)
def test_what_ended_well_is_given_again(tmp_path, capfdbinary, status, line, kept):
    def run(printed) -> int:
        (tmp_path / "first").mkdir()
        (tmp_path / "first" / "facts.npz").write_bytes(b"numbers")
        printed(line)
        return status

    first, second = (recordings.Job("key", tmp_path / name) for name in ("first", "second"))
    assert recordings.record(tmp_path / "kept", first, run) == status
    assert second.replay(tmp_path / "kept") == kept
    assert capfdbinary.readouterr().out == line * (1 + kept)
    assert recordings.record(tmp_path / "kept", first, lambda printed: 5) == (None if kept else 5)
    if kept:
        assert (tmp_path / "second" / "facts.npz").read_bytes() == b"numbers"


def test_a_job_that_another_process_records_is_waited_for_but_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "PATIENCE", 0.3)
    (tmp_path / "kept").mkdir()
    with open(tmp_path / "kept" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        job = recordings.Job("key", tmp_path / "first")
        assert recordings.once(tmp_path / "kept", job, lambda printed: 4) == 4
        assert time.monotonic() - started > 0.3
    assert not (tmp_path / "kept" / "done").exists()


PAIR = """
def keras_model():
    import keras
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def keras_data():
    import numpy as np
    x = np.random.default_rng(1).random((40, 3))
    return (x, x[:, :2]), (x, x[:, :2])


def lightning_data():
    return None


def lightning_module():
    return {port}
"""


def pair_job(folder, text: str, *parts: str, epochs: int = 1, **changes):
    """Returns the job of a pair file that is written into a new folder."""
    folder.mkdir()
    path = folder / f"{folder.name}.py"
    path.write_text(text)
    experiment = Settings(path.stem, pair_file.check(str(path)), TrainingSpec(epochs=epochs), {"epochs": epochs})
    return recordings.job_of(command(folder, *parts or ("facts",), pair=Pair(experiment, file=str(path)), **changes))


def test_pair_files_that_ask_the_same_of_keras_are_one_job(tmp_path):
    one = pair_job(tmp_path / "one", PAIR.format(port=1))
    two = pair_job(
        tmp_path / "two", PAIR.format(port=2) + "lightning_trainer = dict\n# Lightning's Trainer has no flags\n"
    )
    assert one.key == two.key and (one.identity["name"], two.identity["name"]) == ("one", "two")
    for number, (text, changes) in enumerate([
        (PAIR.replace("Dense(2)", "Dense(4)"), {}), (PAIR.replace("rng(1)", "rng(2)"), {}), (PAIR + "WEIGHTS = {}", {}),
        (PAIR, {"epochs": 2}), (PAIR, {"level": "quick"}), (PAIR, {"backend": "jax"}), (PAIR, {"away": 10}),
    ]):  # fmt: skip
        assert pair_job(tmp_path / str(number), text, **changes).key != one.key, (text, changes)


@pytest.mark.parametrize(
    "line", ["x = open('rows')", "import os", "from random import random", "x = lightning_data()",
             "from numpy.random import default_rng; x = default_rng()", "import numpy as np; x = np.random.rand(3)",
             "import folder", "import broken"],
)  # fmt: skip
def test_a_pair_file_whose_code_reads_more_than_itself_is_not_kept(line, tmp_path):
    (tmp_path / "own" / "folder").mkdir(parents=True)
    (tmp_path / "own" / "broken.py").write_text("def (")
    (tmp_path / "own" / "pair.py").write_text(f"{PAIR}\n{line}\n")
    assert pair_files.keras_code(tmp_path / "own" / "pair.py", tmp_path) is None


def test_files_that_a_pair_file_imports_are_part_of_the_job(tmp_path):
    for name, value in (("one", 1), ("two", 1), ("three", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.py").write_text("from numbers_of import *\n")
        (tmp_path / name / "numbers_of.py").write_text(f"x = {value}\n")
        (tmp_path / name / "pair.py").write_text(f"import data\n{PAIR}")
    one, two, three = (pair_files.keras_code(tmp_path / name / "pair.py", ROOT) for name in ("one", "two", "three"))
    assert one == two != three


def test_a_pair_files_recordings_are_given_again_under_anothers_name(tmp_path, capfdbinary):
    jobs = [pair_job(tmp_path / name, PAIR.format(port=0) + f"# {name}\n") for name in ("one", "two")]
    settings = [Settings(**job.identity, training=TrainingSpec(seed=3, batch_size=7)) for job in jobs]
    facts, cases = (sample_records.make_sides()[0].parts[part] for part in ("facts", "cases"))
    facts = replace(facts, experiment=settings[0].to_dict())

    def run(printed) -> int:
        jobs[0].output.mkdir()
        for part, record in (("facts", facts), ("cases", cases)):
            write_record(jobs[0].output, part, stamped(record, settings[0], 1.0))
        return 0

    assert recordings.record(tmp_path / "kept", jobs[0], run) == 0 and jobs[1].replay(tmp_path / "kept")
    read = [read_record(jobs[1].output, part) for part in ("facts", "cases")]
    assert read[0].experiment == settings[1].to_dict() != settings[0].to_dict()
    assert {(one.run_id, one.experiment_hash) for one in read} == {(settings[1].run_id, settings[1].hash)}
    ours, theirs = (one.to_recording().arrays for one in (read[1], cases))
    assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)


def test_a_command_that_is_started_again_while_it_is_silent_has_its_streams_back():
    code = """
    import os, sys
    os.environ["KERAS_BACKEND"] = "jax"
    silent, kept = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(silent, 2)
    import keras
    os.dup2(kept, 2)
    print("told", file=sys.stderr)
    """
    # the second time, in a process of its own, it begins with the streams that it was given
    assert "told" in run_python("-c", dedent(code)).err
