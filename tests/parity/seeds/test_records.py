"""Reference points: those in the repository, and damaged or foreign ones."""

import json
from dataclasses import replace

import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES
from mlp_spec.support.errors import UserError
from parity.protocol.seeds import SeedResult
from parity.seeds import records


@pytest.mark.parametrize("name", PRESETS)
def test_both_presets_are_recorded_with_at_least_20_seeds(name):
    record = records.read(records.path_of("recorded", PRESETS[name], None), PRESETS[name])
    assert len(record.seeds) >= 20 and record.experiment.data.dataset == "mnist"
    assert all(one.seconds > 0 and len(one.epoch_seconds) == len(one.history["loss"]) for one in record.seeds)
    assert record.environment["packages"]["tensorflow"] and record.environment["processor"]


def test_the_records_are_small():
    assert 0 < sum(path.stat().st_size for path in records.FOLDER.glob("*.json")) < 500_000


def made(count=3) -> list[SeedResult]:
    return [
        SeedResult(seed, {name: [round(0.1 + seed / 100, 3)] * 10 for name in CURVES}, [0.5] * 10, 5.0, {"cores": 1})
        for seed in range(count)
    ]


@pytest.fixture
def record(tmp_path):
    records.write(tmp_path / "small.json", PRESETS["small"], made())
    return tmp_path / "small.json"


def test_what_is_written_is_read(record):
    found = records.read(record, PRESETS["small"])
    assert found.seeds == made() and found.experiment == PRESETS["small"]


def rewrite(path, change):
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def refused(path, experiment=PRESETS["small"]) -> str:
    with pytest.raises(UserError) as caught:
        records.read(path, experiment)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fields: fields["seeds"][1]["val_acc"].__setitem__(3, 0.9), "SHA-256 differs"),
        (lambda fields: fields["seeds"].pop(), "SHA-256 differs"),
        (lambda fields: fields.pop("seeds"), "KeyError: 'seeds'"),
        (lambda fields: fields.update(schema=9), "its schema is 9"),
        (lambda fields: fields.update(experiment={}), "not an experiment"),
    ],
)
def test_a_damaged_record_is_refused(record, change, words):
    rewrite(record, change)
    assert words in refused(record)


def test_a_truncated_record_is_refused(record):
    record.write_text(record.read_text()[:-50])
    assert "is damaged, or no record" in refused(record)
    record.write_text("[1, 2]")
    refused(record)
    record.write_bytes(b"\xff\xfe")
    refused(record)


def test_a_record_of_the_same_numbers_twice_is_refused(tmp_path):
    seeds = made()
    records.write(tmp_path / "twice.json", PRESETS["small"], [*seeds, replace(seeds[0])])
    assert "stands there twice" in refused(tmp_path / "twice.json")
    records.write(tmp_path / "few.json", PRESETS["small"], seeds[:2])
    assert "3 are needed" in refused(tmp_path / "few.json")


def test_a_record_of_another_experiment_is_refused(record):
    other = replace(PRESETS["small"], training=replace(PRESETS["small"].training, epochs=9))
    assert "training.epochs: 10, not 9" in refused(record, other)
    rewrite(record, lambda fields: fields.update(experiment_hash="0" * 12))
    assert "hash 000000000000" in refused(record)
    seeded = replace(PRESETS["small"], training=replace(PRESETS["small"].training, seed=7))
    assert seeded.hash == PRESETS["small"].hash  # the seed does not make another experiment
