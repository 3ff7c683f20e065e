"""What Keras's own layers give: outputs and statistics, recorded by one process."""

import json
from pathlib import Path

import numpy as np
from conftest import run_python

CODE = """
import itertools, json, sys
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
import keras
from keras import layers

arrays, cases = {}, []
generator = np.random.default_rng(0)


def record(kind, layer, x, **options):
    y = layer(x)
    name = f"{kind}-{len(cases)}"
    arrays.update({f"{name}/x": x, f"{name}/y": np.asarray(y)})
    arrays.update({f"{name}/{weight.name}": np.asarray(weight) for weight in layer.weights})
    cases.append({"kind": kind, "name": name, **options})


for size, kernel, stride, padding in itertools.product((7, 8), (1, 2, 3, 4), (1, 2, 3), ("valid", "same", "causal")):
    x = generator.standard_normal((2, size, 3)).astype("float32")
    record("Conv1d", layers.Conv1D(4, kernel, stride, padding), x, kernel_size=kernel, stride=stride, padding=padding)
for padding in ("same", "causal"):
    x = generator.standard_normal((2, 9, 3)).astype("float32")
    record("Conv1d", layers.Conv1D(4, 3, 1, padding, dilation_rate=2), x, kernel_size=3, dilation=2, padding=padding)
for shape, padding in itertools.product(((7, 8), (6, 9)), ("valid", "same")):
    x = generator.standard_normal((2, *shape, 3)).astype("float32")
    options = {"kernel_size": (3, 2), "stride": (2, 3), "padding": padding}
    record("Conv2d", layers.Conv2D(4, (3, 2), (2, 3), padding), x, **options)
for size, kernel, stride, padding in itertools.product((7, 8), (2, 3), (1, 2, None), ("valid", "same")):
    x = generator.standard_normal((2, size, 3)).astype("float32")
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    record("MaxPool1d", layers.MaxPooling1D(kernel, stride, padding), x, **options)
    record("AvgPool1d", layers.AveragePooling1D(kernel, stride, padding), x, **options)
    x = generator.standard_normal((2, size, 6, 3)).astype("float32")
    options["kernel_size"] = kernel, 2
    record("MaxPool2d", layers.MaxPooling2D((kernel, 2), stride, padding), x, **options)
    record("AvgPool2d", layers.AveragePooling2D((kernel, 2), stride, padding), x, **options)

for shape, padding in itertools.product(((5, 4, 6), (4, 7, 3)), ("valid", "same")):
    x = generator.standard_normal((2, *shape, 3)).astype("float32")
    options = {"kernel_size": (3, 2, 2), "stride": (2, 1, 2), "padding": padding}
    record("Conv3d", layers.Conv3D(4, (3, 2, 2), (2, 1, 2), padding), x, **options)
    record("MaxPool3d", layers.MaxPooling3D((3, 2, 2), (2, 1, 2), padding), x, **options)
    record("AvgPool3d", layers.AveragePooling3D((3, 2, 2), (2, 1, 2), padding), x, **options)
for kernel, stride, padding in itertools.product((1, 2, 3, 4, 5), (1, 2, 3), ("valid", "same")):
    x = generator.standard_normal((2, 5, 3)).astype("float32")
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    layer = layers.Conv1DTranspose(4, kernel, stride, padding, bias_initializer="ones")
    record("ConvTranspose1d", layer, x, **options)
    for added in range(stride) if kernel > 1 else ():
        try:
            layer = layers.Conv1DTranspose(4, kernel, stride, padding, output_padding=added)
            record("ConvTranspose1d", layer, x, output_padding=added, **options)
        except Exception:  # a length that TensorFlow has no inverse for
            pass
for padding in ("valid", "same"):
    x = generator.standard_normal((2, 4, 5, 3)).astype("float32")
    options = {"kernel_size": (3, 2), "stride": (2, 3), "padding": padding}
    record("ConvTranspose2d", layers.Conv2DTranspose(4, (3, 2), (2, 3), padding), x, **options)
    x = generator.standard_normal((2, 3, 2, 4, 3)).astype("float32")
    options = {"kernel_size": (3, 2, 5), "stride": (2, 2, 1), "padding": padding}
    record("ConvTranspose3d", layers.Conv3DTranspose(4, (3, 2, 5), (2, 2, 1), padding), x, **options)
    x = generator.standard_normal((2, 8, 3)).astype("float32")
    options = {"kernel_size": 3, "stride": 2, "padding": padding, "depth_multiplier": 2}
    record("SeparableConv1d", layers.SeparableConv1D(4, 3, 2, padding, depth_multiplier=2), x, **options)
    x = generator.standard_normal((2, 8, 7, 3)).astype("float32")
    record("SeparableConv2d", layers.SeparableConv2D(4, 3, 2, padding, depth_multiplier=2), x, **options)
    record("DepthwiseConv2d", layers.DepthwiseConv2D(3, 2, padding, 2), x, **options)
for shape, shared in (((5, 4, 3), None), ((5, 4, 3), (1, 2)), ((5, 4, 3), (1,)), ((3,), None), ((6, 3), None)):
    x = generator.standard_normal((2, *shape)).astype("float32")
    record("PReLU", layers.PReLU("random_normal", shared_axes=shared), x, shape=shape, shared=shared)

for shape in ((6, 3), (2, 5, 4, 3), (2, 5, 3), (2, 2, 3, 2, 3)):
    layer, name = layers.BatchNormalization(), f"norm-{len(shape)}"
    for step in range(3):
        x = (generator.standard_normal(shape) * 3 + 2).astype("float32")
        y = np.asarray(layer(x, training=True))
        arrays.update({f"{name}/{step}/x": x, f"{name}/{step}/y": y})
        arrays.update({f"{name}/{step}/{weight.name}": np.asarray(weight) for weight in layer.weights})
    arrays[f"{name}/evaluated"] = np.asarray(layer(x, training=False))
np.savez(sys.argv[1], cases=np.array(json.dumps(cases)), **arrays)
"""


def record(path: Path) -> dict[str, np.ndarray]:
    """Returns arrays by name; `cases` is what was recorded, as JSON."""
    ended = run_python("-c", CODE, str(path))
    assert ended.status == 0, ended.err
    with np.load(path) as file:
        return dict(file)


def channels_first(array: np.ndarray) -> np.ndarray:
    """Turns (N, ..., C), as Keras has it, into (N, C, ...)."""
    return np.moveaxis(array, -1, 1).copy()


def cases_of(kind, recorded):
    """Yields what was recorded of a kind: its options, input and output (channels first), and its weights."""
    for case in json.loads(str(recorded["cases"])):
        start = case.pop("name") + "/"
        if case.pop("kind") == kind:
            arrays = {key.removeprefix(start): value for key, value in recorded.items() if key.startswith(start)}
            options = {key: tuple(value) if isinstance(value, list) else value for key, value in case.items()}
            yield options, channels_first(arrays.pop("x")), channels_first(arrays.pop("y")), arrays
