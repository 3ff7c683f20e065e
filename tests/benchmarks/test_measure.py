"""The measurement: a command's exit status decides, and flags out of range are refused before anything runs."""

import pytest

from benchmarks import measure
from benchmarks.measure import MeasureFlags, execute
from mlp_spec.support.errors import UserError


def test_an_allowed_exit_status_is_taken(capfd):
    execute("platform")
    execute("ast", "no-such-file", allowed=(0, 2))
    assert "$ python -m platform" in capfd.readouterr().out


def test_another_exit_status_is_refused():
    with pytest.raises(UserError, match="python -m ast ended with exit status 2; nothing was written"):
        execute("ast", "no-such-file")


@pytest.mark.parametrize("name", ["rounds_small", "rounds_bigger"])
def test_a_number_of_rounds_out_of_range_is_refused(name, monkeypatch):
    monkeypatch.setattr(measure, "execute", lambda *_, **__: pytest.fail("a command was run"))
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} is 0"):
        measure.measure(MeasureFlags(**{name: 0}))


def test_each_side_is_trained_with_every_seed_and_the_median_skips_the_first_epoch(monkeypatch, tmp_path):
    seconds, calls = {"keras": 2.0, "lightning": 1.0}, []

    def load(path):
        if path.name == "timing.json":
            return {"epoch_seconds": [9.0, seconds[path.parent.name.split("-")[0]]], "startup_seconds": 1.0}
        return {name: [0.1, 0.2] for name in measure.CURVES}

    monkeypatch.setattr(measure, "load", load)
    monkeypatch.setattr(measure, "execute", lambda module, *arguments: calls.append((module, arguments[3])))
    result = measure.independent(["--preset", "small"], 2, tmp_path)
    assert [seed for _, seed in calls] == ["0", "0", "1", "1"] and len({module for module, _ in calls}) == 2
    assert result["ratio"] == 0.5 and result["median_epoch_seconds"] == seconds
    assert [run["loss"] for run in result["runs"]["keras"]] == [0.2, 0.2]
