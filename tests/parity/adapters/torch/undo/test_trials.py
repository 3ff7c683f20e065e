"""A failed part is answered with each difference undone, with all, and with all but one; what refuses is told."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from parity.adapters.torch.undo import trials
from parity.adapters.torch.undo.difference import TRAINING, Undo
from parity.pair import Settings
from parity.protocol.records import Restarts, Trial
from parity.protocol.task import Task, read_record


class Candidate:
    """Stands for a candidate of which any difference can be undone, but for `absent` ones."""

    experiment = Settings("own", "0" * 64)

    def __init__(self, folder, absent=()):
        self.task, self.absent = Task((), str(folder), explained=("restarts",), undone=("known",)), absent
        self.undone, self.changes = (), {}

    def undo(self, ids):
        self.undone, self.changes = (*self.task.undone, *ids), {}

    def losses_that_show(self):
        return set()

    def trainings_that_show(self):
        return {id for id, undo in trials.UNDOS.items() if undo.stage == TRAINING} - {"unseen"}

    def build(self):
        self.changes = {id: [f"write {id}"] for id in self.undone if id not in self.absent}
        return nn.Identity()


@pytest.fixture
def undos(monkeypatch):
    """Puts other differences in the place of ours; the part is answered by what is undone."""

    def answer_part(candidate):
        if "refuses" in candidate.undone:
            raise ValueError("a scripted layer cannot be changed")
        return Restarts(losses=np.array([len(candidate.undone)], np.float32))

    ids = ("known", "a", "b", "c", "refuses", "elsewhere")
    made = {id: Undo(id, ("restarts",) if id != "elsewhere" else ("cases",), lambda built: []) for id in ids}
    monkeypatch.setattr(trials, "UNDOS", made)
    monkeypatch.setattr(trials.answer, "PARTS", {"restarts": answer_part})


def test_each_all_and_all_but_one_are_tried(undos, tmp_path):
    record = trials.answer_trials(Candidate(tmp_path, absent=("c",)))
    together = [("a", "b")]  # all but one of two is the other alone, which was tried
    assert record.trials == [Trial("restarts", ids) for ids in [("a",), ("b",), *together]]
    assert record.changes == {"a": ["write a"], "b": ["write b"]}
    assert record.refused == {"refuses": record.refused["refuses"]} and "a scripted layer" in record.refused["refuses"]
    assert [float(read_record(tmp_path / str(n), "restarts").losses[0]) for n in range(3)] == [2, 2, 3]


def test_of_three_each_is_left_out_once(undos, tmp_path):
    record = trials.answer_trials(Candidate(tmp_path))
    assert [trial.undone for trial in record.trials[3:]] == [("a", "b", "c"), ("b", "c"), ("a", "c"), ("a", "b")]


def test_what_a_trainer_or_an_optimizer_is_changed_by_is_seen_before_a_part_is_answered(monkeypatch):
    asked = []
    candidate = SimpleNamespace(
        undone=("clip-norm", "momentum"),
        task=SimpleNamespace(undone=()),
        changes={},
        build=lambda: SimpleNamespace(configure_optimizers=lambda: asked.append("optimizers")),
        trainer=lambda package, callbacks: asked.append("trainer"),
        train_one_step=lambda module, callbacks, validates: asked.append("step"),
    )
    assert not trials.is_changed(candidate) and asked == ["optimizers", "trainer", "step"]


def test_each_is_left_alone_where_that_is_asked(undos, tmp_path):
    candidate = Candidate(tmp_path)
    candidate.task = replace(candidate.task, undone=(), left_alone=("a", "b", "c"))
    record = trials.answer_trials(candidate)
    assert [trial.undone for trial in record.trials] == [("b", "c"), ("a", "c"), ("a", "b")] and not record.refused


def test_what_fits_a_number_is_tried_again_behind_the_others(undos, monkeypatch, tmp_path):
    monkeypatch.setitem(trials.UNDOS, "fits", Undo("fits", ("restarts",), lambda built: [], fitted=True))

    class Hidden(Candidate):
        """Shows a difference only where another one is undone."""

        def build(self):
            built = super().build()
            if len(self.undone) < 3:
                self.changes.pop("fits", None)
            return built

    record = trials.answer_trials(Hidden(tmp_path, absent=("b", "c")))
    assert [trial.undone for trial in record.trials] == [("a",), ("a", "fits")]
    assert record.changes["fits"] == ["write fits"]


def test_what_only_a_training_shows_is_tried_where_one_showed_it(undos, monkeypatch, tmp_path):
    for id in ("seen", "unseen"):
        monkeypatch.setitem(trials.UNDOS, id, Undo(id, ("restarts",), lambda built: [], TRAINING))
    candidate = Candidate(tmp_path, absent=("a", "b", "c", "seen", "unseen"))

    def train(candidate):
        candidate.changes = {id: ["write it"] for id in candidate.undone if id == "seen"}
        return Restarts(losses=np.zeros(1, np.float32))

    monkeypatch.setattr(trials.answer, "PARTS", {"restarts": train})
    record = trials.answer_trials(candidate)
    assert record.trials == [Trial("restarts", ("seen",))] and record.changes == {"seen": ["write it"]}
