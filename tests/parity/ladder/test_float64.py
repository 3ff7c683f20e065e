"""What both sides answer in float64 is judged by the limits of float32."""

from dataclasses import replace

import numpy as np
import pytest
import sample_records

from parity.ladder import float64
from parity.pair import Pair, Settings
from parity.process import Stopped
from parity.protocol.records import Answer, Quirk, Run
from parity.protocol.task import CANDIDATE_PARTS, REFERENCE_PARTS, Task
from parity.rungs.check import Check, floor_of


@pytest.mark.parametrize("quirk", ["float64-on-tensorflow", "sparse-gradients-of-embedding"])
@pytest.mark.parametrize("can_torch", [True, False])
def test_where_numbers_are_rounded_to_float32_keras_is_asked_on_pytorch(quirk, can_torch, tmp_path, monkeypatch):
    facts, told = sample_records.make_sides()[0].parts["facts"], []

    def ask(name, task, path, stall, follow, arrived, side):
        told.append(task.backend)
        if task.backend == "torch" and not can_torch:
            return
        is_own = task.backend == "tensorflow"
        side.parts["facts"] = replace(facts, quirks=[Quirk(quirk, (), "why")] if is_own else [])
        arrived("facts")
        if side.enough.is_set():
            raise Stopped
        side.parts["cases"] = None

    monkeypatch.setattr(float64, "ask", ask)
    task = Task(("facts", "cases"), str(tmp_path))
    assert float64.ask_reference(task, tmp_path, 10.0, None).parts.keys() == {"facts", "cases"}
    rounds = quirk == "float64-on-tensorflow"
    assert told == (["tensorflow", "torch", "tensorflow"][: 2 if can_torch else 3] if rounds else ["tensorflow"])


def test_runs_depart_from_an_answer_in_float64_as_far_as_from_that_in_float32():
    own, runs = np.float32([1, 2]), [np.float32([1 + 1e-6, 2]), np.float32([1, 2 - 3e-6])]
    exact = np.array([1 + 1e-8, 2 + 1e-8])
    beside = float64.departed(exact, own, runs)
    floor = np.float64(own[1]) - runs[1][1]
    assert [run.dtype for run in beside] == [np.dtype(float)] * 3
    assert floor_of(exact, beside) == pytest.approx(floor, rel=1e-6) == pytest.approx(floor_of(own, runs), rel=1e-6)


def test_without_runs_the_floor_is_that_of_float32():
    own = np.float32([0.1, 2.5])
    assert floor_of(own.astype(float), float64.departed(own.astype(float), own, [])) == pytest.approx(floor_of(own, []))


def test_a_run_that_ended_early_stays_as_short():
    own = np.ones(5, np.float32)
    first, last = float64.departed(own.astype(float), own, [np.full(3, 1.5, np.float32)])
    assert first.tolist() == [1.5] * 3 and len(last) == 5


def test_arrays_are_found_in_whatever_holds_them():
    kinds = [("kind", np.float32, (2,)), ("size", np.float32, (1,))]
    own, run = np.zeros(3, kinds), np.zeros(3, kinds)
    run["size"] = 2
    exact = np.zeros(3, [("kind", float, (2,)), ("size", float, (1,))])
    ours, theirs = (Answer(one, np.zeros(1), {"w": np.arange(2), "b": np.zeros(2)}) for one in (exact, own))
    found, _ = float64.departed([{"case": ours}], [{"case": theirs}], [[{"case": replace(theirs, probabilities=run)}]])
    answer = found[0]["case"]
    assert (answer.probabilities["size"] == 2).all() and not answer.probabilities["kind"].any()
    assert answer.gradients["w"].dtype == int and answer.gradients.keys() == {"w", "b"}


def test_what_only_one_has_is_left_out():
    run = Run(np.zeros(2), {}, {"a": np.zeros(1)}, None)
    exact = Run(np.zeros(2), {"loss": np.zeros(1)}, {"a": np.zeros(1), "b": np.zeros(1)}, np.zeros(1))
    first, _ = float64.departed(exact, exact, [run])
    assert first.curves == {} and first.final.keys() == {"a"} and first.probabilities is exact.probabilities


def test_every_part_with_runs_of_its_own_is_known():
    parts = sample_records.make_sides()[0].parts
    with_variants = {part for part, record in parts.items() if getattr(record, "variants", None)}
    assert {*float64.DEPARTED_FROM} - {"layers"} <= with_variants <= {*float64.DEPARTED_FROM, "floor", "optimizer"}
    found = float64.with_runs(parts, parts)
    for part, name in float64.DEPARTED_FROM.items():
        if part in parts:
            assert len(found[part].variants) == len(parts[part].variants) + 1, name
    assert len(found["floor"].variants) == len(parts["floor"].variants) + 1


def test_parts_that_others_are_trained_for_are_known():
    assert {*float64.BEFORE, *sum(float64.BEFORE.values(), ())} < {*CANDIDATE_PARTS} & {*REFERENCE_PARTS}


def test_a_pair_in_float64_is_the_same_but_for_its_precision():
    pair = Pair(Settings("mine", "0" * 64), file="/nowhere/mine.py")
    exact = float64.in_float64(pair)
    assert exact.experiment.training.precision == "float64" and exact.file == pair.file
    training = replace(exact.experiment.training, precision="float32")
    assert replace(exact.experiment, training=training) == pair.experiment


@pytest.mark.parametrize(
    ("check", "is_within"),
    [
        (None, False),
        (Check("x", "loss", "pass", 1.0, 10.0, noise_floor=1.0), True),
        (Check("x", "loss", "pass", 1.1, 10.0, noise_floor=1.0), False),
        (Check("x", "loss", "pass", 0, 0), True),
        (Check("x", "loss", "info", 1.0, 10.0, noise_floor=1.0), True),
        (Check("x", "loss", "info"), False),
        (Check("x", "loss", "pass", 1, 1), False),
        (Check("x", "loss", "fail", 11.0, 10.0, noise_floor=1.0), False),
        (Check("x", "loss", "error"), False),
    ],
)
def test_more_than_one_noise_floor_is_no_rounding(check, is_within):
    assert float64.is_within_a_floor(check) is is_within
