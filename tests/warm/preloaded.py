"""Imports a framework before it is asked for, hides it, and hands it over at the moment a program imports it.

So `sys.modules` says the same as in a process that was started as usual, and a program that sets what Keras reads
while it is imported is noticed in time.
"""

import gc
import importlib.abc
import os
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

FRAMEWORKS = {
    "keras": ("tensorflow", "keras"),
    "torch": (
        "torch", "torchvision", "lightning", "lightning_fabric", "pytorch_lightning", "lightning_utilities",
        "torchmetrics", "torchgen", "functorch",
    ),
    "plain": (),
}  # fmt: skip
IMPORTED = {
    "keras": ("tensorflow", "keras"),
    "torch": ("torch", "torchvision", "lightning", "lightning.pytorch"),
    "plain": (),
}
# What any command of the project imports sooner or later; visible from the start.
SHARED = (
    "numpy", "scipy.stats", "matplotlib.figure", "matplotlib.backends.backend_agg", "rich.console", "rich.progress",
    "rich.table", "tyro", "PIL.Image", "mlxtend.data", "jinja2", "filelock", "joblib",
)  # fmt: skip


class Preloaded(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Holds a framework's modules back until one of them is imported.

    Args:
        kind: which framework.
        restart: called if the program has chosen another Keras backend than the one that was imported.
    """

    def __init__(self, kind: str, restart: Callable[[], None]):
        self.packages, self.restart = FRAMEWORKS[kind], restart
        self.found: dict[str, tuple] = {}
        before, filters = dict(os.environ), list(warnings.filters)
        for name in SHARED:
            import_module(name)
        for name in IMPORTED[kind]:
            import_module(name)
        self.environment = {name: value for name, value in os.environ.items() if name not in before}
        self.filters = [entry for entry in warnings.filters if entry not in filters]
        warnings.filters[:] = filters
        self.modules = {name: module for name, module in sys.modules.items() if self.is_ours(name)}
        for name in self.modules:
            del sys.modules[name]
        sys.meta_path.insert(0, self)
        gc.collect()
        gc.freeze()  # so that a collection in a forked process does not copy every page

    def is_ours(self, name: str) -> bool:
        """Says whether a module belongs to the framework."""
        return name.split(".", maxsplit=1)[0] in self.packages

    def find_spec(self, name: str, path=None, target=None):
        """Finds a module that was imported already, and hands all of them over."""
        if not self.is_ours(name):
            return None
        sys.meta_path.remove(self)
        if "keras" in self.packages and os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
            self.restart()
        for variable, value in self.environment.items():
            os.environ.setdefault(variable, value)
        warnings.filters[:0] = self.filters
        warnings._filters_mutated()
        sys.modules.update(self.modules)
        if "torch" in self.modules and "OMP_NUM_THREADS" in os.environ:  # else read when torch is loaded
            self.modules["torch"].set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        if name not in self.modules:
            return None
        del sys.modules[name]  # the import would take it for one that its parent has made, and run it again
        self.found[name] = self.modules[name], self.modules[name].__spec__
        self.modules = {}
        spec = PathFinder.find_spec(name, path)
        spec.loader = self
        return spec

    def create_module(self, spec) -> ModuleType:
        """Returns the module that was imported already."""
        return self.found[spec.name][0]

    def exec_module(self, module: ModuleType) -> None:
        """Runs nothing, and gives the module its own spec back."""
        module.__spec__ = self.found.pop(module.__name__)[1]
