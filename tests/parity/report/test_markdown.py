"""The Markdown report: every check and every epoch, and no name that becomes markup."""

import pytest
from jinja2 import UndefinedError
from sample_reports import (
    CHECKS,
    ERROR,
    EVIL,
    FAILED,
    GOLDEN,
    build_golden_report,
    build_pair_report,
    build_report,
    trained_side,
)

from parity.ladder.climb import Side
from parity.report import markdown
from parity.rungs.check import Check


@pytest.mark.parametrize("name", GOLDEN)
def test_it_is_the_golden_one(name, assert_golden):
    assert_golden(f"{name}.md", markdown.render(build_golden_report(name)))


def test_it_holds_every_check_and_every_epoch():
    text = markdown.render(build_report([*CHECKS, FAILED]))
    assert "| pass | lockstep | curve loss | 3.25e-07 | 1e-05 | - | largest gap: epoch 2 |\n" in text
    assert "| fail | lockstep | curve acc | 12 | 1 | - | largest gap (images): epoch 1 |\n" in text
    assert "| 2 | 0.250000 | 0.250000 |" in text and "curves.png" in text
    assert "- lightning ran on: gpu\n" in text


def test_a_run_that_could_not_run_has_no_curves():
    text = markdown.render(build_report([ERROR], (trained_side("cpu"), Side())))
    assert "COULD NOT RUN" in text and "its last words" in text and "curves.png" not in text
    assert "lightning ran on: nothing" in text


def test_sides_of_another_number_of_epochs_have_no_table_of_curves():
    report = build_report()
    for curve in report["sides"]["lightning"]["history"].values():
        curve.append(0.125)
    assert "## Curves" in markdown.render(build_report()) and "## Curves" not in markdown.render(report)


def test_names_stay_text():
    text = markdown.render(
        build_report([Check("<script>alert(1)</script>", "a|b", "fail", "x|y", None, "<b>\n| bold")])
    )
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "x\\|y" in text and "&lt;b&gt;<br>\\| bold" in text


def test_of_a_pair_file_it_holds_what_was_found_and_every_layer():
    text = markdown.render(build_pair_report())
    assert "## What was found\n\n- Lightning: the module's output is logits\n- Metrics: accuracy is train/acc" in text
    assert "\n\n| status | rung |" in text and "pair file `mine`, SHA-256 `0123456789abcdef" in text
    assert "## Layers in training mode\n" in text
    assert "\n| 1 | conv | 2e-07 | 1e-06 | 0 |  |\n| 2 | norm | 0.01 (beyond) | 1e-06 | - (beyond) |  |\n" in text
    assert "curves.png" not in text


def test_of_a_pair_file_the_curves_stand_under_keras_names():
    report = build_pair_report()
    assert "## Curves" not in markdown.render(report)  # one curve ended early
    report["sides"]["lightning"]["history"]["val"].append(0.25)
    text = markdown.render(report)
    assert "| epoch | accuracy Keras | accuracy Lightning | val_accuracy Keras | val_accuracy Lightning |\n" in text
    assert "| 3 | 0.250000 | 0.250000 | 0.250000 | 0.250000 |" in text


def test_names_of_layers_stay_text():
    text = markdown.render(build_pair_report([EVIL, "a|b"]))
    assert "<script>" not in text and "| a\\|b |" in text


def test_a_value_that_a_template_lacks_is_an_error():
    assert markdown.render_template("{{ value|percent }} {{ name|cell }}", value=0.5, name="a|b") == "50.00 a\\|b"
    with pytest.raises(UndefinedError, match="value"):
        markdown.render_template("{{ value }}")
