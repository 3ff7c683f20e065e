"""Lightning's answers: the same again as in a real run, and other ones where a fault is planted."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import LAB_REFERENCE_PARTS

from lightning_mlp import data, train
from mlp_spec.experiment import Experiment
from parity.adapters.torch import answer
from parity.adapters.torch.candidate import Candidate
from parity.ladder.climb import judge
from parity.pair import Pair
from parity.process import Side
from parity.protocol import targets
from parity.protocol.task import CANDIDATE_PARTS, KERAS, LIGHTNING, Task, read_record

PLANTED = "parity.selftest.planted"
# Lightning says so of cases, which are not validated; a process of its own may.
pytestmark = pytest.mark.filterwarnings("ignore:You defined a .validation_step. but have no")


@pytest.fixture(scope="module")
def reference(parity_run):
    """The folder of the reference's recordings, and the reference's side."""
    folder = parity_run[0] / KERAS
    return folder, Side({part: read_record(folder, part) for part in LAB_REFERENCE_PARTS})


@pytest.fixture
def make_candidate(reference, tmp_path, monkeypatch):
    """Makes candidates of that reference, in this process."""
    monkeypatch.setattr(train, "keep_compiled_code", lambda: None)
    monkeypatch.setattr(train, "use_threads", lambda *_: None)
    folder, side = reference
    experiment = Experiment.from_dict(side.parts["facts"].experiment)

    def make():
        return Candidate(
            Task((), str(tmp_path), Pair(experiment, "mnist-sample"), level="quick", reference_dir=str(folder))
        )

    return make


def judged(reference, candidate, *parts):
    """Answers parts and judges them; returns the rungs that do not pass."""
    answers = {part: answer.PARTS[part](candidate) for part in {"facts": 0, **dict.fromkeys(parts)}}
    stamp = {"run_id": candidate.experiment.run_id, "experiment_hash": candidate.experiment.hash}
    side = Side({part: replace(record, **stamp) for part, record in answers.items()})
    checks = [check for part in parts for check in judge(part, reference[1], side, candidate.experiment)]
    assert checks
    return {check.rung for check in checks if check.status not in ("pass", "info")}


def test_every_part_is_answered():
    assert set(answer.PARTS) == set(CANDIDATE_PARTS)


def test_answers_are_the_same_again(parity_run, make_candidate):
    candidate = make_candidate()
    for part in ("initial_weights", "cases"):
        ours = answer.PARTS[part](candidate).to_recording().arrays
        theirs = read_record(parity_run[0] / LIGHTNING, part).to_recording().arrays
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():  # threads may sum in another order
            assert np.allclose(array, theirs[name], rtol=1e-5, atol=1e-6), name


def test_the_sound_candidate_passes(reference, make_candidate):
    assert judged(reference, make_candidate(), "facts", "cases", "optimizer") == set()


@pytest.mark.parametrize(
    ("planted", "part", "rung"),
    [
        ("models:TorchInit", "initial_weights", "initial weights"),
        ("models:Relu", "facts", "architecture"),
        ("models:SoftmaxTwice", "cases", "loss"),
        ("models:Detached", "cases", "gradients"),
        ("models:Momentum", "optimizer", "optimizer"),
        ("data:Over256", "facts", "data"),
    ],
)
def test_a_planted_fault_fails_at_its_rung(planted, part, rung, reference, make_candidate, monkeypatch):
    faulty, build = targets.load(f"{PLANTED}.{planted}"), train.build
    if planted.startswith("data"):
        monkeypatch.setattr(data, "MNISTDataModule", faulty)
    else:
        monkeypatch.setattr(train, "build", lambda experiment, module, **numbers: build(experiment, faulty, **numbers))
    assert rung in judged(reference, make_candidate(), part)
