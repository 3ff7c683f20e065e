"""The reports: verdict, schema, Markdown and terminal, as pure functions of their input."""

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mlp_spec.experiment import PRESETS
from parity.ladder.climb import Climb, Side
from parity.protocol.recording import Recording
from parity.report import build as report
from parity.report import curves, markdown, terminal
from parity.rungs.check import Check

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHECKS = [
    Check("same experiment", "experiment", "pass", 0, 0, "both ran it"),
    Check("curve loss", "lockstep", "pass", 3.25e-7, 1e-5, "largest gap: epoch 2"),
    Check("seconds an epoch", "speed", "info", 0.5, None, "Keras 2 s"),
]
FAILED = Check("curve acc", "lockstep", "fail", 12, 1, "largest gap (images): epoch 1")
ERROR = Check("training", "lockstep", "error", detail="keras_reference died;\n  its last words")


def side(device):
    """A side that has trained two epochs."""
    common = {"backend": "tensorflow", "candidate": None, "candidate_datamodule": None}
    facts = Recording({}, {**common, "device": device, "parameters": 5, "layers": []})
    curves = {f"curve/{name}": np.array([0.5, 0.25]) for name in ("loss", "acc", "val_loss", "val_acc")}
    return Side({"facts": facts, "lockstep": Recording(curves, {"epoch_seconds": [1.0, 1.0]})})


def build(checks=CHECKS, sides=None):
    sides = sides or (side("cpu"), side("gpu"))
    return report.build(PRESETS["small"], Climb(*sides, list(checks)), "full", CREATED)


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
    assert build(checks)["verdict"] == verdict
    assert set(report.EXIT_STATUS) == {"pass", "fail", "could-not-run"}


def test_the_schema_is_the_published_one():
    made = build()
    assert made["schema"] == 1
    assert {"schema", "verdict", "experiment", "environment", "checks"} <= set(made)
    for check in made["checks"]:
        assert {"name", "status", "rung", "measured", "limit", "noise_floor", "cause", "detail"} == set(check)
    assert made["environment"]["devices"] == {"keras": "cpu", "lightning": "gpu"}
    assert made["experiment"]["hash"] == PRESETS["small"].hash
    assert json.loads(json.dumps(made)) == made


def test_one_sentence_says_the_verdict():
    assert report.sentence(build()) == "PARITY: Keras and Lightning agree on small on mnist (2 of 2 checks passed)."
    failed = report.sentence(build([*CHECKS, ERROR, FAILED]))
    assert failed.startswith("NO PARITY") and "lockstep / curve acc" in failed
    assert report.sentence(build([ERROR])).startswith("COULD NOT RUN")


def test_markdown_holds_every_check_and_every_epoch():
    text = markdown.render(build([*CHECKS, FAILED]))
    assert "| pass | lockstep | curve loss | 3.25e-07 | 1e-05 | - | largest gap: epoch 2 |\n" in text
    assert "| fail | lockstep | curve acc | 12 | 1 | - | largest gap (images): epoch 1 |\n" in text
    assert "| 2 | 0.250000 | 0.250000 |" in text and "curves.png" in text
    assert "- lightning ran on: gpu\n" in text


def test_markdown_of_a_run_that_could_not_run_has_no_curves():
    text = markdown.render(build([ERROR], (side("cpu"), Side())))
    assert "COULD NOT RUN" in text and "its last words" in text and "curves.png" not in text
    assert "lightning ran on: nothing" in text


def test_names_stay_text_in_markdown():
    text = markdown.render(build([Check("<script>alert(1)</script>", "a|b", "fail", "x|y", None, "<b>\n| bold")]))
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "x\\|y" in text and "&lt;b&gt;<br>\\| bold" in text


def shown(made, width=80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    terminal.show(made, "runs/here", console)
    return console.file.getvalue()


def test_the_terminal_fits_80_columns_and_ends_with_the_verdict():
    text = shown(build([*CHECKS, FAILED]))
    assert text.strip().splitlines()[-1].startswith("NO PARITY")
    assert "lockstep / curve acc: largest gap (images): epoch 1" in text
    table = text.split("\n\n")[0].splitlines()
    assert len(table) == 4 and all(len(line) <= 80 for line in table)  # a line a rung, and the head
    assert len(text.splitlines()) <= 24
    assert "keras on cpu, lightning on gpu" in text and "runs/here" in text


def golden(name: str, text: str) -> None:
    """Compares with a file; `GOLDEN=write python -m pytest tests/parity/test_report.py` writes it anew."""
    path = Path(__file__).parent / "golden" / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text(), f"{name} is another: look at the difference before you write it anew"


GONE = Check("batch loss, free run", "lockstep", "fail", 0.00042, 1e-6, "first failing step 12", 1e-7,
             {"id": "adam-epsilon-place", "title": "PyTorch's Adam: epsilon 1e-08 after the bias correction",
              "formulas": {"Keras": "m / (sqrt(v) + eps)", "candidate": "m_hat / (sqrt(v_hat) + eps)"},
              "explained": 0.9987})  # fmt: skip


@pytest.mark.parametrize(
    ("name", "checks"),
    [("pass", CHECKS), ("fail", [*CHECKS, GONE, FAILED]), ("could-not-run", [CHECKS[0], ERROR])],
)
def test_terminal_and_markdown_are_the_golden_ones(name, checks):
    made = build(checks)
    made["created"] = "2026-01-02T03:04:05+00:00"
    made["environment"] |= {"python": "3.11.0", "platform": "Linux", "processor": "A processor", "cores": 2}
    made["environment"]["packages"] = {"keras": "3.0", "torch": "2.0", "jax": None}
    golden(f"{name}.txt", shown(made))
    golden(f"{name}.md", markdown.render(made))


def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch):
    for value, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", value)
        console = Console(file=io.StringIO(), width=80, highlight=False, force_terminal=True)
        terminal.show(build(), "runs/here", console)
        assert ("\x1b[32m" in console.file.getvalue()) == coloured


def test_the_first_failure_and_its_cause_come_last():
    text = shown(build([*CHECKS, GONE, FAILED])).splitlines()
    where = [next(at for at, line in enumerate(text) if words in line) for words in
             ("Also failed: lockstep / curve acc", "lockstep / batch loss, free run: first", "cause: PyTorch's Adam",
              "NO PARITY")]  # fmt: skip
    assert where == sorted(where) and where[-1] >= len(text) - 3


def test_brackets_in_names_are_no_markup():
    assert "[bold red]x[/]" in shown(build([Check("[bold red]x[/]", "data", "pass", 0, 0, "")]))


def test_curves_are_drawn_from_the_report(tmp_path):
    curves.draw(build(), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
