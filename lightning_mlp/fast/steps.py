"""The fast path: many batches in one `training_step`, each with an optimizer step of its own.

It does for a LightningModule what `compile(steps_per_execution=)` does in Keras:

    class FastMLP(ManySteps, LitMLP):
        pass

    model = FastMLP(...)
    model.compile_steps = True
    data = MNISTDataModule(..., steps_per_execution=100)

The module's own `training_step` still computes the loss: batch by batch with Lightning's optimizer, or compiled with
backward pass and update, or, on a GPU, captured in a CUDA graph that then runs again and again. Weights, moments,
`global_step`, epoch hooks, history and checkpoints mean the same on all of these paths; batch hooks run once per block.
What it logs is logged once a block, as the mean over its rows. A captured `training_step` that keeps sums of its own
must add to them in place, in tensors that are never replaced, as `EpochMean` does.
"""

import time
from collections.abc import Callable
from types import FunctionType

import lightning
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden

from lightning_mlp.data import Block, EpochBatches, HeldDataset
from lightning_mlp.fast.logged import LoggedMeans
from lightning_mlp.fast.updates import find_update
from lightning_mlp.model import EpochMean

# Hooks that run inside a step: if one is overridden, steps are not compiled.
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
# Most steps to compile or capture as one function: a call costs a third of a small step, and compiling takes longer
# with every step.
MAX_STEPS_PER_CALL = 4


class ManySteps:
    """Runs a block of batches in each `training_step`; mix it in before a LightningModule.

    Attributes:
        compile_steps: whether whole steps are compiled.
        compile_seconds: how long compiling, or capturing on a GPU, took; None if neither was done.
        why_not: why steps are neither compiled nor captured although they should be; else None.
    """

    compile_steps = False
    compile_seconds = None
    why_not = None
    whole_step = None
    logged = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        """Trains on a block of K batches, or on one batch; returns the losses (K,)."""
        if not isinstance(batch, Block):
            return torch.stack([self.train_on(batch, batch_idx)])
        losses, rest = [], batch.rows
        with self.logged.during():
            if self.whole_step is not None:
                whole, rest = self.whole_step.split(batch.rows)
                self.logged.rows = len(self.whole_step.example[0])
                losses = [self.whole_step.run(batch.dataset.tensors, whole, self.optimizers())]
            for rows in rest:
                self.logged.rows = len(rows)
                losses.append(self.train_on(self.converted(batch.dataset[rows]), batch_idx).reshape(1))
        self.logged.log_means()
        return torch.cat(losses)

    def log(self, name, value, *arguments, **options):
        """Logs as Lightning's `log` does; in the steps of a block, once for all of it."""
        is_number = isinstance(value, torch.Tensor | int | float)  # a Metric has sums of its own
        if self.logged is not None and self.logged.active and is_number:
            self.logged.add(name, value, *arguments, **options)
        else:
            super().log(name, value, *arguments, **options)

    def log_dict(self, dictionary, *arguments, **options):
        """Logs several values, see `log`."""
        for name, value in dictionary.items():
            self.log(name, value, *arguments, **options)

    def converted(self, batch):
        """Converts a batch to the run's precision; Lightning itself does not look into a `Block`."""
        return self.trainer.precision_plugin.convert_input(batch)

    def train_on(self, batch, batch_idx):
        """Trains on one batch like automatic optimization; returns the loss ()."""
        optimizer = self.optimizers()
        loss = extract_loss(super().training_step(batch, batch_idx))
        for callback in self.trainer.callbacks:
            callback.on_before_zero_grad(self.trainer, self, optimizer)
        self.on_before_zero_grad(optimizer)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()  # Lightning's wrapper, which counts the step and calls the hooks
        return loss.detach()

    def on_train_start(self):
        """Compiles or captures the step, so that the first epoch's time does not include it."""
        super().on_train_start()
        self.check_possible()
        self.logged = LoggedMeans(self)
        on_gpu = self.device.type == "cuda"
        self.whole_step = self.compile_seconds = None
        if not (self.compile_steps or on_gpu):
            return
        self.why_not = self.obstacle()
        if self.why_not is not None:
            return
        if self.compile_steps:
            self.why_not = self.try_whole_step(True, on_gpu)
        if self.whole_step is None and on_gpu:  # captured, if not compiled
            why_not = self.try_whole_step(False, True)
            self.why_not = self.why_not or why_not

    def try_whole_step(self, compiled: bool, captured: bool) -> str | None:
        """Compiles or captures the step; returns why it cannot be, or None."""
        started = time.monotonic()
        dataset, sampler = self.trainer.train_dataloader.dataset, self.trainer.train_dataloader.sampler
        steps = max(count for count in range(1, MAX_STEPS_PER_CALL + 1) if (sampler.block or 1) % count == 0)
        example = [torch.arange(sampler.batch_size, device=self.device) for _ in range(steps)]
        if isinstance(mean := getattr(self, "train_mean", None), EpochMean):
            mean.reset(self.device)
        precision, same_draws = self.trainer.precision_plugin.train_step_context, torch.random.fork_rng(devices=[])
        try:
            step = WholeStep(super().training_step, self.optimizers().optimizer, example, compiled, captured)
            with precision(), self.logged.during(), same_draws:
                self.logged.rows = sampler.batch_size
                step.prepare(dataset.tensors, self.sums)
        except Exception as error:  # compilers raise many kinds of errors
            return describe_error(error)
        finally:
            self.logged.reset()
        self.whole_step, self.compile_seconds = step, time.monotonic() - started
        return None

    def sums(self) -> list[torch.Tensor]:
        """Returns the buffers and all sums over an epoch; a compiled or captured step changes them in place."""
        mean = getattr(self, "train_mean", None)
        means = [value for value in vars(mean).values() if isinstance(value, torch.Tensor)] if mean else []
        return [*self.buffers(), *means, *self.logged.sums.values()]

    def check_possible(self) -> None:
        """Checks that there is one process, one optimizer and no learning-rate scheduler.

        Raises:
            TypeError: the module needs the default path.
        """
        if self.trainer.world_size > 1:  # Lightning averages gradients once per `training_step`
            raise TypeError("many steps per execution run in one process")
        if isinstance(self.optimizers(), list) or self.trainer.lr_scheduler_configs:
            raise TypeError("many steps per execution need one optimizer and no learning-rate scheduler")

    def obstacle(self) -> str | None:
        """Returns why steps cannot be compiled or captured, or None."""
        for hook in INNER_HOOKS:
            for owner in (self, *self.trainer.callbacks):
                if hasattr(owner, hook) and is_overridden(hook, owner):
                    return f"{type(owner).__name__} overrides {hook}, which a whole step cannot call"
        for name, module in self.named_modules():
            if any(cls.__module__.startswith("torchmetrics.") for cls in type(module).__mro__):
                return f"{name} is a Metric of torchmetrics, whose sums a trial of steps would change"
        if find_update(self.optimizers().optimizer) is None:
            return f"the update of {type(self.optimizers().optimizer).__name__} is not known"
        loader = self.trainer.train_dataloader
        if not (isinstance(getattr(loader, "dataset", None), HeldDataset) and isinstance(loader.sampler, EpochBatches)):
            return "the data module does not hold its data in tensors"
        if type(self.trainer.precision_plugin).__name__ not in ("Precision", "DoublePrecision"):
            return f"the precision is {self.trainer.precision}"
        return None

    def on_save_checkpoint(self, checkpoint):
        """Stores the step count where automatic optimization reads it, too."""
        super().on_save_checkpoint(checkpoint)
        loops = checkpoint["loops"]["fit_loop"]
        step_count = loops["epoch_loop.manual_optimization.optim_step_progress"]
        loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]["step"] = step_count

    def on_load_checkpoint(self, checkpoint):
        """Restores the step count from a checkpoint of either path."""
        super().on_load_checkpoint(checkpoint)
        loops = checkpoint["loops"]["fit_loop"]
        step_count = loops["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]["step"]
        loops["epoch_loop.manual_optimization.optim_step_progress"] = step_count


def many_steps(module: type) -> type:
    """Returns a subclass of a LightningModule that runs many steps in each `training_step`.

    Raises:
        TypeError: `module` is not a LightningModule class.
    """
    if not (isinstance(module, type) and issubclass(module, lightning.LightningModule)):
        raise TypeError(f"many steps per execution need a LightningModule class, not {module!r}")
    return type(f"Fast{module.__name__}", (ManySteps, module), {})


class WholeStep:
    """Forward pass, backward pass and update of one or more batches as one function.

    Args:
        training_step: computes the loss of a batch.
        optimizer: one that `find_update` supports.
        example: the rows of each batch of a call, (B,); `run` takes batches of this size only.
        compiled: whether to compile the function with torch.compile.
        captured: whether to capture it in a CUDA graph.
    """

    def __init__(self, training_step, optimizer, example: list[torch.Tensor], compiled: bool, captured: bool):
        self.training_step, self.update = training_step, find_update(optimizer)
        self.example, self.captured, self.graph = example, captured, None
        self.function = compile_whole(self.steps) if compiled else self.steps

    def steps(self, tensors, rows, states, numbers):
        """Trains on one batch after the other; returns the losses (steps,)."""
        return torch.stack([self.step(tensors, *batch, states) for batch in zip(rows, numbers, strict=True)])

    def step(self, tensors, rows, numbers, states):
        """Trains on the batch of these rows; returns the loss ()."""
        parameters = self.update.parameters
        batch = tuple(tensor.index_select(0, rows) for tensor in tensors)
        batch = tuple(part.to(parameters[0].dtype) if part.is_floating_point() else part for part in batch)
        loss = extract_loss(self.training_step(batch, 0))
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, gradient, state in zip(parameters, gradients, states, strict=True):
                if gradient is not None:
                    self.update.apply(parameter, gradient, state, numbers)
        return loss.detach()

    def prepare(self, tensors, sums: Callable[[], list[torch.Tensor]]) -> None:
        """Compiles and captures by running steps, whose effect is then undone.

        Args:
            tensors: the data set's tensors.
            sums: returns further tensors that a step changes; the first step may make some.

        Raises:
            LostChangesError: a tensor that a plain step changes stays as it is.
        """
        self.sums, states = sums, self.update.states()
        first = [*self.update.parameters, *(tensor for state in states for tensor in state.values()), *sums()]
        before = {id(tensor): (tensor, tensor.detach().clone()) for tensor in first}
        try:
            self.steps(tensors, self.example, states, self.numbers(len(self.example)))
            before |= {id(tensor): (tensor, torch.zeros_like(tensor)) for tensor in sums() if id(tensor) not in before}
            changed = [pair for pair in before.values() if not torch.equal(*pair)]
            put_back(before.values())
            self.function(tensors, self.example, states, self.numbers(len(self.example)))
            if self.captured:
                self.capture(tensors, states)
                put_back(before.values())
                self.graph.replay()
            if lost := sum(torch.equal(*pair) for pair in changed):
                kind = "captured" if self.captured else "compiled"
                raise LostChangesError(
                    f"{kind} by torch {torch.__version__}, a step leaves {lost} of the {len(changed)} tensors as they "
                    "are that it changes when it runs plainly"
                )
        finally:
            put_back(before.values())

    def numbers(self, steps: int) -> list[torch.Tensor]:
        """Returns the numbers of the optimizer's update, one row per step."""
        return list(self.update.numbers(steps).unbind())

    def capture(self, tensors, states) -> None:
        """Captures the steps in a CUDA graph, which reads rows and numbers from `self.buffers`."""
        self.buffers = [tensor.clone() for tensor in (*self.example, *self.numbers(len(self.example)))]
        rows, numbers = self.buffers[: len(self.example)], self.buffers[len(self.example) :]
        self.graph, self.losses = cuda_graph(lambda: self.function(tensors, rows, states, numbers))
        self.addresses = memory_addresses(states)

    def split(self, rows: list[torch.Tensor]) -> tuple[list, list]:
        """Splits batches into those that `run` takes and the rest: too few for a call, or a smaller last batch."""
        size = len(self.example[0])
        full = sum(len(batch) == size for batch in rows)  # only an epoch's last batch is smaller
        whole = full - full % len(self.example)
        return rows[:whole], rows[whole:]

    def run(self, tensors, rows: list[torch.Tensor], optimizer) -> torch.Tensor:
        """Trains on batches, one after the other; returns their losses (K,).

        Args:
            tensors: the data set's tensors.
            rows: the rows of each batch, (B,).
            optimizer: Lightning's wrapper, which counts the steps.
        """
        states, numbers, steps = self.update.states(), self.numbers(len(rows)), len(self.example)
        if self.graph is not None and self.addresses != memory_addresses(states):  # moments were replaced
            self.prepare(tensors, self.sums)
        call = self.function if self.graph is None else self.run_graph
        losses = [
            call(tensors, rows[start : start + steps], states, numbers[start : start + steps])
            for start in range(0, len(rows), steps)
        ]
        self.update.advance(len(rows))
        for _ in rows:
            optimizer._on_before_step()
            optimizer._on_after_step()
        return torch.cat(losses) if losses else self.update.parameters[0].new_zeros(0)

    def run_graph(self, tensors, rows, states, numbers):
        """Runs the captured steps on other rows."""
        for buffer, value in zip(self.buffers, (*rows, *numbers), strict=True):
            buffer.copy_(value)
        self.graph.replay()
        return self.losses.clone()


class LostChangesError(RuntimeError):
    """Compiled or captured steps do not do what plain ones do."""


def put_back(before) -> None:
    """Gives tensors the values that they had before, from pairs of both."""
    with torch.no_grad():
        for tensor, value in before:
            tensor.copy_(value)


def cuda_graph(function):
    """Captures a function in a CUDA graph; returns the graph and its result, which every run overwrites."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # warm-up: choose kernels and allocate memory
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function()
    return graph, result


def compile_whole(step):
    """Compiles a method into one graph, without falling back to Python."""
    import torch._dynamo

    torch._dynamo.config.trace_autograd_ops = True  # `torch.autograd.grad` inside the graph
    # torch caches compiled code by code object, at most eight versions: give every module a code object of its own.
    copy = FunctionType(step.__func__.__code__.replace(), step.__func__.__globals__)
    return torch.compile(copy.__get__(step.__self__), fullgraph=True, dynamic=False)


def memory_addresses(states) -> list[int]:
    """Returns the memory addresses of the states' tensors."""
    return [tensor.data_ptr() for state in states for tensor in state.values()]


def extract_loss(output) -> torch.Tensor:
    """Returns the loss in the result of a `training_step`."""
    return output["loss"] if isinstance(output, dict) else output


def describe_error(error: Exception) -> str:
    """Describes in one line why compiling failed."""
    text = str(error)
    if "C++ compiler" in text or "InvalidCxxCompiler" in text:
        return "no C++ compiler was found (g++ or clang++)"
    return f"{type(error).__name__}: {next(iter(text.strip().splitlines()), '')}"
