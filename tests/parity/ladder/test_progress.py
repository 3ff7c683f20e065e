"""The ladder while it is climbed: what is judged when, and how it is shown on a terminal and elsewhere."""

import io
import json

import pytest
from rich.console import Console

from mlp_spec.experiment import Experiment
from parity.ladder.climb import Climb, Judging, Side
from parity.ladder.progress import LadderProgress
from parity.protocol.task import PARTS, REFERENCE_PARTS
from parity.report.render import read_records
from parity.rungs.check import Check


def judging(told):
    return Judging(Climb(Side(), Side()), Experiment(), lambda part, checks: told.append((part, checks)))


def test_a_part_is_judged_once_as_soon_as_both_have_answered(parity_run):
    folder, _ = parity_run
    keras, lightning = (read_records(folder / side) for side in ("keras", "lightning"))
    told = []
    one = judging(told)
    one.asked = Experiment.from_dict(lightning["facts"].metadata["experiment"])
    for part in REFERENCE_PARTS:
        one.climb.keras.parts[part] = keras[part]
        one.look()
    assert told == []
    for part in PARTS:
        one.climb.lightning.parts[part] = lightning[part]
        one.look()
        one.look()
        assert [name for name, _ in told] == list(PARTS[: PARTS.index(part) + 1])
    checks = [check.to_dict() for check in one.finish(PARTS).checks]
    report = json.loads((folder / "report.json").read_text())
    assert [(check["name"], check["status"]) for check in checks] == [
        (check["name"], check["status"]) for check in report["checks"]
    ]


def test_lockstep_waits_for_the_noise_floor(parity_run):
    folder, _ = parity_run
    keras, lightning = (read_records(folder / side) for side in ("keras", "lightning"))
    told = []
    one = judging(told)
    one.asked = Experiment.from_dict(lightning["facts"].metadata["experiment"])
    floor = keras.pop("floor")
    one.climb.keras.parts |= keras
    one.climb.lightning.parts |= lightning
    one.look()
    assert {"facts", "restarts"} <= {name for name, _ in told} and "lockstep" not in {name for name, _ in told}
    one.climb.keras.parts["floor"] = floor
    one.look()
    assert {"lockstep", "interchange"} <= {name for name, _ in told}


def test_what_was_never_answered_is_judged_at_the_end():
    told = []
    one = judging(told)
    one.look()
    assert told == []
    checks = one.finish(PARTS).checks
    assert {check.status for check in checks} == {"error"} and len(checks) == len(PARTS)


EVENTS = [
    {"event": "start", "dataset": "mnist-sample", "device": "cpu"},
    {"event": "begin", "part": "facts"},
    {"event": "part", "part": "facts"},
    {"event": "begin", "part": "lockstep"},
    {"event": "epoch", "epoch": 1, "seconds": 1.5, "metrics": {"loss": 1.0, "val_acc": 0.5}},
]


def test_elsewhere_than_on_a_terminal_it_is_plain_lines():
    stream = io.StringIO()
    with LadderProgress(2, "a note", stream) as progress:
        on_event = progress.follow("Keras")
        for event in EVENTS:
            on_event(event)
        progress.judged("facts", [Check("x", "data", "pass"), Check("y", "data", "fail")])
    assert stream.getvalue().splitlines() == [
        "Keras      starting",
        "a note",
        "Keras      training on mnist-sample on cpu",
        "Keras      facts",
        "Keras      lockstep",
        "Keras      Epoch 1/2    1.5 s  loss 1.0000  val_acc 0.5000",
        "ladder     data: fail",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_has_every_rung_and_fits_the_terminal(width):
    progress = LadderProgress(2, stream=io.StringIO())
    on_event = progress.follow("Keras")
    for event in EVENTS:
        on_event(event)
    progress.judged("facts", [Check("x", "experiment", "pass")])
    progress.judged("metrics", [Check("x", "data", "fail")])
    progress.judged("facts", [Check("x", "data", "pass")])  # a later pass does not hide a failure
    console = Console(file=io.StringIO(), width=width)
    console.print(progress.table())
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 20 and all(len(line.rstrip()) <= width for line in lines)
    rows = {line[:20].strip(): line[20:].split() for line in lines}
    assert rows["experiment"] == ["answered", "pass"] and rows["data"] == ["answered", "fail"]
    assert rows["lockstep"] == ["at", "work"] and rows["interchange"] == [] and "lockstep, restarted" in rows
    assert any("Epoch 1/2" in line for line in lines)


def test_a_process_that_could_not_answer_shows_it():
    progress = LadderProgress(2, stream=io.StringIO())
    progress.follow("Lightning")({"event": "failed", "part": "metrics"})
    console = Console(file=io.StringIO(), width=80)
    console.print(progress.table())
    assert "no answer" in console.file.getvalue()
