"""Chooses Keras's backend, device and precision, before `keras` is imported for the first time."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from mlp_spec.errors import UserError

PACKAGES = ("keras", "tensorflow", "numpy")


def start(accelerator: str, precision: str) -> str:
    """Imports Keras on TensorFlow and returns the device it will train on, `cpu` or `gpu`.

    Args:
        accelerator: `auto` takes a GPU if TensorFlow sees one.
        precision: Keras's `floatx`, `float32` or `float64`.

    Raises:
        UserError: a GPU is asked for and TensorFlow sees none.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_import():
        import keras
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")

    # A user's ~/.keras/keras.json may say otherwise, and both decide results.
    keras.config.set_floatx(precision)
    keras.config.set_epsilon(1e-7)
    if accelerator == "gpu" and not gpus:
        raise UserError("--accelerator gpu: TensorFlow sees no GPU here; use --accelerator cpu or auto")
    if accelerator == "cpu":
        tf.config.set_visible_devices([], "GPU")
    # TensorFlow rounds float32 matrices to 10 bits on a GPU (TF32) unless told not to; PyTorch does not.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return "gpu" if gpus and accelerator != "cpu" else "cpu"


@contextmanager
def quiet_import() -> Iterator[None]:
    """Holds back what TensorFlow's C++ side prints while it starts; shows it if the import fails.

    It writes to the file descriptor before its own log level counts, so Python's `sys.stderr` is too late.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
