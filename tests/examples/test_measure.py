"""What the examples' READMEs show: made of reports alone, in one form; a wrong verdict is said."""

import json

import pytest
from conftest import assert_user_error, run_python

from examples import measure
from examples.measure import EXAMPLES, HERE, MARKS, MeasureFlags


def a_check(name="forward/probabilities", status="pass", measured=2.0e-6, floor=1.0e-6, **more):
    """Returns a check as a report holds it."""
    detail = "limit: 10 times the floor; worst at the start: probabilities[1, 2]"
    limit = None if floor is None else 10 * floor
    return {"id": name, "status": status, "measured": measured, "limit": limit, "noise_floor": floor} | {
        "detail": detail, "name": "x", "cause": None, **more,
    }  # fmt: skip


def a_report(verdict, checks, history=None):
    """Returns a report, as far as it is read here."""
    packages = dict.fromkeys(("keras", "tensorflow", "jax", "lightning", "torch", "numpy"), "1.0")
    return {
        "verdict": verdict,
        "created": "2026-01-02T03:04:05+00:00",
        "level": "quick",
        "experiment": {"training": {"batch_size": 32, "epochs": 7, "seed": 0, "precision": "float32"}},
        "environment": {"processor": "P", "cores": 2, "packages": packages, "keras_backend": "jax", "python": "3"},
        "sides": {"keras": {"history": history or {}}, "lightning": None},
        "checks": checks,
    }


FIRST = a_report("fail", [a_check("data/train-rows", floor=None), a_check(status="fail", measured=0.25)])
RIGHT = a_report(
    "pass",
    [a_check(), a_check("lockstep/batch-loss", largest_ratio_to_floor=2.75), a_check("speed/x", "info", floor=None)],
    {"val_loss": [2.0, 1.25], "val_acc": [0.5, 0.75]},
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_readme_shows_what_was_measured(name):
    measured = json.loads((HERE / name / "measured.json").read_text())
    readme = (HERE / name / "README.md").read_text()
    assert measure.insert_tables(readme, measure.render(name, measured), MARKS) == readme, "run examples.measure"
    assert {port: found["verdict"] for port, found in measured["ports"].items()} == measure.PORTS
    assert measured["level"] == "full" and measured["training"]["precision"] == "float32"


def test_tables_hold_what_failed_and_how_far_the_right_port_is():
    text = measure.render("digits_cnn", measure.summarize({"first": FIRST, "right": RIGHT}))
    assert text.startswith("P, 2 cores; keras 1.0, jax 1.0, lightning 1.0, torch 1.0, numpy 1.0; 2026-01-02;\n")
    assert "quick level, float32, seed 0, 7 epochs.\n" in text
    assert "**The first port: no parity, 1 of 2 checks failed.**" in text
    assert "| `forward/probabilities` | 0.25 | 1e-05 | worst at the start: probabilities[1, 2] |" in text
    assert "**The right port: parity, 2 of 2 checks passed.**\n\nAt most 2.8 noise floors apart; 10 are" in text
    assert "| `forward/probabilities` | 2e-06 | 1e-06 | 2 |\n| `lockstep/batch-loss` | 2e-06 | 1e-06 | 2.8 |" in text
    assert text.endswith("\nAfter the last epoch: Keras val_loss 1.2500, val_acc 0.7500.")
    assert "speed" not in text and "acc" not in measure.render_results("diabetes", {"keras": {"val_loss": [1.0]}})[0]


@pytest.mark.parametrize(
    ("measured", "floor", "expected"), [(3.0, 2.0, 1.5), ("not a number", 2.0, None), (3, None, None)]
)
def test_a_check_is_so_many_floors_away(measured, floor, expected):
    assert measure.noise_floors(a_check(measured=measured, floor=floor)) == expected


def copied(monkeypatch, folder, reports):
    """Puts copies of the READMEs in the place of the examples, and reports in the place of the checks."""
    for name in EXAMPLES:
        (folder / name).mkdir()
        (folder / name / "README.md").write_text(f"before\n{MARKS[0]}\n{MARKS[1]}\nafter\n")
    monkeypatch.setattr(measure, "HERE", folder)
    monkeypatch.setattr(measure, "check", lambda name, port, *_: reports[port])


def test_the_command_writes_tables_and_numbers_of_what_was_asked(monkeypatch, tmp_path):
    copied(monkeypatch, tmp_path, {"first": FIRST, "right": RIGHT})
    options = MeasureFlags(("diabetes",), "quick", str(tmp_path / "run"))
    assert measure.measure(options) == 0
    text = (tmp_path / "diabetes" / "README.md").read_text()
    assert text.startswith("before\n<!--") and text.endswith("-->\nafter\n") and "At most 2.8 noise floors" in text
    assert json.loads((tmp_path / "diabetes" / "measured.json").read_text())["ports"]["right"]["verdict"] == "pass"
    assert not (tmp_path / "digits_cnn" / "measured.json").exists()


def test_a_verdict_that_was_not_expected_is_said(monkeypatch, tmp_path, capsys):
    copied(monkeypatch, tmp_path, {"first": FIRST, "right": FIRST})
    assert measure.measure(MeasureFlags(("digits_cnn",), output_dir=str(tmp_path / "run"))) == 1
    assert "Not the verdict that was expected: digits_cnn/pair_right.py" in capsys.readouterr().out
    assert "**The right port: no parity, 1 of 2" in (tmp_path / "digits_cnn" / "README.md").read_text()


def test_an_example_that_is_none_is_refused():
    assert_user_error(run_python("-m", "examples.measure", "--only", "mnist"), "--only", "mnist", "digits_cnn")
