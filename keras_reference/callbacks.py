"""Callbacks around `fit`: an epoch's seconds, and Keras's bar over all epochs of a run."""

import time

import keras


class EpochTimer(keras.callbacks.Callback):
    """Measures an epoch's wall seconds, training and validation, without `fit`'s setting up."""

    seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Stops the clock."""
        self.seconds = time.monotonic() - self._started


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's own progress bar, told how many epochs the whole run has."""

    def __init__(self, epochs: int, verbose: int):
        super().__init__()
        self._run = {"epochs": epochs, "verbose": verbose}

    def set_params(self, params):
        """Takes `fit`'s parameters, with the run's epochs and verbosity in place of the call's."""
        super().set_params({**params, **self._run})
