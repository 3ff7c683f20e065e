"""What both adapters do alike: fingerprints that see every bit, events, and a record for every part."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import PYTHON, ROOT, run_python

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.support.errors import UserError
from parity.pair import Pair
from parity.protocol import recording, task
from parity.protocol.answer import (
    Session,
    answer_parts,
    describe_batches,
    explain_error,
    fingerprint,
    main,
    report_epoch,
    shorten,
    stack,
)
from parity.protocol.records import Numbers, Restarts
from parity.protocol.task import CheckpointTask, SeedsTask, SnippetsTask, Task

IMAGES = np.random.default_rng(0).random((50, 784), np.float32)
LABELS = np.arange(50) % 7


def results_of(epochs):
    results = Results(startup_seconds=2.5)
    for epoch in range(epochs):
        results.add_epoch(dict.fromkeys(CURVES, 1 / (epoch + 3)), seconds=epoch + 0.25)
    return results


def differing(first, second):
    return {key for key in first if first[key] != second[key]}


def test_a_fingerprint_describes_the_arrays():
    images = np.array([[0, 0.5], [0.25, 1]], np.float32)
    assert fingerprint(images, np.array([3, 9])) == {
        "samples": 2,
        "image_shape": [2],
        "image_dtype": "float32",
        "image_range": [0.0, 1.0],
        "image_mean": 0.4375,
        "image_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "label_counts": [0, 0, 0, 1, 0, 0, 0, 0, 0, 1],
        "label_sha256": hashlib.sha256(np.array([3, 9], np.int64).tobytes()).hexdigest(),
    }


def test_a_fingerprint_is_plain_json():
    described = fingerprint(IMAGES, LABELS)
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize("place", [(0, 0), (17, 300), (49, 783)])
def test_a_fingerprint_sees_the_last_bit_of_one_pixel(place):
    changed = IMAGES.copy()
    changed[place] = np.nextafter(changed[place], np.float32(2))
    assert "image_sha256" in differing(fingerprint(IMAGES, LABELS), fingerprint(changed, LABELS))


@pytest.mark.parametrize("place", [0, 17, 49])
def test_a_fingerprint_sees_one_changed_label(place):
    changed = LABELS.copy()
    changed[place] = 9
    differences = differing(fingerprint(IMAGES, LABELS), fingerprint(IMAGES, changed))
    assert differences == {"label_sha256", "label_counts"}


def test_a_fingerprint_sees_an_exchanged_pair_of_samples():
    order = np.arange(50)
    order[[3, 4]] = order[[4, 3]]
    differences = differing(fingerprint(IMAGES, LABELS), fingerprint(IMAGES[order], LABELS[order]))
    assert differences >= {"image_sha256", "label_sha256"}
    assert not differences & {"label_counts", "image_range", "samples"}


def test_a_fingerprint_sees_the_precision():
    differences = differing(fingerprint(IMAGES, LABELS), fingerprint(IMAGES.astype(np.float64), LABELS))
    assert differences == {"image_dtype", "image_sha256"}


def test_a_fingerprint_does_not_depend_on_the_layout_in_memory():
    assert fingerprint(np.asfortranarray(IMAGES), LABELS) == fingerprint(IMAGES, LABELS)
    assert fingerprint(IMAGES, np.repeat(LABELS, 2)[::2]) == fingerprint(IMAGES, LABELS)
    assert fingerprint(IMAGES, LABELS.astype(np.int32)) == fingerprint(IMAGES, LABELS)


def test_a_finished_epoch_is_reported(capsys):
    report_epoch(results_of(2))
    (_, line) = capsys.readouterr().out.splitlines()
    metrics = dict.fromkeys(CURVES, 0.25)
    assert task.received(line) == {"event": "epoch", "epoch": 2, "seconds": 1.25, "metrics": metrics}


def failing(error):
    """Returns an answer that fails."""

    def answer(subject):
        raise error

    return answer


def events(capsys):
    """The events that were sent."""
    return list(filter(None, map(task.received, capsys.readouterr().out.splitlines())))


def test_a_part_that_fails_is_reported_and_the_others_go_on(tmp_path, capsys):
    parts = {
        "facts": lambda session: Restarts(losses=np.full(2, session)),
        "initial_weights": failing(ValueError("no weights today")),
        "cases": failing(UserError("a sentence for people")),
    }
    answer_parts(Task(tuple(parts), str(tmp_path)), parts, 7.0, PRESETS["small"])
    sent = events(capsys)
    assert [(event["event"], event["part"]) for event in sent] == [
        ("begin", "facts"), ("part", "facts"), ("begin", "initial_weights"), ("failed", "initial_weights"),
        ("begin", "cases"), ("failed", "cases"),
    ]  # fmt: skip
    assert "ValueError: no weights today (test_answer.py, line" in sent[3]["message"]
    assert sent[5]["message"] == "a sentence for people"
    record = Restarts.from_recording(recording.read(task.recording_path(tmp_path, "facts")))
    assert record.losses.tolist() == [7, 7] and record.run_id == PRESETS["small"].run_id and record.seconds >= 0
    assert [path.name for path in tmp_path.iterdir()] == ["facts.npz"]


def test_memory_is_given_back_after_every_part_also_one_that_failed(tmp_path, capsys):
    class Kept(Session):
        """Keeps how many parts there were when memory was given back."""

        def release(self):
            released.append(len(events(capsys)))

    released, parts = [], {"facts": lambda session: None, "cases": failing(UserError("not today"))}
    task = Task(tuple(parts), str(tmp_path), PAIR)
    answer_parts(task, parts, Kept(task), None)
    assert released == [2, 2]


def test_without_facts_nothing_else_is_tried(tmp_path, capsys):
    parts = {"facts": failing(UserError("it cannot be bound")), "cases": failing(AssertionError("it was tried"))}
    answer_parts(Task(tuple(parts), str(tmp_path)), parts, 7.0, PRESETS["small"])
    assert [(event["event"], event["part"]) for event in events(capsys)] == [("begin", "facts"), ("failed", "facts")]


def test_a_part_without_a_record_and_an_unknown_part(tmp_path, capsys):
    answer_parts(Task(("seeds", "dreams"), str(tmp_path)), {"seeds": lambda task: None}, None, None)
    assert [event["event"] for event in events(capsys)] == ["begin", "part", "begin", "failed"]
    assert list(tmp_path.iterdir()) == []


# ---- the command


PAIR = Pair(PRESETS["small"], "mnist-sample")


@pytest.fixture
def answer_task(tmp_path, monkeypatch):
    """Answers a task by a made adapter; returns the status and what was asked of which module."""

    def answered(asked: Task, *parts: str, open_session=Session):
        asked.write(tmp_path / "task.json")
        monkeypatch.setattr(sys, "argv", ["x", str(tmp_path / "task.json"), *parts])
        calls = []

        def import_module(name):
            def answer(subject):
                calls.append((name, subject))
                return Numbers(numbers={"a": [1.0]})

            return SimpleNamespace(PARTS=defaultdict(lambda: answer))

        monkeypatch.setattr("parity.protocol.answer.import_module", import_module)
        return main("some.adapter", open_session), calls

    return answered


def test_the_ladders_parts_are_answered_in_one_session(answer_task, tmp_path):
    status, calls = answer_task(Task(("facts", "cases"), str(tmp_path), PAIR))
    assert status == 0 and [name for name, _ in calls] == ["some.adapter.answer"] * 2
    session = calls[0][1]
    assert session is calls[1][1] and session.pair == PAIR and session.experiment == PRESETS["small"]
    assert (session.seed, session.batch_size) == (0, 32)
    record = Numbers.from_recording(recording.read(task.recording_path(tmp_path, "cases")))
    assert record.run_id == PRESETS["small"].run_id


def test_parts_that_are_named_behind_the_file_alone_are_answered(answer_task, tmp_path, capsys):
    _, calls = answer_task(Task(("facts", "cases", "metrics"), str(tmp_path), PAIR), "metrics")
    assert len(calls) == 1 and calls[0][1].task.parts == ("metrics",)
    assert [event["part"] for event in events(capsys)] == ["metrics", "metrics"]


@pytest.mark.parametrize(
    ("asked", "module"),
    [
        (Task(("seeds",), "", PAIR, seeds=SeedsTask((0,), "store")), "some.adapter.seeds"),
        (Task(("read",), "", PAIR, checkpoint=CheckpointTask("a.keras")), "some.adapter.convert"),
        (Task(("snippets",), "", snippets=SnippetsTask("", {"a": "[1]"})), "parity.traps.evaluate"),
    ],
)
def test_everything_else_is_answered_from_the_task_without_a_session(asked, module, answer_task, tmp_path, monkeypatch):
    monkeypatch.setattr("parity.protocol.answer.take_share", lambda seeds: None)
    asked = replace(asked, output_dir=str(tmp_path))
    assert answer_task(asked, open_session=None) == (0, [(module, asked)])


def test_a_framework_that_cannot_start_is_one_message(answer_task, tmp_path, capsys):
    status, calls = answer_task(
        Task(("facts",), str(tmp_path), PAIR), open_session=failing(UserError("there is no GPU"))
    )
    assert (status, calls) == (2, []) and "error: there is no GPU" in capsys.readouterr().err


def test_an_error_is_told_with_the_place_in_the_users_code():
    try:
        failing(KeyError("dense"))(None)
    except KeyError as error:
        assert explain_error(error).startswith("KeyError: 'dense' (test_answer.py, line ")
    assert explain_error(UserError("a sentence")) == "a sentence"
    assert explain_error(ValueError("x" * 9000)) == "ValueError: " + "x" * 600


def test_a_share_sets_threads_and_cores():
    code = (
        "import os; from parity.protocol.answer import take_share; from parity.protocol.task import SeedsTask\n"
        "cores = sorted(os.sched_getaffinity(0))\n"
        "take_share(SeedsTask((), '', threads=3, cores=(cores[0],)))\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['TF_NUM_INTRAOP_THREADS'], os.sched_getaffinity(0) == "
        "{cores[0]})"
    )
    assert run_python("-c", code).out.split() == ["3", "3", "True"]


def test_a_process_ends_with_the_one_that_started_it():
    code = (
        "import sys, time; from parity.protocol.answer import main; sys.argv[1:] = [sys.argv[0]]; "
        "sys.modules['parity.protocol.answer'].Task.read = lambda path: print('up', flush=True) or time.sleep(60); "
        "main('none', None)"
    )
    parent = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {code!r}]); print(p.pid); p.wait()"
    command = [PYTHON, "-u", "-c", parent]  # a warm one is forked, and has another parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        pid = int(process.stdout.readline())
        assert process.stdout.readline().strip() == "up"
        process.kill()
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":  # ended, and nobody has asked for its status
            break
        time.sleep(0.1)
    else:
        pytest.fail("the process outlives the one that started it")


def test_batches_are_described_by_rows_and_their_order():
    sums = describe_batches(IMAGES[:7], LABELS[:7], 3)
    assert sums.shape == (3, 4) and sums[:, 0].tolist() == [3, 3, 1]
    swapped = IMAGES[[1, 0, 2, 3, 4, 5, 6]]
    changed = describe_batches(swapped, LABELS[[1, 0, 2, 3, 4, 5, 6]], 3)
    assert (changed[0, :3] == sums[0, :3]).all() and changed[0, 3] != sums[0, 3]
    assert (changed[1:] == sums[1:]).all()


def test_a_replay_keeps_first_values_and_the_sum():
    kept = shorten({"x": np.arange(2000, dtype=np.float32)})["x"]
    assert kept[:3].tolist() == [0, 1, 2] and kept[-1] == 1999 * 1000 and len(kept) == 998


def test_a_shortened_sum_sees_a_value_behind_those_that_are_kept():
    weights = np.zeros((50, 40), np.float32)
    changed = weights.copy()
    changed[-1, -1] = 1e-3
    (ours, theirs) = (shorten({"x": array})["x"] for array in (weights, changed))
    assert (ours[:-1] == theirs[:-1]).all() and ours[-1] != theirs[-1]


def test_steps_are_stacked_by_path():
    steps = [{"a": np.full(2, step), "b": np.full((1, 3), step)} for step in range(4)]
    stacked = stack(steps)
    assert {path: array.shape for path, array in stacked.items()} == {"a": (4, 2), "b": (4, 1, 3)}
    assert stacked["b"][3].tolist() == [[3, 3, 3]]
