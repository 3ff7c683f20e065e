"""Honest pairs: the same for the same seed, pair files, of every kind of layer; both sides have the same weights."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from conftest import run_python

from parity.protocol import pair_file
from parity.selftest.honest.data import ROWS
from parity.selftest.honest.models import KINDS
from parity.selftest.honest.pairs import OPTIMIZERS, draw_pair, penalties, write

SEEDS = range(300)
BUILT = range(40)
# of each pair file: the number of trained values, the shape of a prediction, the number of penalties
KERAS = """
import json, sys
from parity.protocol.pair_file import PairFile
sides = []
for path in sys.argv[1:]:
    model = PairFile(path).call("keras_model")
    trained = sum(int(value.numpy().size) for value in model.trainable_variables)
    sides.append([trained, list(model.output_shape[1:]), len(model.losses)])
print(json.dumps(sides))
"""


@pytest.fixture(scope="module")
def pairs():
    """Some pairs."""
    return [draw_pair(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def files(pairs, tmp_path_factory):
    """Their files, as far as both sides are built."""
    folder = tmp_path_factory.mktemp("pairs")
    for pair in pairs[: len(BUILT)]:
        (folder / f"pair{pair.seed}.py").write_text(write(pair))
    return [str(folder / f"pair{seed}.py") for seed in BUILT]


def test_a_seed_draws_one_pair(pairs):
    assert [write(draw_pair(seed)) for seed in SEEDS] == [write(pair) for pair in pairs]
    assert len({write(pair) for pair in pairs}) == len(pairs)


def test_every_file_is_a_pair_file(pairs, tmp_path):
    for pair in pairs:
        path = tmp_path / "pair.py"
        path.write_text(write(pair))
        assert len(pair_file.check(str(path))) == 64
        assert all(line == line.rstrip() for line in write(pair).splitlines())


def test_every_kind_is_drawn(pairs):
    counts = Counter(layer.kind for pair in pairs for layer in pair.layers)
    assert counts.keys() == KINDS.keys()
    assert {pair.optimizer for pair in pairs} == set(OPTIMIZERS)
    assert {pair.rows.name for pair in pairs} == {rows.name for rows in ROWS}
    settings = {(pair.setting.backend, pair.setting.precision) for pair in pairs}
    assert settings == {("tensorflow", "float32"), ("tensorflow", "float64"), ("jax", "float32")}
    assert {pair.is_named for pair in pairs} == {pair.is_sequential for pair in pairs} == {True, False}
    assert any("torch.optim.SGD" in pair.torch_optimizer for pair in pairs)
    assert {pair.clip for pair in pairs} == {0.0, 0.0625}


def test_sparse_gradients_are_left_to_sgd_on_tensorflow(pairs):
    sparse = [pair for pair in pairs if pair.rows.words and pair.setting.backend == "tensorflow"]
    assert sparse and all(pair.optimizer.kind == "KerasSGD" and not pair.clip for pair in sparse)


def test_the_last_batch_is_half_of_one(pairs):
    for pair in pairs:
        assert pair.count % pair.batch_size == pair.batch_size - pair.batch_size // 2
        assert pair.count + 50 <= pair.rows.most


def test_both_sides_have_the_same_weights_and_outputs(files):
    ended = run_python("-c", KERAS, *files, env={"KERAS_BACKEND": "tensorflow"})
    assert ended.status == 0, ended.err
    for path, (trained, shape, losses) in zip(files, json.loads(ended.out.splitlines()[-1]), strict=True):
        file = pair_file.PairFile(path)
        module, loaders = file.call("lightning_module"), file.call("lightning_data")
        x, y = next(iter(loaders[0]))
        assert sum(value.numel() for value in module.parameters() if value.requires_grad) == trained, path
        assert list(module(x).shape[1:]) == shape, path
        assert torch.isfinite(module.training_step((x, y), 0)), path
        assert len(penalties(draw_pair(int(Path(path).stem.removeprefix("pair"))))) == losses


def test_a_clip_stands_on_both_sides(pairs):
    clipped = next(pair for pair in pairs if pair.clip)
    text = write(clipped)
    assert "clipvalue=0.0625" in text and '"gradient_clip_val": 0.0625, "gradient_clip_algorithm": "value"' in text
