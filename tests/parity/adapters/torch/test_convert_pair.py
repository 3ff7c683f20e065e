"""Checkpoints of a pair file's module: every tensor comes back to the bit, runs go on, and what is refused."""

import copy
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
from sample_records import make_facts

from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.adapters.torch import convert_pair
from parity.adapters.torch.user import UserCandidate
from parity.conversion.judge import judge
from parity.pair import Pair, Settings
from parity.protocol import targets
from parity.protocol.answer import open_pair
from parity.protocol.inputs import Case, Plan
from parity.protocol.records import Answer, Cases, Contents
from parity.protocol.task import CheckpointTask, Task, write_record
from parity.protocol.tensors import Tensor

DRAW = np.random.default_rng(0)
X, Y = DRAW.standard_normal((40, 4)).astype(np.float32), DRAW.standard_normal((40, 2)).astype(np.float32)
NORM = [("gamma", True), ("beta", True), ("moving_mean", False), ("moving_variance", False)]
TABLE = [
    Tensor("dense/kernel", "Dense", "kernel", (4, 3)), Tensor("dense/bias", "Dense", "bias", (3,)),
    *(Tensor(f"norm/{role}", "BatchNormalization", role, (3,), trained) for role, trained in NORM),
    Tensor("dense_1/kernel", "Dense", "kernel", (3, 2)), Tensor("dense_1/bias", "Dense", "bias", (2,)),
]  # fmt: skip
WEIGHTS = {tensor.path: DRAW.uniform(0.1, 1, tensor.shape).astype(np.float32) for tensor in TABLE}
PAIR = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from keras_like.adaptive import KerasAdagrad, KerasNadam
from keras_like.more_optimizers import KerasAdadelta, KerasAdamax, KerasLion
from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD

keras_model = keras_data = lambda: None


def network():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, eps=0.001), nn.Linear(3, 2))


def lightning_module():
    import lightning

    class Port(lightning.LightningModule):
        def __init__(self, rate=0.02, how=None):
            super().__init__()
            self.save_hyperparameters()
            self.net = network()

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, batch_idx):
            loss = (self(batch[0]) - batch[1]).square().mean()
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            p, rate = list(self.parameters()), self.hparams.rate
            return OPTIMIZER

    return Port(MADE_WITH)


def lightning_data():
    x, y = (torch.from_numpy(np.load(f"{FOLDER}/{name}.npy")) for name in ("x_train", "y_train"))
    return DataLoader(TensorDataset(x, y), batch_size=8), DataLoader(TensorDataset(x, y), batch_size=8)
"""


def predicted(weights, x):
    """What Keras would predict, in numpy."""
    hidden = x @ weights["dense/kernel"] + weights["dense/bias"] - weights["norm/moving_mean"]
    hidden = hidden / np.sqrt(weights["norm/moving_variance"] + 1e-3) * weights["norm/gamma"] + weights["norm/beta"]
    return hidden @ weights["dense_1/kernel"] + weights["dense_1/bias"]


@pytest.fixture
def side(tmp_path):
    """Opens a pair whose module has an optimizer; returns a candidate that reads or writes a file."""
    for name, array in {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}.items():
        np.save(tmp_path / f"{name}.npy", array)
    case = Case(WEIGHTS, X[:32], Y[:32])
    answers = {"the start": Answer(predicted(WEIGHTS, case.images), np.empty(0), {})}
    write_record(tmp_path, "cases", Cases(cases={"the start": case}, answers=answers))

    def opened(path, optimizer="KerasAdam(p, rate)", contents=None, text=PAIR, made_with="", **options):
        settings = Settings("own_pair", "0" * 64, TrainingSpec(batch_size=8))
        write_record(tmp_path, "facts", make_facts(experiment=settings, plan=Plan(1, 40), tensors=TABLE, start=WEIGHTS))
        if contents:
            write_record(tmp_path, "read", contents)
        file = tmp_path / "own_pair.py"
        text = text.replace("OPTIMIZER", optimizer).replace("MADE_WITH", made_with)
        file.write_text(f"FOLDER = {str(tmp_path)!r}\n{text}")
        checkpoint = CheckpointTask(str(path), str(tmp_path / "read.npz") if contents else None, **options)
        pair = Pair(settings, file=str(file))
        targets.load_source.cache_clear()
        task = Task((), str(tmp_path), pair, reference_dir=str(tmp_path), checkpoint=checkpoint)
        return open_pair(task, UserCandidate)

    threads = torch.get_num_threads()
    yield opened
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)


def make_contents(kind, *slots, **changes) -> Contents:
    """What Keras might have read: weights and moments after 15 updates, three epochs."""
    moments = {
        slot: {t.path: DRAW.uniform(0.1, 1, t.shape).astype(np.float32) for t in TABLE if t.trained} for slot in slots
    }
    contents = Contents(
        experiment={"pair_file": {}}, run=None, tensors=TABLE, weights=WEIGHTS, source="a.keras", moments=moments,
        step=15, optimizer=kind, learning_rate=float(np.float32(0.02)), inputs={"rows": X},
        probabilities={"rows": predicted(WEIGHTS, X)}, variants=[],
    )  # fmt: skip
    return replace(contents, **changes)


BOTH = ("momentum", "velocity")
ADAM = ("Adam", *BOTH)
OPTIMIZERS = {
    "KerasAdam(p, rate)": ADAM,
    "KerasAdam(p, rate, weight_decay=0.004)": ADAM,
    "KerasSGD(p, rate, 0.9)": ("SGD", "momentum"),
    "KerasRMSprop(p, rate)": ("RMSprop", "velocity"),
    "KerasNadam(p, rate)": ("Nadam", *BOTH),
    "KerasAdagrad(p, rate)": ("Adagrad", "accumulator"),
    "KerasAdamax(p, rate)": ("Adamax", "momentum", "norm"),
    "KerasLion(p, rate)": ("Lion", "momentum"),
    "torch.optim.AdamW(p, rate)": ADAM,
    "torch.optim.SGD(p, rate, 0.9)": ("SGD", "momentum"),
    "torch.optim.SGD(p, rate)": ("SGD",),
    "torch.optim.RMSprop(p, rate, momentum=0.9)": ("RMSprop", *BOTH),
    "torch.optim.NAdam(p, rate)": ("Nadam", *BOTH),
    "torch.optim.Adagrad(p, rate)": ("Adagrad", "accumulator"),
    "torch.optim.Adamax(p, rate)": ("Adamax", "momentum", "norm"),
    "torch.optim.Adadelta(p, rate)": ("Adadelta", "accumulator", "delta"),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_written_is_read_again_to_the_bit(optimizer, side, tmp_path):
    source = make_contents(*OPTIMIZERS[optimizer])
    candidate = side(tmp_path / "a.ckpt", optimizer, source)
    target = convert_pair.write(candidate)
    assert target.weights_only is None, target.weights_only
    checks = judge(source, target)
    assert [check.status for check in checks] == ["pass"] * 4, checks
    is_rounded = optimizer.startswith("torch") and "0.9)" in optimizer
    assert ("2 units in the last place" in checks[1].name) == is_rounded
    assert checks[1].detail == f"{(len(OPTIMIZERS[optimizer]) - 1) * 6} arrays"
    module = type(candidate.build()).load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, map_location="cpu")
    assert np.array_equal(module.net[1].running_var.numpy(), WEIGHTS["norm/moving_variance"])
    plain = candidate.build()
    plain.load_state_dict(torch.load(tmp_path / "a.ckpt", weights_only=True)["state_dict"])


class Watch(lightning.Callback):
    """Keeps what a run that goes on finds."""

    def on_train_epoch_start(self, trainer, pl_module):
        """Keeps it."""
        (optimizer,) = trainer.optimizers
        self.found = trainer.current_epoch, trainer.global_step, optimizer.param_groups[0]["lr"]
        state = optimizer.state[pl_module.net[0].bias]
        self.state = {name: copy.deepcopy(value) for name, value in state.items()}
        trainer.should_stop = True


def go_on(candidate, path, epochs=5):
    """Goes on with a checkpoint by the user's own Trainer; returns what it found."""
    watch = Watch()
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=[watch], enable_checkpointing=False, **options
    )
    loader = candidate.file.call("lightning_data")[0]
    trainer.fit(candidate.build(), loader, ckpt_path=path, weights_only=True)
    return watch


def test_a_trainer_goes_on_where_keras_stopped(side, tmp_path):
    source = make_contents(*ADAM, learning_rate=0.005)  # a callback of Keras's has lowered it
    candidate = side(tmp_path / "a.ckpt", contents=source)
    convert_pair.write(candidate)
    watch = go_on(candidate, tmp_path / "a.ckpt")
    assert watch.found == (3, 15, 0.005) and watch.state["step"] == 15
    assert np.array_equal(watch.state["velocity"].numpy(), source.moments["velocity"]["dense/bias"])


@pytest.mark.parametrize(
    ("optimizer", "source"),
    [("KerasAdam(p, rate)", ADAM), ("torch.optim.SGD(p, rate, 0.9)", ("SGD", "momentum"))],
)
def test_a_scheduler_is_where_it_would_be(optimizer, source, side, tmp_path):
    step = f"[(o := {optimizer})], [torch.optim.lr_scheduler.StepLR(o, 1, 0.5)]"
    source = make_contents(*source)
    candidate = side(tmp_path / "a.ckpt", step, source)
    assert all(check.status == "pass" for check in judge(source, convert_pair.write(candidate)))
    watch = go_on(candidate, tmp_path / "a.ckpt")
    assert watch.found == (3, 15, 0.02 / 8)


def test_weights_alone_cross_where_the_moments_cannot(side, tmp_path):
    for number, (optimizer, source, words) in enumerate([
        ("KerasSGD(p, rate)", make_contents(*ADAM), "in a.keras is Adam, the module's KerasSGD is SGD"),
        ("KerasAdam(p[:2], rate)", make_contents(*ADAM), "does not train the same tensors"),
        ("torch.optim.Adam(p, rate, amsgrad=True)", make_contents(*ADAM), "Adam, as it is set, keeps"),
        ("KerasAdam(p, rate)", make_contents(*ADAM, weights_only="a reason"), "a reason"),
    ]):  # fmt: skip
        path = tmp_path / f"{number}.ckpt"
        candidate = side(path, optimizer, source)
        target = convert_pair.write(candidate)
        assert words in target.weights_only and not target.moments
        assert all(check.status == "pass" for check in judge(source, target))
        held = torch.load(path, weights_only=True)
        assert held["converted"]["weights_only"] == target.weights_only
        assert held.keys().isdisjoint({"optimizer_states", "loops"}) and held["epoch"] == held["global_step"] == 0
        assert type(candidate.build()).load_from_checkpoint(path, weights_only=True, map_location="cpu")


def test_hyperparameters_that_need_pickle_are_left_out_and_told(side, tmp_path, capsys):
    candidate = side(tmp_path / "a.ckpt", contents=make_contents(*ADAM), made_with="0.02, TensorDataset")
    convert_pair.write(candidate)
    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["hyper_parameters"] == {"rate": 0.02}
    assert "hyper_parameters hold how, which loading without pickle refuses: left out" in capsys.readouterr().out


PLAIN = PAIR.replace("def lightning_module", "def other")
TRAINED = f"{PLAIN}\nlightning_module = lambda: (network(), nn.MSELoss(), lambda p: KerasAdam(p))\n"
ALONE = f"{PLAIN}\nlightning_module = network\n"


@pytest.mark.parametrize(("text", "why"), [(TRAINED, None), (ALONE, "a plain nn.Module, which has no optimizer")])
def test_a_plain_modules_state_is_its_own(text, why, side, tmp_path):
    source = make_contents(*ADAM)
    candidate = side(tmp_path / "a.ckpt", contents=source, text=text)
    target = convert_pair.write(candidate)
    assert all(check.status == "pass" for check in judge(source, target))
    assert target.weights_only is None if why is None else why in target.weights_only
    held = torch.load(tmp_path / "a.ckpt", weights_only=True)
    network = candidate.file.module.network()
    network.load_state_dict(held["state_dict"])
    assert network[1].num_batches_tracked == 15
    assert ("optimizer_states" in held) == (why is None)


def test_a_checkpoint_of_a_users_own_training_is_read(side, tmp_path):
    """Trained and saved by Lightning alone; Keras's form of what it holds is what the module itself says."""
    candidate = side(tmp_path / "a.ckpt", "torch.optim.SGD(p, rate, 0.9)")
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, log_every_n_steps=1,
    )  # fmt: skip
    module = candidate.build()
    trainer.fit(module, candidate.file.call("lightning_data")[0])
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    source = convert_pair.read(candidate)
    assert (source.weights_only, source.step, source.optimizer, source.learning_rate) == (None, 10, "SGD", 0.02)
    buffer = trainer.optimizers[0].state[module.net[0].weight]["momentum_buffer"]
    assert np.array_equal(source.moments["momentum"]["dense/kernel"], (buffer * -0.02).T.numpy())
    assert np.array_equal(source.weights["norm/moving_mean"], module.net[1].running_mean.numpy())
    assert np.allclose(source.probabilities["validation rows"], predicted(source.weights, X), atol=1e-5)
    assert len(source.variants) == 9
    alone = side(tmp_path / "a.ckpt", "torch.optim.SGD(p, rate, 0.9)", weights_only=True)
    assert convert_pair.read(alone).weights_only == "asked for by --weights-only"
    torch.save(module.state_dict(), tmp_path / "b.ckpt")  # and a state dict alone
    assert "no state of an optimizer" in convert_pair.read(side(tmp_path / "b.ckpt")).weights_only
    other = convert_pair.read(side(tmp_path / "a.ckpt", "KerasSGD(p, rate, 0.9)"))
    assert "keeps other moments than the module's KerasSGD (momentum, momentum_buffer)" in other.weights_only


def broken(state, name):
    """Returns a checkpoint's state with one thing wrong."""
    weights = state["state_dict"]
    changes = {
        "missing": lambda: weights.pop("net.0.bias"),
        "extra": lambda: weights.update(more=torch.zeros(2)),
        "shape": lambda: weights.update({"net.0.bias": torch.zeros(7)}),
        "nan": lambda: weights.update({"net.1.running_var": torch.full((3,), torch.nan)}),
        "nan moments": lambda: state["optimizer_states"][0]["state"][0]["velocity"].fill_(torch.nan),
        "precision": lambda: weights.update({n: v.double() for n, v in weights.items() if v.is_floating_point()}),
        "version": lambda: state["converted"].update(format=99),
        "pair": lambda: state["converted"].update(tensors=["Dense's kernel (4, 3)"]),
        "no weights": lambda: state.update(state_dict={"a": 3}),
        "pickle": lambda: state.update(code=Watch()),
    }
    changes[name]()
    return state


REFUSED = {
    "missing": r"does not fit lightning_module\(\) of own_pair.py: missing: net.0.bias \(3,\)",
    "extra": r"extra: more \(2,\)",
    "shape": r"of another shape: net.0.bias is \(7,\), not \(3,\)",
    "nan": r"holds what is not a number \(NaN or infinite\): norm/moving_variance",
    "nan moments": r"holds what is not a number \(NaN or infinite\): velocity of dense/kernel",
    "precision": "holds float64 weights .* add --precision float64",
    "version": "was converted by another version",
    "pair": "was converted for another pair, own_pair.py",
    "no weights": "is not a checkpoint: it has no state_dict",
    "pickle": "is damaged or not a checkpoint",
}


def test_files_that_do_not_fit_are_refused(side, tmp_path):
    convert_pair.write(side(tmp_path / "a.ckpt", contents=make_contents(*ADAM)))
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    candidate = side(tmp_path / "text.ckpt")
    with pytest.raises(UserError, match=r"text.ckpt is damaged or not a checkpoint"):
        convert_pair.read(candidate)
    for name, words in REFUSED.items():
        torch.save(broken(torch.load(tmp_path / "a.ckpt", weights_only=True), name), tmp_path / "b.ckpt")
        candidate.task = replace(candidate.task, checkpoint=CheckpointTask(str(tmp_path / "b.ckpt")))
        with pytest.raises(UserError, match=words) as caught:
            convert_pair.read(candidate)
        assert "b.ckpt" in str(caught.value), name
