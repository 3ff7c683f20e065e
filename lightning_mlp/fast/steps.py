"""The fast path: many batches in one `training_step`, each with its own optimizer step.

It is what Keras's `compile(steps_per_execution=)` does, for a LightningModule:

    class FastMLP(ManySteps, LitMLP):
        pass

    model = FastMLP(...)
    model.compile_steps = True
    data = MNISTDataModule(..., steps_per_execution=100)

The module's own `training_step` stays what is trained: one by one through Lightning's optimizer, or compiled
(forward, backward and update in one piece of code), or, on a GPU, captured once and replayed. Weights, moments,
`global_step`, epoch hooks, history and checkpoints mean the same on all of these paths; batch hooks fire once a block.
What a captured `training_step` adds up, it must add up in tensors that stay where they are, as `EpochMean` does.
"""

import time
from types import FunctionType

import lightning
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden

from lightning_mlp.data import Block, EpochBatches, HeldDataset
from lightning_mlp.fast import updates
from lightning_mlp.model import EpochMean

# Hooks that fall into the middle of a step: where one is overridden, steps are not compiled.
INNER_HOOKS = (
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "backward",
    "optimizer_step",
    "optimizer_zero_grad",
    "configure_gradient_clipping",
)


# Steps that are compiled or captured as one piece of code, at most: a call costs as much as a third of a small step,
# and every further step as much compiling again.
TOGETHER = 4


class ManySteps:
    """Runs a block of batches in each `training_step`; mix it in before a LightningModule.

    Attributes:
        compile_steps: whether whole steps are compiled.
        compile_seconds: what that took, or capturing on a GPU; None where neither was done.
        why_not: why steps are neither compiled nor captured, if that was wanted.
    """

    compile_steps = False
    compile_seconds = None
    why_not = None
    whole_step = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        """Trains on a block of K batches, or on one batch; returns the losses (K,)."""
        if not isinstance(batch, Block):
            return torch.stack([self.train_on(batch, batch_idx)])
        if self.whole_step is None:
            return torch.stack([self.train_on(self.converted(one), batch_idx) for one in batch])
        whole, rest = self.whole_step.share_of(batch.rows)
        losses = [self.whole_step.run(batch.dataset.tensors, whole, self.optimizers())]
        rest = [self.converted(batch.dataset[rows]) for rows in rest]
        losses += [self.train_on(one, batch_idx).reshape(1) for one in rest]
        return torch.cat(losses)

    def converted(self, batch):
        """Returns a batch in the run's precision; Lightning converts what it can look into, and no block."""
        return self.trainer.precision_plugin.convert_input(batch)

    def train_on(self, batch, batch_idx):
        """Trains on one batch, as automatic optimization does; returns the loss ()."""
        optimizer = self.optimizers()
        loss = loss_of(super().training_step(batch, batch_idx))
        for hooked in (*self.trainer.callbacks, None):
            before = (self.trainer, self, optimizer) if hooked else (optimizer,)
            (hooked or self).on_before_zero_grad(*before)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()  # Lightning's wrapper: it counts the step and calls the hooks
        return loss.detach()

    def on_train_start(self):
        """Compiles or captures the step, apart from the first epoch's time."""
        super().on_train_start()
        self.check_possible()
        on_gpu = self.device.type == "cuda"
        self.whole_step = self.compile_seconds = None
        if not (self.compile_steps or on_gpu):
            return
        self.why_not = self.obstacle()
        if self.why_not is None:
            started = time.monotonic()
            dataset, sampler = self.trainer.train_dataloader.dataset, self.trainer.train_dataloader.sampler
            together = max(count for count in range(1, TOGETHER + 1) if (sampler.block or 1) % count == 0)
            example = [torch.arange(sampler.batch_size, device=self.device) for _ in range(together)]
            optimizer = self.optimizers().optimizer
            try:
                step = WholeStep(super().training_step, optimizer, example, self.compile_steps, on_gpu)
                with self.trainer.precision_plugin.train_step_context():
                    step.prepare(dataset.tensors, self.sums())
                self.whole_step, self.compile_seconds = step, time.monotonic() - started
            except Exception as error:  # a compiler can fail in as many ways as there are machines
                self.why_not = reason_of(error)

    def sums(self) -> list[torch.Tensor]:
        """Returns the tensors that a step changes beside weights and moments, on the device that trains.

        A captured step adds to the very tensors that it was captured with.
        """
        mean = getattr(self, "train_mean", None)
        if isinstance(mean, EpochMean):
            mean.reset(self.device)
        return [value for value in vars(mean).values() if isinstance(value, torch.Tensor)] if mean else []

    def check_possible(self) -> None:
        """Checks that there is one process and one optimizer, and nothing that must be stepped beside it.

        Raises:
            TypeError: the module needs the default path.
        """
        if self.trainer.world_size > 1:  # Lightning averages gradients once a `training_step`, and here are many
            raise TypeError("many steps per execution run in one process")
        if isinstance(self.optimizers(), list) or self.trainer.lr_scheduler_configs:
            raise TypeError("many steps per execution need one optimizer and no learning-rate scheduler")

    def obstacle(self) -> str | None:
        """Says why steps cannot be compiled or captured, or returns None."""
        for hook in INNER_HOOKS:
            for hooked in (self, *self.trainer.callbacks):
                if hasattr(hooked, hook) and is_overridden(hook, hooked):
                    return f"{type(hooked).__name__} overrides {hook}, which a whole step cannot call"
        if updates.of(self.optimizers().optimizer) is None:
            return f"the update of {type(self.optimizers().optimizer).__name__} is not known"
        loader = self.trainer.train_dataloader
        if not (isinstance(getattr(loader, "dataset", None), HeldDataset) and isinstance(loader.sampler, EpochBatches)):
            return "the data module does not hold its data in tensors"
        if type(self.trainer.precision_plugin).__name__ not in ("Precision", "DoublePrecision"):
            return f"the precision is {self.trainer.precision}"
        return None

    def on_save_checkpoint(self, checkpoint):
        """Keeps the count of steps where automatic optimization looks for it, too."""
        super().on_save_checkpoint(checkpoint)
        loops = checkpoint["loops"]["fit_loop"]
        counted = loops["epoch_loop.manual_optimization.optim_step_progress"]
        loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]["step"] = counted

    def on_load_checkpoint(self, checkpoint):
        """Takes the count of steps from a checkpoint of either path."""
        super().on_load_checkpoint(checkpoint)
        loops = checkpoint["loops"]["fit_loop"]
        counted = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]["step"]
        loops["epoch_loop.manual_optimization.optim_step_progress"] = counted


def many_steps(module: type) -> type:
    """Makes a module's class run many steps in each `training_step`.

    Raises:
        TypeError: it is no LightningModule class.
    """
    if not (isinstance(module, type) and issubclass(module, lightning.LightningModule)):
        raise TypeError(f"many steps per execution need a LightningModule class, not {module!r}")
    return type(f"Fast{module.__name__}", (ManySteps, module), {})


class WholeStep:
    """Forward, backward and update of one or more batches as one piece of code.

    Args:
        training_step: computes the loss of a batch.
        optimizer: one that `updates.of` knows.
        example: rows of each batch of a call, (B,); all batches that are run are of this size.
        compiled: whether torch.compile compiles it.
        captured: whether a CUDA graph captures it.
    """

    def __init__(self, training_step, optimizer, example: list[torch.Tensor], compiled: bool, captured: bool):
        self.training_step, self.update = training_step, updates.of(optimizer)
        self.example, self.captured, self.graph = example, captured, None
        self.function = compile_whole(self.steps) if compiled else self.steps

    def steps(self, tensors, rows, states, numbers):
        """Cuts batches and trains on one after the other; returns the losses (steps,)."""
        return torch.stack([self.step(tensors, *one, states) for one in zip(rows, numbers, strict=True)])

    def step(self, tensors, rows, numbers, states):
        """Cuts a batch and trains on it; returns the loss ()."""
        parameters = self.update.parameters
        batch = tuple(tensor.index_select(0, rows) for tensor in tensors)
        batch = tuple(one.to(parameters[0].dtype) if one.is_floating_point() else one for one in batch)
        loss = loss_of(self.training_step(batch, 0))
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient, state in zip(parameters, gradients, states, strict=True):
                if gradient is not None:
                    self.update.apply(parameter, gradient, state, numbers)
        return loss.detach()

    def prepare(self, tensors, sums) -> None:
        """Compiles and captures, on steps that are undone.

        Args:
            tensors: what batches are cut from.
            sums: further tensors that a step changes.
        """
        self.sums, states = sums, self.update.states()
        changed = [*self.update.parameters, *sums, *(tensor for state in states for tensor in state.values())]
        with torch.no_grad():
            before = [tensor.clone() for tensor in changed]
        try:
            self.function(tensors, self.example, states, self.numbers(len(self.example)))
            if self.captured:
                self.capture(tensors, states)
        finally:
            with torch.no_grad():
                for tensor, value in zip(changed, before, strict=True):
                    tensor.copy_(value)

    def numbers(self, steps: int) -> list[torch.Tensor]:
        """Returns the optimizer's numbers, one row a step."""
        return list(self.update.numbers(steps).unbind())

    def capture(self, tensors, states) -> None:
        """Captures the steps in a CUDA graph; it reads rows and numbers from buffers of its own."""
        self.buffers = [tensor.clone() for tensor in (*self.example, *self.numbers(len(self.example)))]
        rows, numbers = self.buffers[: len(self.example)], self.buffers[len(self.example) :]
        self.graph, self.losses = cuda_graph(lambda: self.function(tensors, rows, states, numbers))
        self.places = places(states)

    def share_of(self, rows: list[torch.Tensor]) -> tuple[list, list]:
        """Returns the batches that can be run here, and the rest: too few for a call, or a smaller last batch."""
        size = len(self.example[0])
        full = sum(len(one) == size for one in rows)  # only an epoch's last batch is smaller
        whole = full - full % len(self.example)
        return rows[:whole], rows[whole:]

    def run(self, tensors, rows: list[torch.Tensor], optimizer) -> torch.Tensor:
        """Trains on batches, one after the other; returns their losses (K,).

        Args:
            tensors: what the batches are cut from.
            rows: of each batch, (B,).
            optimizer: Lightning's wrapper, which counts the steps.
        """
        states, numbers, together = self.update.states(), self.numbers(len(rows)), len(self.example)
        if self.graph is not None and self.places != places(states):  # the moments were replaced: capture anew
            self.prepare(tensors, self.sums)
        one = self.function if self.graph is None else self.replay
        losses = [
            one(tensors, rows[start : start + together], states, numbers[start : start + together])
            for start in range(0, len(rows), together)
        ]
        self.update.advance(len(rows))
        for _ in rows:
            optimizer._on_before_step()
            optimizer._on_after_step()
        return torch.cat(losses) if losses else self.update.parameters[0].new_zeros(0)

    def replay(self, tensors, rows, states, numbers):
        """Replays the captured steps on other rows."""
        for buffer, value in zip(self.buffers, (*rows, *numbers), strict=True):
            buffer.copy_(value)
        self.graph.replay()
        return self.losses.clone()


def cuda_graph(function):
    """Captures a function; returns the graph, and the function's result, which every replay computes anew in place."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # kernels are chosen and memory is found before anything is captured
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function()
    return graph, result


def compile_whole(step):
    """Compiles a method into one graph; nothing of it stays in Python."""
    import torch._dynamo

    torch._dynamo.config.trace_autograd_ops = True  # `torch.autograd.grad` inside the graph
    # torch keeps what it compiled by the code object, eight times at most: every module gets one of its own.
    own = FunctionType(step.__func__.__code__.replace(), step.__func__.__globals__)
    return torch.compile(own.__get__(step.__self__), fullgraph=True, dynamic=False)


def places(states) -> list[int]:
    """Returns where the states' tensors are."""
    return [tensor.data_ptr() for state in states for tensor in state.values()]


def loss_of(output) -> torch.Tensor:
    """Takes the loss out of what a `training_step` returned."""
    return output["loss"] if isinstance(output, dict) else output


def reason_of(error: Exception) -> str:
    """Says in one line why compiling failed."""
    text = str(error)
    if "C++ compiler" in text or "InvalidCxxCompiler" in text:
        return "no C++ compiler was found (g++ or clang++)"
    return f"{type(error).__name__}: {next(iter(text.strip().splitlines()), '')}"
