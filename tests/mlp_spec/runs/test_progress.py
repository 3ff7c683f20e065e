"""Progress: the line of an epoch anywhere, the bar on a terminal only."""

import os
import subprocess
import sys

import pytest

from mlp_spec.runs.progress import EpochBar, epoch_line

METRICS = {"loss": 1.68583, "acc": 0.60766, "val_loss": 1.17565, "val_acc": 0.7675}
NUMBERS = "loss 1.6858  acc 0.6077  val_loss 1.1757  val_acc 0.7675"

TRAIN = """
from mlp_spec.runs.progress import EpochBar
bar = EpochBar(epochs=2, batches=100)
for epoch in range(2):
    bar.start_epoch(epoch)
    for done in range(1, 101):
        bar.advance(done)
    bar.progress.refresh()
    bar.end_epoch(epoch, 1.25, {"loss": 0.5})
bar.stop()
"""


@pytest.mark.parametrize(
    ("epoch", "epochs", "seconds", "start"),
    [
        (0, 10, 3.21, "Epoch  1/10    3.2 s  "),
        (9, 10, 123.46, "Epoch 10/10  123.5 s  "),
        (0, 1, 0.04, "Epoch 1/1    0.0 s  "),
        (6, 100, 1234.5, "Epoch   7/100  1234.5 s  "),
    ],
)
def test_the_line_of_an_epoch(epoch, epochs, seconds, start):
    assert epoch_line(epoch, epochs, seconds, METRICS) == start + NUMBERS


def test_a_diverged_epoch_has_a_line():
    assert epoch_line(0, 1, 1.0, {"loss": float("nan")}) == "Epoch 1/1    1.0 s  loss nan"


def test_without_a_terminal_there_are_only_plain_lines(capsys):
    bar = EpochBar(epochs=2, batches=1875)
    for epoch in range(2):
        bar.start_epoch(epoch)
        for done in range(1, 1876):
            bar.advance(done)
        bar.end_epoch(epoch, 3.2, METRICS)
    bar.stop()
    out, err = capsys.readouterr()
    assert out == f"Epoch 1/2    3.2 s  {NUMBERS}\nEpoch 2/2    3.2 s  {NUMBERS}\n"
    assert err == ""


def test_an_interrupted_epoch_leaves_nothing_without_a_terminal(capsys):
    bar = EpochBar(epochs=2, batches=3)
    bar.start_epoch(0)
    bar.advance(1)
    bar.stop()
    bar.stop()
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="NOT RUN: needs a pseudo-terminal")
def test_on_a_terminal_a_bar_fills_and_the_lines_stay():
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0, seen
    text = seen.decode()
    assert "100/100" in text and "\x1b[" in text
    for line in ("Epoch 1/2    1.2 s  loss 0.5000", "Epoch 2/2    1.2 s  loss 0.5000"):
        assert line in text


@pytest.mark.parametrize(("batches", "moves"), [(1, 1), (49, 49), (100, 50), (1875, 50)])
def test_the_bar_moves_about_fifty_times_an_epoch(batches, moves, monkeypatch):
    bar, seen = EpochBar(epochs=1, batches=batches), []
    monkeypatch.setattr(bar.progress, "update", lambda task, completed: seen.append(completed))
    for done in range(1, batches + 1):
        bar.advance(done)
    assert moves <= len(seen) <= moves + 1
    assert seen == sorted(seen) and seen[-1] > 0.97 * batches
