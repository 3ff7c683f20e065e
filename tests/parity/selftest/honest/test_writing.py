"""Honest pairs as files: the same for the same seed, pair files, and both sides have the same weights."""

import json
from pathlib import Path

import pytest
import torch
from conftest import run_python

from parity.protocol import pair_file
from parity.selftest.honest.layers import CALL
from parity.selftest.honest.pairs import draw_pair
from parity.selftest.honest.writing import penalties, write

SEEDS = range(300)
BUILT = range(40)
# of each pair file: the number of trained values, the shapes of its predictions, the number of penalties
KERAS = """
import json, sys
from parity.protocol.pair_file import PairFile
sides = []
for path in sys.argv[1:]:
    model = PairFile(path).call("keras_model")
    trained = sum(int(value.numpy().size) for value in model.trainable_variables)
    sides.append([trained, [list(one.shape[1:]) for one in model.outputs], len(model.losses)])
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


def test_both_sides_have_the_same_weights_and_outputs(files):
    ended = run_python("-c", KERAS, *files, env={"KERAS_BACKEND": "tensorflow"})
    assert ended.status == 0, ended.err
    for path, (trained, shapes, losses) in zip(files, json.loads(ended.out.splitlines()[-1]), strict=True):
        file, pair = pair_file.PairFile(path), draw_pair(int(Path(path).stem.removeprefix("pair")))
        module, loaders = file.call("lightning_module"), file.call("lightning_data")
        batch = next(iter(loaders[0]))
        outputs = module(*batch[: 1 + pair.has_input])
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        ordered = outputs[::-1] if pair.second and pair.second.is_first else outputs
        assert sum(value.numel() for value in module.parameters() if value.requires_grad) == trained, path
        assert [list(one.shape[1:]) for one in ordered] == shapes, path
        assert torch.isfinite(module.training_step(batch, 0)), path
        assert len(penalties(pair)) == losses
        assert module.configure_optimizers()
        if pair.training.trainer:
            assert file.call("lightning_trainer")["callbacks"]


def test_a_clip_stands_on_both_sides(pairs):
    clipped = next(pair for pair in pairs if pair.clip)
    text = write(clipped)
    assert "clipvalue=0.0625" in text and '"gradient_clip_val": 0.0625, "gradient_clip_algorithm": "value"' in text


def test_accumulated_gradients_stand_on_both_sides(pairs):
    accumulated = [pair for pair in pairs if pair.training.accumulated > 1]
    for pair in accumulated:
        text, every = write(pair), pair.training.accumulated
        assert f"gradient_accumulation_steps={every}" in text and f'"accumulate_grad_batches": {every}' in text
    assert accumulated


def test_weights_of_a_layers_own_are_named_for_both_sides(pairs):
    named = [pair for pair in pairs if any(layer.weights for layer in pair.layers)]
    for pair in named:
        (line,) = [line for line in write(pair).splitlines() if line.startswith("WEIGHTS = ")]
        for path in eval(line.removeprefix("WEIGHTS = ")):
            assert f"name='{path.partition('/')[0]}'" in write(pair)
    assert len(named) > 5


def test_what_is_not_a_chain_is_no_sequential_model(pairs):
    chains = [pair for pair in pairs if "keras.Sequential" in write(pair)]
    assert chains and all(layer.call == CALL for pair in chains for layer in pair.layers)
    assert not any(pair.second or pair.has_input for pair in chains)
