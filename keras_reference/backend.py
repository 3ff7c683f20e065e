"""Chooses Keras's backend, device and precision, before `keras` is imported for the first time."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from mlp_spec.support.errors import UserError

PACKAGES = ("keras", "tensorflow", "numpy")
BACKENDS = ("tensorflow", "jax", "torch")


def chosen() -> str:
    """Returns the backend that the environment variable KERAS_BACKEND names; TensorFlow if it is not set.

    Raises:
        UserError: Keras has no such backend.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise UserError(f"KERAS_BACKEND is {name!r}; it must be one of {', '.join(BACKENDS)}")
    return name


def start(accelerator: str, precision: str, backend: str = "tensorflow") -> str:
    """Imports Keras on a backend and returns the device it will train on, `cpu` or `gpu`.

    Args:
        accelerator: `auto` takes a GPU if the backend sees one.
        precision: Keras's `floatx`, `float32` or `float64`.
        backend: `tensorflow`, `jax` or `torch`.

    Raises:
        UserError: the backend is not installed, or a GPU is required and the backend sees none.
        RuntimeError: Keras was imported before, on another backend.
    """
    os.environ["KERAS_BACKEND"] = backend
    # JAX would take three quarters of a GPU's memory at once; other processes, such as the candidate's, need some, too
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if accelerator == "cpu":  # read once, when the backends are imported
        os.environ |= {"KERAS_TORCH_DEVICE": "cpu", "JAX_PLATFORMS": "cpu"}
    starters = {"tensorflow": start_tensorflow, "jax": start_jax, "torch": start_torch}
    try:
        with quiet_start():
            import keras

            import_module(backend)
            # A user's ~/.keras/keras.json may say otherwise, and both decide results.
            keras.config.set_floatx(precision)
            keras.config.set_epsilon(1e-7)
            if backend != "tensorflow":  # seeding and saving would import it, too: two frameworks in a process can hang
                import_module("keras.src.utils.module_utils").tensorflow._available = False
            device = starters[backend](accelerator, precision)
    except ModuleNotFoundError as error:
        extra = " (pip install 'keras-lightning-parity[jax]')" if backend == "jax" else ""
        raise UserError(f"Keras cannot start on {backend}: there is no module {error.name}{extra}") from error
    if (running := keras.backend.backend()) != backend:
        raise RuntimeError(f"Keras was imported before its backend was chosen: it runs on {running}, not on {backend}")
    if accelerator == "gpu" and device != "gpu":
        raise UserError(f"--accelerator gpu: {backend} sees no GPU here; use --accelerator cpu or auto")
    return device


def start_jax(accelerator: str, precision: str) -> str:
    """Sets JAX's precision."""
    import jax

    jax.config.update("jax_enable_x64", precision == "float64")
    jax.config.update("jax_default_matmul_precision", "highest")  # no TF32
    return "gpu" if any(device.platform == "gpu" for device in jax.devices()) else "cpu"


def start_torch(accelerator: str, precision: str) -> str:
    """Sets torch's threads and precision: its convolutions use TF32 by default, its matrix products do not."""
    import torch

    torch.backends.cudnn.allow_tf32 = False

    if accelerator != "cpu" and torch.cuda.is_available():
        return "gpu"
    torch.set_num_threads(1)  # on small products, threads cost more in waiting than they save
    return "cpu"


def start_tensorflow(accelerator: str, precision: str) -> str:
    """Sets TensorFlow's device and precision."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if accelerator == "cpu":
        tf.config.set_visible_devices([], "GPU")
    # TensorFlow rounds float32 matrices to 10 bits on a GPU (TF32) by default; PyTorch does not.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    return "gpu" if gpus and accelerator != "cpu" else "cpu"


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hides what TensorFlow's C++ code prints while it starts and looks for a GPU; prints it if the start fails.

    That code writes to the file descriptor before its log level takes effect, so replacing `sys.stderr` is too late.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        except BaseException:
            buffer.seek(0)
            os.write(stderr, buffer.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
