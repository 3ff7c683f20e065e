"""What Keras's own layers give: outputs and statistics, recorded by one process."""

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
