"""The modes that the parts of a module are in when it is built: Lightning trains each part in that mode.

A part that is built in evaluation mode, such as a batch normalisation that is frozen, stays in it: `Trainer.fit` does
not call `train()`. Between trainings here, modules are called in evaluation mode, too.
"""

import weakref

from torch import nn

# by a whole module: its parts that were built in evaluation mode
frozen: weakref.WeakKeyDictionary[nn.Module, weakref.WeakSet] = weakref.WeakKeyDictionary()


def keep_modes(module: nn.Module) -> None:
    """Keeps the modes that a module's parts are in."""
    frozen[module] = weakref.WeakSet(part for part in module.modules() if not part.training)


def set_mode(module: nn.Module, training: bool) -> nn.Module:
    """Puts a module into evaluation mode, or each of its parts into the mode in which it is trained; returns it."""
    module.train(training)
    if training:
        for part in frozen.get(module, ()):
            part.training = False
    return module
