"""A user's module as compiled code: `torch.compile`, as Lightning's Trainer takes it, and a count of what really ran.

torch falls back to uncompiled code in silence where it has compiled a function too often. So every call of a compiled
graph that trains is counted, and a step without one is told.
"""

from collections.abc import Callable
from importlib import import_module

import lightning
import torch
from torch import nn

from lightning_mlp.fast.steps import describe_error


class Compiler:
    """Compiles modules in place, where it is asked to and can.

    Args:
        wanted: whether modules are compiled.

    Attributes:
        why_not: why modules are not compiled although they should be; else None.
        calls: of compiled graphs that train, so far.
    """

    def __init__(self, wanted: bool):
        self.wanted, self.why_not, self.calls = wanted, None, 0

    def compile(self, module: nn.Module, package) -> nn.Module:
        """Compiles a LightningModule's `forward` and steps, at their first calls; returns the module.

        Args:
            module: is changed.
            package: that it derives from: `lightning.pytorch` or `pytorch_lightning`.
        """
        if not self.wanted or self.why_not:
            return module
        # code is cached by code object, at most eight versions: those of the last module are of no use to this one
        torch.compiler.reset()
        return compilers_of(package).from_compiled(torch.compile(module, backend=self.compile_graph))

    def compile_graph(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable:
        """Compiles one graph as torch does by default; its calls are counted where it trains weights."""
        from torch._inductor.compile_fx import compile_fx

        run = compile_fx(graph, inputs)

        def counted(*arguments):
            # what Lightning does with a loss that is logged is a graph, too: it has no weights
            has_weights = any(isinstance(value, nn.Parameter) for value in arguments)
            self.calls += has_weights and torch.is_grad_enabled()
            return run(*arguments)

        return counted

    def probe(self, train: Callable[[], None]) -> None:
        """Tries a step; where it fails, or nothing of it is compiled, no module will be compiled.

        Args:
            train: builds a module and trains it for a step.
        """
        before = self.calls
        try:
            train()
        except Exception as error:  # compilers raise many kinds of errors
            self.why_not = describe_error(getattr(error, "inner_exception", error))
        else:
            if self.calls == before:
                self.why_not = "torch.compile finds nothing to compile in the training step"


class CompiledSteps(lightning.Callback):
    """Counts the steps of a training, and those in which nothing compiled ran.

    Args:
        compiler: counts the calls of compiled graphs.
    """

    def __init__(self, compiler: Compiler):
        self.compiler, self.steps, self.uncompiled = compiler, 0, 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Begins a step."""
        self.before = self.compiler.calls

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Ends it."""
        self.steps += 1
        self.uncompiled += self.compiler.calls == self.before

    def path(self) -> dict:
        """Returns whether the training was compiled, and why not, wholly or in part, for the report."""
        why_not = self.compiler.why_not
        if self.compiler.wanted and not why_not and self.uncompiled:
            why_not = f"torch.compile gave up: {self.uncompiled:,} of {self.steps:,} steps ran uncompiled"
        return {"compiled": self.compiler.wanted and not why_not, "why_not": why_not}


def uncompile(module: nn.Module, package) -> None:
    """Has a module run its own code again: hooks of its layers are not called in compiled code."""
    if getattr(module, "_compiler_ctx", None) is not None:
        compilers_of(package).to_uncompiled(module)


def compilers_of(package):
    """Returns the part of a package that compiles its modules."""
    return import_module(f"{package.__name__}.utilities.compile")
