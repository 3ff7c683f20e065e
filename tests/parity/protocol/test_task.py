"""Tasks and events: what the parity process and the frameworks' processes tell each other."""

import json
import math
import threading

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from parity.pair import Pair, Settings
from parity.protocol import recording, task
from parity.protocol.recording import BadRecordingError
from parity.protocol.records import Draws, Restarts, stamped
from parity.protocol.task import CheckpointTask, SeedsTask, SnippetsTask, Task

PAIR = Pair(PRESETS["bigger"], "mnist-sample", "/folder with/mnist", candidate="port.py:Mine", compiled=True)
TASKS = {
    "small": Task(("facts",), "größer/run", Pair(PRESETS["small"])),
    "bigger": Task(("facts", "cases"), "größer/run", PAIR, "gpu", "quick", "jax", "reference"),
    "seeds": Task(("seeds",), "out", PAIR, seeds=SeedsTask((3, 4), "store", threads=2, cores=(0, 5))),
    "read": Task(("read",), "out", PAIR, checkpoint=CheckpointTask("a.keras", weights_only=True)),
    "write": Task(("write",), "out", checkpoint=CheckpointTask("a.ckpt", "read.npz")),
    "snippets": Task(("snippets",), "out", snippets=SnippetsTask("import math", {"a": "[math.pi]"})),
}


def sent(capsys):
    """The lines that were printed."""
    return capsys.readouterr().out.splitlines(keepends=True)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_comes_back(name, tmp_path):
    TASKS[name].write(tmp_path / "task.json")
    assert Task.read(str(tmp_path / "task.json")) == TASKS[name]


def test_a_task_is_plain_json(tmp_path):
    TASKS["bigger"].write(tmp_path / "task.json")
    fields = json.loads((tmp_path / "task.json").read_text(encoding="utf-8"))
    assert fields["pair"]["experiment"] == PRESETS["bigger"].to_dict()
    assert fields["output_dir"] == "größer/run"


def test_a_task_with_a_field_too_many_is_refused(tmp_path):
    TASKS["small"].write(tmp_path / "task.json")
    fields = json.loads((tmp_path / "task.json").read_text(encoding="utf-8"))
    (tmp_path / "task.json").write_text(json.dumps({**fields, "probe": "canonical"}))
    with pytest.raises(ValueError, match="a Task has the fields"):
        Task.read(tmp_path / "task.json")


def test_a_record_is_read_by_the_other_side(tmp_path):
    weights = {"dense/kernel": np.random.default_rng(0).random((3, 5, 2), np.float32)}
    record = stamped(Draws(weights=weights), PRESETS["small"], 1.5)
    task.write_record(tmp_path, "initial_weights", record)
    read = Task((), "elsewhere", reference_dir=str(tmp_path)).reference("initial_weights")
    assert read.weights["dense/kernel"].tobytes() == weights["dense/kernel"].tobytes()
    assert (read.run_id, read.experiment_hash, read.seconds) == (PRESETS["small"].run_id, PRESETS["small"].hash, 1.5)
    assert [path.name for path in tmp_path.iterdir()] == ["initial_weights.npz"]


def test_a_record_of_another_part_is_refused(tmp_path):
    task.write_record(tmp_path, "cases", Restarts(losses=np.ones(3)))
    with pytest.raises(BadRecordingError, match="the recording holds Restarts, not Cases"):
        task.read_record(tmp_path, "cases")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [({}, "KeyError: 'losses'"), ({"losses": np.ones(3), "more": np.ones(1)}, "unknown arrays: more")],
)
def test_a_recording_with_a_missing_or_an_extra_array_is_refused(tmp_path, arrays, words):
    whole = Restarts(losses=np.ones(3)).to_recording()
    recording.write(task.recording_path(tmp_path, "restarts"), arrays, whole.metadata)
    with pytest.raises(BadRecordingError, match=words):
        task.read_record(tmp_path, "restarts")


def test_every_part_that_a_candidate_is_asked_for_is_recorded_by_the_reference():
    assert set(task.CANDIDATE_PARTS) < set(task.REFERENCE_PARTS)
    # what the candidate reads is recorded before its noise floor is measured
    assert task.REFERENCE_PARTS.index("interchange") < task.REFERENCE_PARTS.index("floor")


def test_layers_and_callbacks_are_asked_of_a_users_pair_alone_and_means_of_the_labs_pair():
    of_file = task.parts_of(Pair(Settings("mine", ""), file="mine.py"), task.CANDIDATE_PARTS)
    of_lab = task.parts_of(Pair(PRESETS["small"]), task.CANDIDATE_PARTS)
    assert set(of_file) - set(of_lab) == {"layers", "random_layers", "callbacks"}
    assert set(of_lab) - set(of_file) == {"metrics"}
    assert of_file.index("cases") + 2 == of_file.index("layers") + 1 == of_file.index("random_layers")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"epoch": 3, "seconds": 0.25, "metrics": {"loss": 1 / 3, "val_acc": 1e-12}},
        {"device": "Größe\nof two lines"},
    ],
)
def test_a_sent_event_is_received(capsys, fields):
    print("a line that was left open", end="")
    task.send("epoch", **fields)
    *before, line = sent(capsys)
    assert before == ["a line that was left open\n"]
    assert task.received(line) == {"event": "epoch", **fields}
    assert task.received(line.rstrip("\n")) == {"event": "epoch", **fields}


def test_a_diverged_loss_is_received(capsys):
    task.send("epoch", loss=math.nan, val_loss=math.inf)
    event = task.received(sent(capsys)[-1])
    assert math.isnan(event["loss"]) and event["val_loss"] == math.inf


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "Epoch 1/10",
        '{"event": "epoch"}',
        ' @parity {"event": "epoch"}',
        'seen: @parity {"event": "epoch"}',
        '@parity{"event": "epoch"}',
        "@parity ",
        "@parity nonsense",
        '@parity {"event": "epoch"',
        '@parity {"event": "epoch"} and more',
        '@parity {"epoch": 3}',
        "@parity []",
        '@parity ["event"]',
        '@parity "event"',
        "@parity 3",
        "@parity null",
    ],
)
def test_any_other_line_is_no_event(line):
    assert task.received(line) is None


def test_a_value_that_is_no_json_is_not_sent(capsys):
    with pytest.raises(TypeError):
        task.send("epoch", metrics=np.zeros(3))
    assert sent(capsys) == []


def test_a_candidate_waits_for_what_the_reference_has_not_answered_yet(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(task, "SAY", 0.05)
    asked = Task((), "elsewhere", reference_dir=str(tmp_path), together=True)
    record = stamped(Restarts(losses=np.ones(2)), PRESETS["small"], 1.5)
    late = threading.Timer(0.3, task.write_record, (tmp_path, "restarts", record))
    late.start()
    assert asked.reference("restarts").losses.tolist() == [1, 1]
    late.join()
    said = [event for line in sent(capsys) if (event := task.received(line))]
    assert said and said[0] == {"event": "alive", "what": "waiting for Keras: restarts"}


def test_a_candidate_does_not_wait_for_what_will_not_come(tmp_path):
    task.missing_path(tmp_path, "cases").touch()
    with pytest.raises(BadRecordingError):
        Task((), "elsewhere", reference_dir=str(tmp_path), together=True).reference("cases")
    with pytest.raises(BadRecordingError):  # the reference has ended
        Task((), "elsewhere", reference_dir=str(tmp_path)).reference("layers")
