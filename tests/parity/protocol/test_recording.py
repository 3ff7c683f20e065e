"""Recordings: what is written comes back to the bit, and anything else is refused."""

import gc
import io
import json
import math
import warnings
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from parity.protocol import recording
from parity.protocol.recording import BadRecordingError, from_document, to_document

ARRAYS = {
    "initial/dense/kernel": np.random.default_rng(0).random((7, 3)),
    "initial/dense/bias": np.zeros(3, np.float32),
    "order": np.arange(5),
    "nothing": np.zeros((0, 4), np.float32),
}
METADATA = {"framework": "keras", "history": {"loss": [0.1, 1 / 3]}, "words": "größer", "none": None}


@pytest.fixture
def path(tmp_path):
    """A whole recording."""
    recording.write(tmp_path / "recording.npz", ARRAYS, METADATA)
    return tmp_path / "recording.npz"


def npy(array, **options):
    """An array as the bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def put_zip(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def test_arrays_and_metadata_come_back_to_the_bit(path):
    back = recording.read(str(path))
    assert list(back.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (back.arrays[name].dtype, back.arrays[name].shape) == (array.dtype, array.shape)
        assert back.arrays[name].tobytes() == array.tobytes()
    assert back.metadata == METADATA


def test_a_diverged_history_comes_back(tmp_path):
    recording.write(tmp_path / "r.npz", {}, {"loss": [math.nan, math.inf]})
    loss = recording.read(tmp_path / "r.npz").metadata["loss"]
    assert math.isnan(loss[0]) and loss[1] == math.inf


def test_not_a_number_in_an_array_comes_back(tmp_path):
    array = np.array([np.nan, -0.0, np.inf], np.float32)
    recording.write(tmp_path / "r.npz", {"weights": array}, {})
    assert recording.read(tmp_path / "r.npz").arrays["weights"].tobytes() == array.tobytes()


def test_writing_replaces_an_older_recording(path):
    recording.write(path, {}, {"new": True})
    assert recording.read(path) == recording.Recording({}, {"new": True})
    assert [entry.name for entry in path.parent.iterdir()] == ["recording.npz"]


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("no array")

    with pytest.raises(RuntimeError, match="no array"):
        recording.write(tmp_path / "r.npz", {"good": np.zeros(3), "broken": Broken()}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_the_older_recording(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        recording.write(path, ARRAYS, {"not": {1, 2}})
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["recording.npz"]


def refused(path):
    with pytest.raises(BadRecordingError) as caught:
        recording.read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    refused(tmp_path / "nowhere.npz")


def test_a_folder_is_refused(tmp_path):
    refused(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_recording_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path)


@pytest.mark.parametrize("content", [b"", b"Hello", b'{"loss": 1}', b"\x93NUMPY", b"PK\x03\x04", bytes(1000)])
def test_another_kind_of_file_is_refused(tmp_path, content):
    (tmp_path / "r.npz").write_bytes(content)
    refused(tmp_path / "r.npz")


def test_a_single_array_is_refused(tmp_path):
    (tmp_path / "r.npz").write_bytes(npy(np.zeros(3)))
    refused(tmp_path / "r.npz")


def test_a_refused_file_is_closed_again(path):
    path.write_bytes(path.read_bytes()[:-30])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        refused(path)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_pickled_objects_are_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    text = npy(np.frombuffer(b"{}", np.uint8))
    trap = npy(np.array([Trap()], dtype=object), allow_pickle=True)
    put_zip(tmp_path / "r.npz", **{"metadata.json.npy": text, "weights.npy": trap})
    assert "pickle" in refused(tmp_path / "r.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_recording_without_metadata_is_refused(tmp_path):
    np.savez(tmp_path / "r.npz", weights=np.zeros(3))
    assert "metadata.json" in refused(tmp_path / "r.npz")


def test_metadata_that_is_no_array_is_refused(tmp_path):
    put_zip(tmp_path / "r.npz", **{"metadata.json": "{}"})
    refused(tmp_path / "r.npz")


def test_metadata_that_is_no_json_is_refused(tmp_path):
    np.savez(tmp_path / "r.npz", **{"metadata.json": np.frombuffer(b'{"loss": ', np.uint8)})
    refused(tmp_path / "r.npz")


@pytest.mark.parametrize("metadata", [[], "text", 3, None])
def test_metadata_that_is_no_object_is_refused(tmp_path, metadata):
    recording.write(tmp_path / "r.npz", ARRAYS, metadata)
    assert "the metadata is not an object" in refused(tmp_path / "r.npz")


def test_a_flipped_bit_is_refused_wherever_it_changes_a_value(tmp_path):
    path = tmp_path / "r.npz"
    recording.write(path, {"weights": np.arange(6, dtype=np.float32)}, {"framework": "keras"})
    content, refused_bits = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        try:
            back = recording.read(path)
        except BadRecordingError:
            refused_bits += 1
            continue
        # What zip keeps beside the values, such as a file's time, may change; the values must not.
        assert back.metadata == {"framework": "keras"}, place
        assert [array.tolist() for array in back.arrays.values()] == [[0, 1, 2, 3, 4, 5]], place
    assert refused_bits > len(content) / 2


def test_metadata_is_plain_json_inside(path):
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(file["metadata.json"].tobytes()) == METADATA


# ---- dataclasses as documents


@dataclass(frozen=True)
class Inner:
    """Stands inside another one."""

    weights: dict[str, np.ndarray]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Outer:
    """Has every kind of field that a record has."""

    name: str
    arrays: list[np.ndarray]
    inner: list[Inner]
    maybe: Inner | None
    array: np.ndarray | None
    words: dict


def test_a_dataclass_comes_back_from_plain_values_and_arrays():
    inner = Inner({"dense/kernel": np.ones((2, 3))}, (2, 3))
    outer = Outer("größer", [np.zeros(2)], [inner], None, np.arange(3), {"a": [1, None]})
    arrays = {}
    document = to_document(outer, arrays)
    assert list(arrays) == ["arrays/0", "inner/0/weights/dense/kernel", "array"]
    back = from_document(Outer, json.loads(json.dumps(document)), arrays)
    assert (back.name, back.maybe, back.words) == ("größer", None, {"a": [1, None]})
    assert back.inner[0].sizes == (2, 3) and back.inner[0].weights["dense/kernel"] is inner.weights["dense/kernel"]
    assert back.arrays[0] is outer.arrays[0] and back.array is outer.array


def test_a_class_that_writes_itself_is_asked_to():
    class Own:
        def to_dict(self):
            return {"own": 1}

        @classmethod
        def from_dict(cls, fields):
            return fields["own"]

    assert to_document({"a": Own()}, {}) == {"a": {"own": 1}}
    assert from_document(dict[str, Own], {"a": {"own": 1}}, {}) == {"a": 1}


@pytest.mark.parametrize(
    "document", [{"weights": {}}, {"weights": {}, "sizes": [], "more": 1}, {"weights": 3, "sizes": []}, None, "text"]
)
def test_a_document_of_another_form_is_refused(document):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        from_document(Inner, document, {})
