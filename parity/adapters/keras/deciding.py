"""Keras's own callbacks on a carrier: called as `fit` calls them, over lists of metrics and over batches.

The model that they stop, save and restore holds one number: the epoch, or the batch.
"""

import copy
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
from keras import callbacks as kinds
from keras import ops

from parity.adapters.keras.callback_kinds import role_of, saves_by_batches
from parity.protocol.callbacks import FILES, PLATEAU, RATE, STOP

LOSS = 0.7  # at every batch, where no metric is looked at


class Carrier(keras.Model):
    """A model of one weight, the epoch; it notes which epoch's (or batch's) weights it is asked to save in which file.

    Args:
        optimizer: whose learning rate is set.
    """

    def __init__(self, optimizer):
        super().__init__()
        self.epoch, self.optimizer = self.add_weight(shape=(), name="epoch"), optimizer
        self.files: dict[str, int] = {}
        self.batch = 0  # where batches are counted, from 1

    def save(self, filepath, *arguments, **options):
        """Notes the epoch; the file that was written last stands last."""
        self.files.pop(str(filepath), None)
        self.files[str(filepath)] = self.batch or int(self.epoch)

    save_weights = save


def simulate(
    callbacks: list,
    carrier: Carrier,
    values: np.ndarray,
    names: set[str],
    look: Callable[[int], None],
    begun: Callable[[int], None] = lambda epoch: None,
) -> int:
    """Calls callbacks as `fit` does, until they stop it; returns after which epoch they do, 0 for never.

    Args:
        callbacks: new ones.
        carrier: the model.
        values: of every metric, (epochs,).
        names: of the metrics.
        look, begun: called with the number of every epoch, at its end, and when it has begun.
    """
    together = kinds.CallbackList(callbacks, add_history=False, add_progbar=False, model=carrier)
    carrier.stop_training, carrier.batch, stopped = False, 0, 0
    carrier.files.clear()
    together.on_train_begin()
    for epoch, value in enumerate(map(float, values)):
        together.on_epoch_begin(epoch)
        begun(epoch)
        together.on_train_batch_begin(0)
        carrier.epoch.assign(epoch + 1)
        together.on_train_batch_end(0, {name: value for name in names if not name.startswith("val_")})
        together.on_epoch_end(epoch, dict.fromkeys(names, value))
        look(epoch)
        if carrier.stop_training:
            stopped = epoch + 1
            break
    together.on_train_end()
    return stopped


def redirected(callback: kinds.ModelCheckpoint, folder: str) -> kinds.ModelCheckpoint:
    """Returns a new callback that saves into another folder."""
    callback = copy.deepcopy(callback)
    callback.filepath = str(Path(folder, *[part for part in Path(callback.filepath).parts if part not in ("/", "..")]))
    return callback


class Lists:
    """What callbacks decide over every list.

    Args:
        callbacks: of `keras_fit()`, each with its direction.
        optimizer: the pair's.
        lists: by name, (epochs,).
        logged: the metrics that `fit` logs.
    """

    def __init__(self, callbacks: list, optimizer, lists: dict[str, np.ndarray], logged: Iterable[str]):
        self.carrier, self.lists, self.names = Carrier(optimizer), lists, {"loss", "val_loss", *logged}
        self.roles = {role: [one for one in callbacks if role_of(one) == role] for role in (STOP, PLATEAU, RATE, FILES)}
        self.roles[FILES] = [one for one in self.roles[FILES] if not saves_by_batches(one)]
        self.shape = len(lists), len(next(iter(lists.values())))

    def run(self, callbacks: list, values: np.ndarray, look: Callable = lambda epoch: None, **more) -> int:
        """Runs copies of callbacks over a list; see `simulate`."""
        return simulate(copy.deepcopy(callbacks), self.carrier, values, self.names, look, **more)

    def stops(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns after which epoch each list stops, and whose epoch's weights the model has then."""
        stops, weights = np.zeros(self.shape[0], int), np.full(self.shape[0], self.shape[1])
        if self.roles[STOP]:
            for number, values in enumerate(self.lists.values()):
                stops[number] = self.run(self.roles[STOP], values)
                weights[number] = int(self.carrier.epoch)
        return stops, weights

    def rates(self) -> np.ndarray:
        """Returns the learning rate of every epoch of every list; none where no callback lowers it by a metric."""
        if not self.roles[PLATEAU]:
            return np.empty((0, 0))
        optimizer, rates = self.carrier.optimizer, np.empty(self.shape)
        start = rate_of(optimizer)
        for number, values in enumerate(self.lists.values()):
            optimizer.learning_rate = start

            def note(epoch: int, number=number) -> None:
                rates[number, epoch] = rate_of(optimizer)

            self.run(self.roles[RATE] + self.roles[PLATEAU], values, begun=note)
        optimizer.learning_rate = start
        return rates

    def files(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns of each callback that saves whose weights its last file has after every epoch, and what stays."""
        loaded = np.zeros((len(self.roles[FILES]), *self.shape), int)
        kept = np.zeros(loaded.shape, bool)
        with tempfile.TemporaryDirectory() as folder:
            for place, values in enumerate(self.lists.values()):
                for number, one in enumerate(self.roles[FILES]):

                    def look(epoch: int, number=number, place=place) -> None:
                        loaded[number, place, epoch] = list(self.carrier.files.values() or [0])[-1]

                    self.run([redirected(one, folder)], values, look)
                    kept[number, place, [epoch - 1 for epoch in self.carrier.files.values()]] = True
        return loaded, kept


def rate_of(optimizer) -> float:
    """Returns an optimizer's learning rate."""
    return float(ops.convert_to_numpy(optimizer.learning_rate))


def saved_batches(callbacks: list, optimizer, count: int, steps: int, together: int, names: Iterable[str]) -> tuple:
    """Returns of each callback that saves whose batch its last file holds after every batch, and what stays.

    Args:
        callbacks: of `keras_fit()`, that look at no metric.
        optimizer: the pair's.
        count, steps: of batches, and of those of an epoch.
        together: batches of one call, `steps_per_execution`: callbacks are called at their last.
        names: the metrics that `fit` logs; a file's name may have them.
    """  # fmt: skip
    carrier = Carrier(optimizer)
    loaded = np.zeros((len(callbacks), count), int)
    kept = np.zeros(loaded.shape, bool)
    logs = dict.fromkeys(names, LOSS)
    of_batch = {name: value for name, value in logs.items() if not name.startswith("val_")}
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(callbacks):
            called = kinds.CallbackList([redirected(one, folder)], add_history=False, add_progbar=False, model=carrier)
            carrier.files.clear()
            called.on_train_begin()
            for place in range(count):
                carrier.batch, batch = place + 1, place % steps
                if batch == 0:
                    called.on_epoch_begin(place // steps)
                if (batch + 1) % together == 0 or batch + 1 == steps:
                    # Keras counts whole calls, also where an epoch ends within one
                    called.on_train_batch_end(batch + -(batch + 1) % together, dict(of_batch))
                if batch + 1 == steps:
                    called.on_epoch_end(place // steps, dict(logs))
                loaded[number, place] = next(reversed(carrier.files.values()), 0)
            called.on_train_end()
            kept[number, [batch - 1 for batch in carrier.files.values()]] = True
    return loaded, kept
