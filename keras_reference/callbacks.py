"""Callbacks for `fit`: the wall time of an epoch, Keras's progress bar for the whole run, and a safe Ctrl-C."""

import signal
import threading
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


class CtrlC(keras.callbacks.Callback):
    """Keeps a first Ctrl-C until a batch begins; within `with`, and where Python's own handler was in force.

    On TensorFlow, Keras reads the results of a batch in a thread of its own. An exception that ends `fit` in the
    midst of TensorFlow's code leaves that thread behind: 3 of 100 processes so interrupted died of a damaged heap.
    A second Ctrl-C is raised at once.

    Raises:
        KeyboardInterrupt: where a batch begins, or at the end of `with`.
    """

    is_asked = False

    def __enter__(self):
        self._handler = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()  # no other thread may set a handler
        if is_main and self._handler is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.ask)
        return self

    def __exit__(self, kind, error, traceback):
        if signal.getsignal(signal.SIGINT) == self.ask:
            signal.signal(signal.SIGINT, self._handler)
        if kind is None:
            self.stop_if_asked()

    def ask(self, number, frame):
        """Handles the signal."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True

    def stop_if_asked(self):
        """Raises what the signal asked for."""
        if self.is_asked:
            raise KeyboardInterrupt

    def on_train_batch_begin(self, batch, logs=None):
        """Stops the training."""
        self.stop_if_asked()

    def on_test_batch_begin(self, batch, logs=None):
        """Stops the validation."""
        self.stop_if_asked()
