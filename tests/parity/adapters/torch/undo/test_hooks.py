"""What hooks do to gradients and rates is seen, told, and put back; other hooks stay as they are."""

import lightning
import pytest
import torch
from torch import nn

from parity.adapters.torch.undo.difference import NORM, OTHERWISE, RATE, VALUE
from parity.adapters.torch.undo.hooks import Hooks
from parity.adapters.torch.undo.losses import F

X, Y = torch.arange(12.0).reshape(4, 3) / 12, torch.arange(8.0).reshape(4, 2) / 2


class Port(lightning.LightningModule):
    """Trains a layer by SGD."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        nn.init.ones_(self.layer.weight)
        nn.init.ones_(self.layer.bias)

    def training_step(self, batch, batch_idx):
        return F.mse_loss(self.layer(X), Y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.5)


def fit(module, look=lambda change: change.put_back()):
    """Trains for two steps; returns the weights, and what hooks changed."""
    changes = []
    if look:
        hooks = Hooks(module, lambda change: (changes.append((change.hook, change.kind, change.is_zero)), look(change)))
        configure = module.configure_optimizers

        def configured():
            optimizer = configure()
            hooks.watch([optimizer])
            return optimizer

        module.configure_optimizers = configured
    options = dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing"), False)
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", enable_model_summary=False, **options)
    trainer.fit(module, torch.utils.data.DataLoader([0, 0], batch_size=None))
    return module.layer.weight.detach().clone(), list(dict.fromkeys(changes))


def plant(**methods):
    return type("Planted", (Port,), methods)()


def stopped(self, epoch, batch_idx, optimizer, optimizer_closure=None):
    optimizer.param_groups[0]["lr"] = 0.0
    Port.optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure)


def fall(self, *arguments):
    self.optimizers().param_groups[0]["lr"] *= 0.5


def clip(self, *arguments, **options):
    nn.utils.clip_grad_norm_(self.parameters(), 0.1)


def clip_each(self, *arguments):
    for parameter in self.parameters():
        nn.utils.clip_grad_norm_([parameter], 0.1)


def cut(self, *arguments, **options):
    for parameter in self.parameters():
        parameter.grad = parameter.grad.clamp(-0.1, 0.1)


def halve(self, *arguments):
    self.layer.weight.grad[..., :1] *= 0.5


def shrink(self, *arguments):
    for parameter in self.parameters():
        parameter.grad *= 0.5


def still(self, *arguments):
    self.layer.bias.grad.zero_()


def drop(self, *arguments):
    self.layer.weight.grad = None


def by_trainer(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
    self.clip_gradients(optimizer, 0.1, "value")


PORTS = {
    "halved, on_after_backward": (halve, OTHERWISE, False),
    "shrunk, on_after_backward": (shrink, OTHERWISE, False),
    "still, on_before_optimizer_step": (still, OTHERWISE, False),
    "dropped, on_before_optimizer_step": (drop, OTHERWISE, False),
    "optimizer_step": (stopped, RATE, True),
    "on_train_batch_end": (fall, RATE, False),
    "on_train_batch_start": (fall, RATE, False),
    "on_after_backward": (clip, NORM, False),
    "on_before_optimizer_step": (cut, VALUE, False),
    "each by itself, on_after_backward": (clip_each, NORM, False),
    "configure_gradient_clipping": (by_trainer, VALUE, False),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("hook", PORTS)
def test_what_a_hook_changes_is_put_back(hook):
    method, kind, is_zero = PORTS[hook]
    hook = hook.rpartition(" ")[2]
    right, _ = fit(Port(), None)
    planted, _ = fit(plant(**{hook: method}), None)
    undone, changes = fit(plant(**{hook: method}))
    assert torch.equal(undone, right) and not torch.equal(planted, right)
    assert changes == [(hook, kind, is_zero)]


@pytest.mark.filterwarnings("ignore")
def test_clipping_is_seen_though_no_gradient_is_large_yet():
    def rarely(self, *arguments):
        nn.utils.clip_grad_norm_(self.parameters(), 1e4)

    right, _ = fit(Port(), None)
    weights, changes = fit(plant(on_after_backward=rarely))
    assert torch.equal(weights, right) and changes == [("on_after_backward", NORM, False)]


@pytest.mark.filterwarnings("ignore")
def test_hooks_that_change_nothing_are_left():
    noted = []
    right, _ = fit(Port(), None)
    weights, changes = fit(plant(on_after_backward=lambda self: noted.append(1), on_train_batch_end=fall), lambda _: 0)
    assert [kind for _, kind, _ in changes] == [RATE] and len(noted) == 4 and not torch.equal(weights, right)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x: x / 255, "values are 0.00392157 x, Keras's are x"),
        (lambda x: ((x - 0.5) / 0.25).reshape(4, 1, 3), "values are 4 x - 2, Keras's are x"),
        (lambda x: x.reshape(4, 1, 3), ""),
        (lambda x: x + torch.tensor([[0.0], [1.0], [5.0], [2.0]]), ""),
    ],
)
def test_forward_is_given_the_batch_of_its_step(change, text):
    seen, changes = [], []

    class Fed(Port):
        def forward(self, x):
            seen.append(x)
            return x

        def training_step(self, batch, batch_idx):
            return self(change(batch[0]))

    def look(one):
        changes.append((one.hook, one.kind, one.text))
        one.put_back()

    module = Fed()
    Hooks(module, look)
    module.training_step((X, Y), 0)
    right = X.reshape(seen[0].shape) if text else change(X)
    assert torch.equal(seen[0], right) and changes == [("training_step", "input", text)] * bool(text)
    module(X / 255)
    assert torch.equal(seen[1], X / 255) and len(changes) == bool(text)  # in no step


@pytest.mark.parametrize("puts_back", [True, False])
def test_a_step_may_cast_what_forward_computes(puts_back):
    changes = []

    class Casting(Port):
        def forward(self, x):
            return self.layer(x)

        def validation_step(self, batch, batch_idx):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self(batch[0])

    def look(change):
        changes.append((change.hook, change.kind, change.text))
        if puts_back:
            change.put_back()

    module = Casting()
    Hooks(module, look)
    result = module.validation_step((X, Y), 0)
    assert (result.dtype == X.dtype) == puts_back and changes == [("validation_step", "cast", "bfloat16")]


def test_a_hook_that_refuses_large_gradients_is_run_with_its_own_alone():
    class Careful(Port):
        def on_after_backward(self):
            assert self.layer.weight.grad.abs().max() < 10

    module, changes = Careful(), []
    Hooks(module, changes.append)
    module.layer.weight.grad = torch.ones(2, 3)
    module.on_after_backward()
    assert changes == [] and torch.equal(module.layer.weight.grad, torch.ones(2, 3))
