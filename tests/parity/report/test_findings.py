"""What was found is kept in the report, and said in words."""

import json

from sample_reports import ERROR, build_pair_report, build_report, pair_sides

from parity.process import Side
from parity.report import findings
from parity.rungs.check import Check


def test_what_was_found_of_a_pair_file_is_collected():
    found = build_pair_report()["findings"]
    assert found["notes"] == {"keras": [], "lightning": ["the module's output is logits"]}
    assert found["metrics"] == {"loss": None, "accuracy": "train/acc", "val_accuracy": "val"}
    assert [split["samples"] for split in found["data"].values()] == [1500, 297]
    assert found["data"]["train"]["arrays"] == {
        "input": {"shape": [8, 8, 1], "dtype": "float32"}, "target": {"shape": [], "dtype": "int64"},
    }  # fmt: skip
    assert found["tensors"][0] == {
        "keras": "conv/kernel", "lightning": "body.0.weight", "shape": [3, 2], "shape_in_lightning": [2, 3],
    }  # fmt: skip
    assert json.loads(json.dumps(found)) == found


def test_it_is_said_in_words():
    assert findings.describe(build_pair_report()) == [
        ("Lightning", "the module's output is logits"),
        ("Metrics", "accuracy is train/acc, val_accuracy is val; not compared: loss"),
        ("Dropout", "Keras 0.25, candidate 0.25"),
        ("Layers", "conv is body.0, norm is body.1, dense is body.2"),
    ]


def test_dropout_is_said_where_one_side_has_any():
    for candidate, is_said in (("none", False), ("0.5", True)):
        check = Check("rates-of-dropout", "experiment", "pass", candidate, "none", "Keras none")
        subjects = [subject for subject, _ in findings.describe(build_pair_report(checks=[check]))]
        assert ("Dropout" in subjects) == is_said


def test_of_many_layers_the_first_are_said():
    (said,) = [text for name, text in findings.describe(build_pair_report(map(str, range(30)))) if name == "Layers"]
    assert said.startswith("0 is body.0, 1 is body.1") and said.endswith("7 is body.7, and 22 more")


def test_a_layer_whose_tensors_lie_in_several_modules_names_them_all():
    tensors = [{"keras": "mix/a", "lightning": "left.weight"}, {"keras": "mix/b", "lightning": "right.weight"},
               {"keras": "mix/c", "lightning": "left.bias"}, {"keras": "scale", "lightning": "factor"}]  # fmt: skip
    assert findings.pair_layers(tensors) == {"mix": "left and right", "scale": "factor"}


def test_where_a_side_got_nowhere_its_notes_are_all():
    keras, lightning = pair_sides(["dense"])
    lightning.parts.clear()
    report = build_pair_report(checks=[ERROR], sides=(keras, lightning))
    assert [subject for subject, _ in findings.describe(report)] == ["Lightning"]
    report = build_pair_report(checks=[ERROR], sides=(Side(notes=["slow"]), Side()))
    assert findings.describe(report) == [("Keras", "slow")]


def test_the_lab_asks_for_nothing_to_be_found():
    report = build_report()
    assert report["findings"] == {**findings.NOTHING, "notes": {"keras": [], "lightning": []}}
    assert findings.describe(report) == [] and findings.describe({"checks": []}) == []  # an older report has none
