"""The report: its verdict follows the checks, its schema is the published one, one sentence says the verdict."""

import json
from dataclasses import replace

import pytest
from sample_records import make_sides
from sample_reports import CHECKS, ERROR, FAILED, build_pair_report, build_report, pair_sides, trained_side

from mlp_spec.experiment import PRESETS
from parity.process import Side
from parity.report import build


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        (CHECKS, "pass"),
        ([*CHECKS, FAILED], "fail"),
        ([*CHECKS, ERROR], "could-not-run"),
        ([*CHECKS, ERROR, FAILED], "fail"),
        ([], "could-not-run"),
        (CHECKS[2:], "could-not-run"),
    ],
)
def test_the_verdict_follows_the_checks(checks, verdict):
    assert build_report(checks)["verdict"] == verdict
    assert set(build.EXIT_STATUS) == {"pass", "fail", "could-not-run"}


def test_the_schema_is_the_published_one():
    report = build_report()
    assert report["schema"] == 1
    assert {"schema", "verdict", "experiment", "environment", "checks"} <= set(report)
    for check in report["checks"]:
        assert {"id", "name", "status", "rung", "measured", "limit", "noise_floor", "detail"} == set(check)
    assert report["environment"]["devices"] == {"keras": "cpu", "lightning": "gpu"}
    assert report["experiment"]["hash"] == PRESETS["small"].hash
    assert json.loads(json.dumps(report)) == report


def test_one_sentence_says_the_verdict():
    assert (
        build.sentence(build_report()) == "PARITY: Keras and Lightning agree on small on mnist (2 of 2 checks passed)."
    )
    why = {"not_compared": "keras_model() is not compiled"}
    left_out = [replace(CHECKS[0], status="info", rung=rung, more=why) for rung in ("gradients", "speed")]
    assert build.sentence(build_report([*CHECKS, *left_out])) == (
        "PARITY: Keras and Lightning agree on small on mnist as far as it could be compared (2 of 2 checks passed). "
        "Not compared: gradients, speed (keras_model() is not compiled)."
    )
    in_part = replace(left_out[0], rung=CHECKS[0].rung)
    assert f"Not compared: {CHECKS[0].rung} in part (keras" in build.sentence(build_report([*CHECKS, in_part]))
    failed = build.sentence(build_report([*CHECKS, ERROR, FAILED]))
    assert (
        failed.startswith("NO PARITY") and "(1 check failed, the first: lockstep / curve acc; 1 could not be" in failed
    )
    assert build.sentence(build_report([ERROR])).startswith("COULD NOT RUN")


def test_a_pair_file_has_no_data_set_by_name():
    assert build.sentence(build_pair_report(departs_from=9)) == (
        "PARITY: Keras and Lightning agree on mine (4 of 4 checks passed)."
    )
    assert not build.is_of_lab(build_pair_report()) and build.is_of_lab(build_report())


def test_the_curves_of_a_pair_file_are_paired_by_what_was_found():
    histories = build.paired_histories(build_pair_report())
    assert list(histories["keras"]) == ["loss", "accuracy", "val_accuracy"]
    assert histories["lightning"] == {"accuracy": [0.5, 0.375, 0.25], "val_accuracy": [0.5, 0.375]}
    keras, lightning = pair_sides(["dense"])
    lightning.parts.clear()
    assert set(build.paired_histories(build_pair_report(sides=(keras, lightning)))) == {"keras"}
    lab = build_report()
    assert build.paired_histories(lab) == {name: side["history"] for name, side in lab["sides"].items()}


def test_a_side_is_described_by_what_it_recorded():
    side = build.describe_side(Side(dict(make_sides()[0].parts)))
    assert [layer["outputs"] for layer in side["layers"]] == [6, 5, 3] and side["parameters"] == 131
    assert list(side["history"]) == ["loss", "acc", "val_loss", "val_acc"] and len(side["history"]["loss"]) == 4
    assert side["device"] == "cpu" and side["epoch_seconds"] == [0.5] * 4
    assert json.loads(json.dumps(side)) == side


@pytest.mark.parametrize("part", ["facts", "lockstep"])
def test_a_side_that_has_not_trained_is_none(part):
    parts = {name: record for name, record in make_sides()[0].parts.items() if name != part}
    assert build.describe_side(Side(parts)) is None


def test_a_report_without_any_answer_is_built_and_was_not_decided():
    report = build_report([ERROR], (Side(), Side()))
    assert report["verdict"] == "could-not-run" and report["sides"] == {"keras": None, "lightning": None}
    assert report["environment"]["devices"] == {"keras": None, "lightning": None}
    assert json.loads(json.dumps(report)) == report


def test_what_stands_in_our_place_is_named():
    keras, lightning = trained_side("cpu"), trained_side("cpu")
    lightning.parts["facts"] = replace(lightning.parts["facts"], candidate="port.py:Mine")
    assert build_report(sides=(keras, lightning))["candidate"] == {
        "candidate": "port.py:Mine",
        "candidate_datamodule": None,
    }


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.00012345, "0.000123"), (12345, "12,345"), ("not a number", "not a number")]
)
def test_values_are_shown_as_people_read_them(value, text):
    assert build.shown(value) == text


def test_a_users_pair_is_said_by_what_it_is_made_of():
    of_file = {"sha256": "0" * 64}
    assert build.subject_of({"pair_file": of_file}) == "pair file"
    assert build.subject_of({"pair_file": of_file, "lab": {}}) == "targets"
    assert build.subject_of({"pair_file": {"sha256": ""}, "lab": {}}) == "parts of the lab"
