"""What a check costs: the memory of a command and of what it starts, and what the numbers are summarised to."""

import json

import pytest
from conftest import PYTHON

from benchmarks import check
from benchmarks.check import Run
from mlp_spec.support.errors import UserError

# 50 MB here, and 100 MB in a process that looks like a framework's.
WORK = """
import subprocess, sys, time
block = b'x' * 50_000_000
subprocess.run([sys.executable, "-c", "import time; block = b'x' * 100_000_000; time.sleep(1)", {module!r}])
print("done")
"""


def test_the_memory_of_a_command_and_of_what_it_starts_is_seen():
    ended = check.run([PYTHON, "-c", WORK.format(module="parity.adapters.torch")], {})
    assert ended.out == "done\n" and ended.seconds > 1 > ended.cpu_seconds > 0
    assert set(ended.mb) == {"command", "lightning"}
    assert 50 < ended.mb["command"] < 90 and 100 < ended.mb["lightning"] < 140


def test_a_command_that_fails_is_told_with_its_last_lines():
    with pytest.raises(UserError, match=r"ended with exit status 3:\nno parity"):
        check.run([PYTHON, "-c", "print('no parity'); raise SystemExit(3)"], {})


def test_what_is_held_against_the_bars():
    fit = Run(30.0, 50.0, {"command": 700.0}, "a warning\n" + json.dumps([20.0, 250_000, 100_000_000]))
    quick = Run(60.0, 90.0, {"command": 50.0, "keras": 700.0, "lightning": 400.0}, "")
    full = Run(210.0, 400.0, {"command": 50.0, "keras": 850.0, "lightning": 450.0}, "")
    found = check.summarize({"keras": 500.0, "lightning": 300.0}, fit, {"quick": quick, "full": full})
    # 210 / 20; (850 - 500 - 2 models of 1 MB) / 100
    assert found["reached"] == {"quick_seconds": 60.0, "full_over_fit": 10.5, "data_sets": 3.48}
    assert found["levels"]["full"]["mb_above_bare"] == {"keras": 350.0, "lightning": 150.0}
    words = check.render(found | {"rows": 20_000})
    assert "quick_seconds: 60.0, at most 90\n" in words and "full_over_fit: 10.5, at most 10 - not reached" in words
