"""Records: whatever a process answers comes back whole, and a recording of anything else is refused."""

from dataclasses import fields, replace

import numpy as np
import pytest
import sample_records

from mlp_spec.experiment import PRESETS
from parity.protocol import recording
from parity.protocol.callbacks import Callback
from parity.protocol.law import RandomCall, SilentPass
from parity.protocol.recording import BadRecordingError, Recording
from parity.protocol.records import (
    PARTS,
    Answer,
    Cases,
    Contents,
    Decisions,
    Draws,
    Floor,
    LayerCall,
    LayerOutputs,
    LayerPasses,
    Means,
    Numbers,
    Predictions,
    RandomOutputs,
    Record,
    Replay,
    Restarts,
    Run,
    Snapshot,
    Steps,
    Trial,
    Trials,
    stamped,
)

WEIGHTS = {tensor.path: np.random.default_rng(0).random(tensor.shape, np.float32) for tensor in sample_records.TABLE}
CURVES = {"loss": np.array([0.5, 0.25]), "acc": np.array([np.nan, 1.0])}
ANSWER = Answer(np.ones((2, 3)), np.array([1.5]), WEIGHTS)
CALL = LayerCall("dense", np.ones((2, 3)), np.zeros((2, 4)), np.full((2, 3), 0.5))
EXAMPLES = {
    "facts": sample_records.make_facts(),
    "initial_weights": Draws(weights=WEIGHTS),
    "cases": replace(sample_records.make_cases(sample_records.SOUND), variants=[{"the start": ANSWER}] * 2),
    "layers": LayerOutputs(
        in_place=LayerPasses([CALL, LayerCall("dense_1", None, why_not="called twice")], [CALL]),
        training_rows=8,
        alone=LayerPasses([CALL], [CALL], [CALL]),
        variants=[LayerPasses([CALL], [])],
    ),
    "random_layers": RandomOutputs(
        calls=[RandomCall("a", 0.5, np.ones((2, 3)), {"mean": np.ones(4)}), RandomCall("b", why_not="it is random")],
        silent=np.zeros((2, 3)),
        draws=np.ones((4, 2, 3)),
        variants=[SilentPass([np.ones((2, 3)), None], np.zeros((2, 3)))],
    ),
    "callbacks": Decisions(
        callbacks=[Callback("EarlyStopping", "stops the training", "val_loss", {"patience": 3, "baseline": None})],
        stops=np.array([0, 4]),
        weights=np.array([24, 4]),
        rates=np.empty((0, 0)),
        loaded=np.zeros((1, 2, 24), int),
        kept=np.zeros((1, 2, 24), bool),
        step_rates=np.empty(0),
        updates=np.array([False, True]),
        accumulation=2,
        lists={"flat": np.full(24, 0.5)},
        steps=7,
        epochs=2,
    ),
    "optimizer": Replay(weights=WEIGHTS, gradients=np.ones((2, 5)), start=WEIGHTS, variants=[WEIGHTS], updates=3),
    "metrics": Means(curves=CURVES, batches=[np.ones((2, 4)), np.ones((3, 4))]),
    "lockstep": Steps(
        losses=np.arange(3.0),
        curves=CURVES,
        final=WEIGHTS,
        epoch_seconds=[0.5, 1.5],
        snapshots=[Snapshot(WEIGHTS, {"velocity": WEIGHTS}, 7), Snapshot(WEIGHTS, {}, 0)],
        path={"steps_per_execution": 100, "compiled": True, "why_not": None},
    ),
    "interchange": Predictions(probabilities=np.ones((4, 3)), variants=[np.zeros((4, 3))]),
    "floor": Floor(
        variants=[Run(np.ones(3), CURVES, probabilities=np.ones((2, 3))), Run(np.ones(1), {})], horizon_reached=True
    ),
    "restarts": Restarts(losses=np.ones(3), variants=[np.ones(3)], epoch_seconds=[0.5]),
    "read": Contents(experiment={"a": 1}, run=None, tensors=sample_records.TABLE, weights=WEIGHTS, source="a.keras"),
    "snippets": Numbers(numbers={"a": [1.0, 2.5, float("inf")]}),
    "trials": Trials(
        trials=[Trial("cases", ("a",)), Trial("cases", ("a", "b"))], changes={"a": ["write 1"]}, refused={"b": "frozen"}
    ),
}


def assert_same(ours, theirs) -> None:
    """Checks that two records hold the same values, arrays to the bit."""
    assert type(ours) is type(theirs)
    one, other = ours.to_recording(), theirs.to_recording()
    assert one.metadata == other.metadata and list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        assert (array.dtype, array.shape) == (other.arrays[name].dtype, other.arrays[name].shape), name
        assert array.tobytes() == other.arrays[name].tobytes(), name


def test_every_part_has_an_example_here():
    assert EXAMPLES.keys() | {"write"} == PARTS.keys()  # which answers as `read` does
    assert all(type(EXAMPLES[part]) is PARTS[part] for part in EXAMPLES)


@pytest.mark.parametrize("part", EXAMPLES)
def test_a_record_comes_back_from_its_file(part, tmp_path):
    record = EXAMPLES[part]
    whole = record.to_recording()
    recording.write(tmp_path / "a.npz", whole.arrays, whole.metadata)
    back = PARTS[part].from_recording(recording.read(tmp_path / "a.npz"))
    assert_same(back, record)
    for field in fields(record):  # dataclasses, tuples and lists come back as what they were
        assert type(getattr(back, field.name)) is type(getattr(record, field.name)), field.name


def test_the_names_of_arrays_say_where_they_stand():
    assert list(EXAMPLES["restarts"].to_recording().arrays) == ["losses", "variants/0"]
    assert {"final/dense/kernel", "snapshots/0/moments/velocity/dense_1/bias"} <= set(
        EXAMPLES["lockstep"].to_recording().arrays
    )
    assert "answers/the start/gradients/dense/kernel" in EXAMPLES["cases"].to_recording().arrays


@pytest.mark.parametrize("part", EXAMPLES)
def test_a_missing_array_is_refused(part):
    whole = EXAMPLES[part].to_recording()
    for name in whole.arrays:
        arrays = {key: array for key, array in whole.arrays.items() if key != name}
        with pytest.raises(BadRecordingError, match="the recording is damaged"):
            PARTS[part].from_recording(Recording(arrays, whole.metadata))


@pytest.mark.parametrize("part", EXAMPLES)
def test_an_array_too_many_is_refused(part):
    whole = EXAMPLES[part].to_recording()
    with pytest.raises(BadRecordingError, match="unknown arrays: dense_9/kernel"):
        PARTS[part].from_recording(Recording({**whole.arrays, "dense_9/kernel": np.ones(2)}, whole.metadata))


@pytest.mark.parametrize("part", EXAMPLES)
def test_another_parts_recording_is_refused(part):
    other = next(record for record in EXAMPLES.values() if type(record) is not PARTS[part])
    with pytest.raises(BadRecordingError, match=f"holds {type(other).__name__}, not {PARTS[part].__name__}"):
        PARTS[part].from_recording(other.to_recording())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fields: fields.pop("losses"), "a Restarts has the fields"),
        (lambda fields: fields.update(more=1), "a Restarts has the fields"),
        (lambda fields: fields.update(losses=None), "TypeError"),
        (lambda fields: fields.update(losses={"array": "losses"}), "KeyError"),
        (lambda fields: fields.update(variants=3), "TypeError"),
    ],
)
def test_metadata_of_another_form_is_refused(change, words):
    whole = EXAMPLES["restarts"].to_recording()
    change(whole.metadata["fields"])
    with pytest.raises(BadRecordingError, match=words):
        Restarts.from_recording(whole)


def test_metadata_without_a_record_is_refused():
    with pytest.raises(BadRecordingError, match="holds None, not Facts"):
        PARTS["facts"].from_recording(Recording({}, {}))
    with pytest.raises(BadRecordingError, match="KeyError: 'fields'"):
        PARTS["facts"].from_recording(Recording({}, {"record": "Facts"}))


def test_a_record_is_stamped_with_its_experiment_and_seconds():
    record = stamped(Record(), PRESETS["small"], 2.5)
    assert record == Record(run_id=PRESETS["small"].run_id, experiment_hash=PRESETS["small"].hash, seconds=2.5)
    assert stamped(Record(), None, 2.5) == Record(seconds=2.5)


def test_cases_hold_the_cases_themselves_on_the_reference_side():
    reference = sample_records.make_cases()
    assert_same(Cases.from_recording(reference.to_recording()), reference)
    assert reference.cases.keys() == reference.answers.keys() and len(reference.variants) == 3
