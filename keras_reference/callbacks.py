"""Callbacks for `fit`: the wall time of an epoch, and Keras's progress bar for the whole run."""

import time

import keras


class EpochTimer(keras.callbacks.Callback):
    """Measures the wall seconds of an epoch, training and validation, without the setup of `fit`."""

    seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Stops the clock."""
        self.seconds = time.monotonic() - self._started


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, with the number of epochs of the whole run."""

    def __init__(self, epochs: int, verbose: int):
        super().__init__()
        self._run = {"epochs": epochs, "verbose": verbose}

    def set_params(self, params):
        """Takes the parameters of `fit`, but the epochs and verbosity of the run."""
        super().set_params({**params, **self._run})
