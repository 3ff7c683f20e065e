"""Jobs and events: what the parity process and the frameworks' processes tell each other."""

import json
import math

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from parity.protocol import start as canonical
from parity.protocol import task as job
from parity.protocol.task import Job


def job_of(**given):
    fields = {
        "experiment": PRESETS["bigger"],
        "dataset": "auto",
        "data_dir": None,
        "accelerator": "cpu",
        "output_dir": "größer/run",
    }
    return Job(**{**fields, **given})


def sent(capsys):
    """The lines that were printed."""
    return capsys.readouterr().out.splitlines(keepends=True)


@pytest.mark.parametrize("data_dir", [None, "/folder with/mnist"])
@pytest.mark.parametrize("experiment", PRESETS.values(), ids=PRESETS)
def test_a_job_comes_back(tmp_path, experiment, data_dir):
    task = job_of(experiment=experiment, data_dir=data_dir)
    task.write(tmp_path / "job.json")
    assert Job.read(str(tmp_path / "job.json")) == task


def test_a_job_is_plain_json(tmp_path):
    job_of().write(tmp_path / "job.json")
    fields = json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))
    assert fields["experiment"] == PRESETS["bigger"].to_dict()
    assert fields["output_dir"] == "größer/run"


def test_a_part_is_left_with_its_run_and_read_by_the_other_side(tmp_path, capsys):
    weights = canonical.initial_weights(PRESETS["small"].model, seed=0)
    task = job_of(output_dir=str(tmp_path), reference_dir=str(tmp_path))
    task.leave("facts", weights, {"more": 1})
    assert job.received(sent(capsys)[0]) == {"event": "part", "part": "facts"}
    read = task.reference("facts")
    assert all(read.arrays[name].tobytes() == weights[name].tobytes() for name in weights)
    assert read.metadata == {
        "part": "facts",
        "experiment_hash": task.experiment.hash,
        "run_id": task.experiment.run_id,
        "more": 1,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"epoch": 3, "seconds": 0.25, "metrics": {"loss": 1 / 3, "val_acc": 1e-12}},
        {"device": "Größe\nof two lines"},
    ],
)
def test_a_sent_event_is_received(capsys, fields):
    job.send("epoch", **fields)
    lines = sent(capsys)
    assert len(lines) == 1
    assert job.received(lines[0]) == {"event": "epoch", **fields}
    assert job.received(lines[0].rstrip("\n")) == {"event": "epoch", **fields}


def test_a_diverged_loss_is_received(capsys):
    job.send("epoch", loss=math.nan, val_loss=math.inf)
    event = job.received(sent(capsys)[0])
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
    assert job.received(line) is None


def test_a_value_that_is_no_json_is_not_sent(capsys):
    with pytest.raises(TypeError):
        job.send("epoch", metrics=np.zeros(3))
    assert sent(capsys) == []
