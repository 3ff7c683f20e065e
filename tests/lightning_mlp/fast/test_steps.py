"""The fast path: the same training as on the default path, whatever the optimizer, the precision or the block."""

from copy import deepcopy

import lightning
import numpy as np
import pytest
import torch
from conftest import run_python
from lightning.pytorch.callbacks import Checkpoint
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lightning_mlp import train
from lightning_mlp.data import Block, MNISTDataModule
from lightning_mlp.fast import steps
from lightning_mlp.fast.steps import many_steps
from lightning_mlp.history import History
from lightning_mlp.model import ACTIVATIONS, LitMLP
from mlp_spec import optimizers
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec

BATCHES = 13  # the last one smaller
SAMPLES = 12 * 16 + 7


class Counter(lightning.Callback):
    """Counts batch hooks and keeps what `training_step` returned."""

    def __init__(self):
        self.starts, self.ends, self.losses = 0, 0, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.starts += 1

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.ends += 1
        self.losses += outputs["loss"].detach().reshape(-1).tolist()


class StepCounter(Counter):
    """Also counts the hook in the middle of a step."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.steps += 1
        assert all(value.grad is not None for value in pl_module.parameters())


class Keep(Checkpoint):
    """Saves after every epoch."""

    def __init__(self, path):
        self.path = path

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.save_checkpoint(self.path)


def experiment(optimizer="sgd", activation="sigmoid", precision="float32", epochs=2, **numbers):
    model = ModelSpec(hidden_sizes=(12, 6), activation=activation)
    optimizer = optimizers.make(optimizer, **numbers)
    return Experiment(model, TrainingSpec(optimizer=optimizer, batch_size=16, epochs=epochs, precision=precision))


def trained(experiment, block=None, compiled=False, module=None, callback=Counter, resume=None, keep=None):
    """Trains; returns the module, its Trainer, its history and the counting callback."""
    data = MNISTDataModule("mnist-sample", batch_size=16, order=order, steps_per_execution=block)
    torch.manual_seed(0)
    module = module or LitMLP
    fast = train.fast_module(compiled, module) if block else module
    model = train.build(experiment, fast)
    history, counter = History(), callback()
    trainer = train.make_trainer(experiment, "cpu", [history, counter, *([Keep(keep)] if keep else [])])
    trainer.fit(model, data, ckpt_path=resume, weights_only=True if resume else None)
    return model, trainer, history.history, counter


def order(epoch):
    return np.random.default_rng(epoch).permutation(4000)[:SAMPLES]


def assert_equal(ours, theirs, **limits):
    for (name, value), actual in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(actual, value, **{"rtol": 0, "atol": 0, **limits}, msg=name)


KINDS = {
    "sgd": {"optimizer": "sgd", "activation": "relu"},
    "nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "activation": "tanh"},
    "adam": {"optimizer": "adam", "activation": "tanh"},
    "adamw": {"optimizer": "adamw"},
    "rmsprop": {"optimizer": "rmsprop", "momentum": 0.5},
    "torch-adam": {"optimizer": "torch-adam"},
    "float64": {"optimizer": "adam", "precision": "float64"},
}


def test_every_optimizer_and_activation_is_tried():
    assert {kind["optimizer"] for kind in KINDS.values()} == set(optimizers.OPTIMIZERS)
    assert {kind.get("activation", "sigmoid") for kind in KINDS.values()} == set(ACTIVATIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_many_steps_are_the_default_path_to_the_bit(kind):
    settings = experiment(**KINDS[kind])
    plain, _, curves, plain_counter = trained(settings)
    for block in (1, 5, 100):
        many, trainer, same, counter = trained(settings, block)
        assert_equal(plain, many)
        assert same == curves and counter.losses == plain_counter.losses
        assert trainer.global_step == 2 * BATCHES
        assert counter.starts == counter.ends == 2 * -(-BATCHES // block)


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_steps_are_the_default_path_to_rounding(kind):
    settings = experiment(**KINDS[kind])
    plain, _, curves, plain_counter = trained(settings)
    many, trainer, same, counter = trained(settings, 8, compiled=True)
    assert many.why_not is None and many.compile_seconds > 0
    assert len(many.whole_step.example) == 4
    rounding = 1e-13 if kind == "float64" else 5e-6
    assert_equal(plain, many, atol=rounding)
    np.testing.assert_allclose(counter.losses, plain_counter.losses, atol=rounding)
    assert trainer.global_step == 2 * BATCHES and len(counter.losses) == 2 * BATCHES
    assert same["acc"] == curves["acc"] and same["val_acc"] == curves["val_acc"]
    np.testing.assert_allclose(same["val_loss"], curves["val_loss"], atol=rounding)
    for ours, theirs in zip(trainer.optimizers[0].state.values(), many.optimizers().state.values(), strict=True):
        assert ours.get("step", 0) == theirs.get("step", 0)


class Recorded(TorchDispatchMode):
    """What a CUDA graph does, on the CPU: runs the same operations on the same tensors again, and nothing of Python."""

    def __init__(self, function):
        super().__init__()
        self.operations = []
        for _ in range(3):
            function()
        with self:
            self.result = function()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten._local_scalar_dense.default, "a number was read while capturing"
        out = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, out))
        return out

    @torch.no_grad()
    def replay(self):
        for func, args, kwargs, out in self.operations:
            for new, old in zip(tree_leaves(func(*args, **kwargs)), tree_leaves(out), strict=True):
                if new is not old and new.data_ptr() != old.data_ptr():  # neither in place nor a view
                    old.copy_(new)


class Reload(Counter):
    """Replaces the moments in the middle of an epoch, as loading a state does."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        (optimizer,) = trainer.optimizers
        optimizer.load_state_dict(deepcopy(optimizer.state_dict()))


@pytest.mark.parametrize("callback", [Counter, Reload])
@pytest.mark.parametrize("kind", KINDS)
def test_captured_steps_are_the_default_path_to_rounding(kind, callback, monkeypatch):
    """The logic around a capture, without a GPU; `test_gpu.py` captures CUDA graphs."""
    graphs, whole_step = [], steps.WholeStep

    def capture(function):
        graphs.append(Recorded(function))
        return graphs[-1], graphs[-1].result

    monkeypatch.setattr(steps, "cuda_graph", capture)
    monkeypatch.setattr(
        steps, "WholeStep", lambda *arguments: whole_step(*arguments[:3], compiled=False, captured=True)
    )
    settings = experiment(**KINDS[kind])
    plain, _, curves, plain_counter = trained(settings)
    many, trainer, same, counter = trained(settings, 4, compiled=True, callback=callback)
    assert many.why_not is None and many.whole_step.graph is graphs[-1]
    assert (len(graphs) > 1) == (callback is Reload and kind != "sgd")  # plain SGD has no moments
    rounding = 1e-13 if kind == "float64" else 5e-6
    assert_equal(plain, many, atol=rounding)
    np.testing.assert_allclose(counter.losses, plain_counter.losses, atol=rounding)
    assert same["acc"] == curves["acc"] and same["val_acc"] == curves["val_acc"]
    np.testing.assert_allclose(same["loss"], curves["loss"], atol=rounding)
    assert trainer.global_step == 2 * BATCHES


def test_more_modules_than_torch_keeps_of_one_function_are_compiled():
    limit = torch._dynamo.config.recompile_limit
    for _ in range(limit + 2):
        many, *_ = trained(experiment(epochs=1), 1, compiled=True)
        assert many.why_not is None


def test_compiled_adam_counts_its_steps_where_the_optimizer_does():
    _, trainer, _, _ = trained(experiment("adam"), 8, compiled=True)
    assert {state["step"] for state in trainer.optimizers[0].state.values()} == {2 * BATCHES}


def test_the_hook_before_each_optimizer_step_is_called_for_each():
    _, trainer, _, counter = trained(experiment(), 5, callback=StepCounter)
    assert counter.steps == trainer.global_step == 2 * BATCHES


def test_a_hook_in_the_middle_of_a_step_is_honoured_by_not_compiling():
    plain, *_ = trained(experiment())
    many, _, _, counter = trained(experiment(), 5, compiled=True, callback=StepCounter)
    assert many.why_not == "StepCounter overrides on_before_optimizer_step, which a whole step cannot call"
    assert many.compile_seconds is None and counter.steps == 2 * BATCHES
    assert_equal(plain, many)


class Clipped(LitMLP):
    def on_after_backward(self):
        torch.nn.utils.clip_grad_norm_(self.parameters(), 0.01)


class Foreign(LitMLP):
    def configure_optimizers(self):
        return torch.optim.Adagrad(self.parameters())


class Unlucky(LitMLP):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return loss if loss.item() >= 0 else None  # a number read in the middle of a step


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (Clipped, "FastClipped overrides on_after_backward"),
        (Foreign, "the update of Adagrad is not known"),
        (Unlucky, "data-dependent"),
    ],
)
def test_what_cannot_be_compiled_says_so_and_trains_the_same(module, why):
    plain, *_ = trained(experiment(), module=module)
    many, *_ = trained(experiment(), 5, compiled=True, module=module)
    assert why in many.why_not
    assert_equal(plain, many)


def test_compiled_steps_that_lose_what_plain_ones_change_are_not_used(monkeypatch):
    class Draws(LitMLP):
        """Draws in every step, so that a trial must leave the generator as it was."""

        def forward(self, images):
            return super().forward(torch.nn.functional.dropout(images, 0.2, self.training))

    monkeypatch.setattr(steps, "compile_whole", lambda step: lambda *given: torch.zeros(len(given[1])))
    plain, *_ = trained(experiment(), module=Draws)
    many, *_ = trained(experiment(), 5, compiled=True, module=Draws)
    assert "LostChangesError: compiled by torch" in many.why_not and "tensors as they are" in many.why_not
    assert many.whole_step is None
    assert_equal(plain, many)


@pytest.mark.parametrize("failing", [(True,), (True, False)])
def test_on_a_gpu_steps_are_captured_where_they_cannot_be_compiled(failing):
    class Tried(many_steps(LitMLP)):
        compile_steps, device, tries = True, torch.device("cuda"), []
        obstacle = check_possible = lambda self: None

        def try_whole_step(self, compiled, captured):
            self.tries.append((compiled, captured))
            if compiled in failing:
                return f"compiled {compiled}"
            self.whole_step = "captured"

    model = Tried()
    model.tries.clear()
    model.on_train_start()
    assert model.tries == [(True, True), (False, True)] and model.why_not == "compiled True"
    assert (model.whole_step is None) == (False in failing)


def test_sums_of_torchmetrics_are_not_tried_with():
    class Sums(torch.nn.Module):
        __module__ = "torchmetrics.metric"

    class WithMetric(LitMLP):
        def __init__(self, **options):
            super().__init__(**options)
            self.seen = Sums()

    model, *_ = trained(experiment(epochs=1), 5, compiled=True, module=WithMetric)
    assert model.why_not.startswith("seen is a Metric of torchmetrics") and model.whole_step is None


@pytest.mark.parametrize(("first", "then"), [(None, 5), (5, None), (5, 100)])
def test_a_checkpoint_of_either_path_is_resumed_on_the_other(tmp_path, first, then):
    whole, trainer, curves, _ = trained(experiment("adam", epochs=3))
    trained(experiment("adam", epochs=2), first, keep=tmp_path / "two.ckpt")
    resumed, again, same, _ = trained(experiment("adam", epochs=3), then, resume=tmp_path / "two.ckpt")
    assert again.global_step == trainer.global_step == 3 * BATCHES
    assert_equal(whole, resumed)
    assert same == curves


def test_a_loader_without_blocks_runs_its_batches_one_by_one():
    torch.manual_seed(0)
    model = train.build(experiment(epochs=1), train.fast_module(True))
    batches = [(torch.rand(8, 784), torch.arange(8)) for _ in range(3)]
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer = train.make_trainer(experiment(epochs=1), "cpu", [])
    trainer.fit(model, loader, loader)
    assert trainer.global_step == 3
    assert model.why_not == "the data module does not hold its data in tensors"


def test_two_optimizers_are_refused():
    class Two(LitMLP):
        def configure_optimizers(self):
            return [
                torch.optim.SGD(self.layers[0].parameters(), 0.1),
                torch.optim.SGD(self.layers[2].parameters(), 0.1),
            ]

    with pytest.raises(TypeError, match="one optimizer"):
        trained(experiment(), 5, module=Two)


def test_only_a_class_of_a_lightning_module_can_run_many_steps():
    with pytest.raises(TypeError, match="LightningModule class"):
        steps.many_steps(lambda: None)


@pytest.mark.parametrize(("block", "lengths"), [(1, [1] * 13), (5, [5, 5, 3]), (13, [13]), (100, [13])])
def test_blocks_hold_every_batch_of_an_epoch_once(block, lengths):
    data = MNISTDataModule("mnist-sample", batch_size=16, order=order, steps_per_execution=block)
    data.setup()
    blocks = list(data.train_dataloader())
    assert all(isinstance(one, Block) for one in blocks)
    assert [len(list(one)) for one in blocks] == lengths and len(data.train_dataloader()) == len(lengths)
    plain = MNISTDataModule("mnist-sample", batch_size=16, order=order)
    plain.setup()
    for (images, labels), (theirs, names) in zip(
        plain.train_dataloader(), (b for one in blocks for b in one), strict=True
    ):
        assert torch.equal(images, theirs) and torch.equal(labels, names)


def test_lightnings_wrapper_still_counts_steps_by_these_two_names():
    """`WholeStep.run` calls them; what they are is Lightning's own affair."""
    from lightning.pytorch.core.optimizer import LightningOptimizer

    wrapper = LightningOptimizer(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1))
    assert callable(wrapper._on_before_step) and callable(wrapper._on_after_step)


COMMAND = ["-m", "lightning_mlp.train", "--dataset", "mnist-sample", "--epochs", "1", "--accelerator", "cpu"]


def test_without_a_compiler_it_says_so_and_trains(tmp_path):
    surroundings = {"CXX": "/nowhere/g++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    ended = run_python(*COMMAND, "--compile", "--output-dir", tmp_path / "run", env=surroundings)
    assert ended.status == 0, ended
    assert "note: steps are not compiled, but run one by one: no C++ compiler was found" in ended.out
    assert "Epoch 1/1" in ended.out


@pytest.mark.parametrize("steps", ["3", "1000000"])
def test_steps_that_do_not_divide_an_epoch_or_are_more_lose_nothing(tmp_path, steps):
    for name, more in (("one", []), ("many", ["--steps-per-execution", steps])):
        assert run_python(*COMMAND, *more, "--output-dir", tmp_path / name).status == 0
    one, many = ((tmp_path / name / "history.json").read_text() for name in ("one", "many"))
    assert one == many


def test_steps_of_zero_are_refused(tmp_path):
    for module in ("lightning_mlp", "keras_reference"):
        arguments = ["-m", f"{module}.train", "--steps-per-execution", "0", "--output-dir", tmp_path / "run"]
        ended = run_python(*arguments)
        assert ended.status == 2 and "--steps-per-execution is 0; it must be a whole number from 1" in ended.err
        assert not (tmp_path / "run").exists()


def test_keras_on_torch_says_that_it_runs_one_step_at_a_time(tmp_path):
    arguments = ["-m", "keras_reference.train", "--dataset", "mnist-sample", "--steps-per-execution", "10"]
    ended = run_python(*arguments, "--output-dir", tmp_path / "run", env={"KERAS_BACKEND": "torch"})
    assert ended.status == 2 and "Keras on torch runs one at a time" in ended.err and not (tmp_path / "run").exists()
