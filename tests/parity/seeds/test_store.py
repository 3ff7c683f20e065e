"""The store of a study belongs to one experiment and one candidate, and knows which seeds are finished."""

from dataclasses import replace

import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES
from mlp_spec.support.errors import UserError
from parity.protocol import seeds as study
from parity.seeds.store import Store, describe_candidate, name_candidate

SMALL = replace(PRESETS["small"], training=replace(PRESETS["small"].training, epochs=2))
OURS = describe_candidate(None, None, True)


def finish(store, side, seed):
    history = {name: [seed / 100] * 2 for name in CURVES}
    study.write(store.path, side, SMALL, study.SeedResult(seed, history, [0.1] * 2, 1.0, {}))


def test_a_store_belongs_to_one_experiment_and_one_candidate(tmp_path):
    Store.open(tmp_path / "store", SMALL, OURS)
    Store.open(tmp_path / "store", replace(SMALL, training=replace(SMALL.training, seed=30)), OURS)
    with pytest.raises(UserError, match=r"training.epochs: 2, not 10"):
        Store.open(tmp_path / "store", PRESETS["small"], OURS)
    with pytest.raises(UserError, match=r"candidate: ours .compiled steps., not port:Mine"):
        Store.open(tmp_path / "store", SMALL, describe_candidate("port:Mine", None, False))
    mark = tmp_path / "store" / "study.json"
    mark.write_text(mark.read_text().replace('"schema": 1', '"schema": 9'))
    with pytest.raises(UserError, match="schema 9, not 1"):
        Store.open(tmp_path / "store", SMALL, OURS)
    mark.write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        Store.open(tmp_path / "store", SMALL, OURS)


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter-1.txt").write_text("years of work")
    with pytest.raises(UserError, match="is not empty and no store"):
        Store.open(tmp_path / "thesis", SMALL, OURS)
    with pytest.raises(UserError, match="cannot be used"):
        Store.open(tmp_path / "thesis" / "chapter-1.txt" / "store", SMALL, OURS)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter-1.txt"]


def test_a_candidate_whose_file_changed_is_another(tmp_path):
    port = tmp_path / "port.py"
    port.write_text("class Mine: pass\n")
    Store.open(tmp_path / "store", SMALL, describe_candidate(f"{port}:Mine", None, False))
    port.write_text("class Mine: ...\n")
    with pytest.raises(UserError, match="belongs to another study"):
        Store.open(tmp_path / "store", SMALL, describe_candidate(f"{port}:Mine", None, False))


def test_a_candidate_is_named_for_people():
    assert name_candidate(OURS) == "ours (compiled steps)"
    named = {"candidate": "a.py:A", "candidate_datamodule": "b:B", "files": {"a.py": "0123456789"}, "compiled": False}
    assert name_candidate(named) == "a.py:A and b:B (a.py with SHA-256 01234567..., steps not compiled)"


def test_the_store_knows_which_seeds_are_finished(tmp_path):
    store, sides = Store.open(tmp_path / "store", SMALL, OURS), {"keras": [0, 1], "lightning": [0]}
    assert store.lacks(sides) and store.count(sides) == "0 of 2 seeds of Keras and 0 of 1 seeds of Lightning"
    finish(store, "keras", 1)
    finish(store, "keras", 9)  # not asked for
    assert store.finished("keras", [0, 1]) == {1} and store.lacks(sides)
    finish(store, "keras", 0)
    finish(store, "lightning", 0)
    assert not store.lacks(sides) and store.count(sides) == "2 of 2 seeds of Keras and 1 of 1 seeds of Lightning"
    assert [result.seed for result in store.read("keras", [1, 0])] == [1, 0]
    with pytest.raises(UserError, match=r"seed-5.json cannot be read"):
        store.read("keras", [5])
