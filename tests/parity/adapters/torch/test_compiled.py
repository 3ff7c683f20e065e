"""A module's steps are compiled and counted; where they are not, or are no longer, that is said."""

import lightning
import lightning.pytorch
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from lightning_mlp.train import quieten
from parity.adapters.torch.compiled import CompiledSteps, Compiler, uncompile

# torch's compiler looks at it, and hides what is then said by means that do not work where warnings are errors
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")

STEPS = 20


class Line(lightning.LightningModule):
    """One weight, and what a step does to be compiled anew."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen = nn.Parameter(torch.ones(3)), []

    def forward(self, x):
        return (x * self.weight).sum()

    def training_step(self, batch, batch_idx):
        loss = self(batch)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.125)


class Growing(Line):
    """Its list is longer at every step, and so the code is compiled for every step."""

    def training_step(self, batch, batch_idx):
        self.seen.append(len(self.seen))
        return (batch * self.weight).sum() + len(self.seen)


class Frozen(Line):
    """Its step cannot be seen into."""

    @torch.compiler.disable
    def training_step(self, batch, batch_idx):
        return (batch * self.weight).sum()


@pytest.fixture
def eager(monkeypatch):
    """Has graphs run as they are, which takes no compiler."""
    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", lambda graph, inputs: graph.forward)


@pytest.fixture(autouse=True)
def fresh():
    """Forgets what was compiled."""
    quieten()
    yield
    torch.compiler.reset()


def train(module, *callbacks):
    """Trains a module for some steps."""
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, callbacks=list(callbacks), logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(module, DataLoader(torch.eye(3).repeat(STEPS, 1)[:STEPS], batch_size=None))


def train_counted(module, compiler):
    """Compiles a module and trains it; returns the path that it trained on."""
    steps = CompiledSteps(compiler)
    train(compiler.compile(module, lightning.pytorch), steps)
    return steps.path()


def test_compiled_steps_train_alike_and_are_counted(eager):
    compiler, module, plain = Compiler(True), Line(), Line()
    assert train_counted(module, compiler) == {"compiled": True, "why_not": None}
    assert compiler.calls == STEPS
    assert train_counted(plain, Compiler(False)) == {"compiled": False, "why_not": None}
    assert torch.equal(module.weight, plain.weight)


def test_torch_really_compiles():
    from torch._dynamo.utils import counters

    counters.clear()
    module = Compiler(True).compile(Line(), lightning.pytorch)
    assert module(torch.ones(3)) == 3
    assert counters["aot_autograd"]["ok"] == 1 and counters["stats"]["unique_graphs"] == 1


def test_steps_that_torch_no_longer_compiles_are_told(eager):
    path = train_counted(Growing(), Compiler(True))
    assert not path["compiled"]
    assert path["why_not"] == f"torch.compile gave up: {STEPS - 8} of {STEPS} steps ran uncompiled"


def test_a_step_without_compiled_code_is_not_compiled():
    compiler = Compiler(True)
    compiler.probe(lambda: train(compiler.compile(Frozen(), lightning.pytorch)))
    assert compiler.why_not == "torch.compile finds nothing to compile in the training step"
    module = Frozen()
    assert compiler.compile(module, lightning.pytorch) is module and "forward" not in vars(module)
    assert CompiledSteps(compiler).path() == {"compiled": False, "why_not": compiler.why_not}


def test_a_compiler_that_fails_is_told(monkeypatch):
    def fail(graph, inputs):
        raise RuntimeError("InvalidCxxCompiler: no working one")

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", fail)
    compiler = Compiler(True)
    compiler.probe(lambda: train(compiler.compile(Line(), lightning.pytorch)))
    assert compiler.why_not == "no C++ compiler was found (g++ or clang++)"


def test_what_a_backend_raised_is_told_in_its_own_words(monkeypatch):
    def fail(graph, inputs):
        raise ValueError("this cannot be lowered")

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", fail)
    compiler = Compiler(True)
    compiler.probe(lambda: train(compiler.compile(Line(), lightning.pytorch)))
    assert compiler.why_not == "ValueError: this cannot be lowered"


def test_a_module_runs_its_own_code_again(eager):
    compiler = Compiler(True)
    module = compiler.compile(Line(), lightning.pytorch)
    uncompile(module, lightning.pytorch)
    train(module)
    assert compiler.calls == 0
    uncompile(module, lightning.pytorch)  # once more does nothing
