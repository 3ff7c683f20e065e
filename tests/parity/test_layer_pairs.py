"""Transposed, depthwise and separable convolutions, learned slopes, noise and preprocessing, through the whole ladder.

Keras answers once; the honest port and others with one difference each are put to it.
"""

import json

import pytest
from conftest import ROOT, run_python

CODE = """
import json, sys
from dataclasses import replace
from pathlib import Path
from parity.check import CheckFlags
from parity.ladder.climb import climb_with
from parity.selftest import sweeps

sys.path.insert(0, sys.argv[1])
from sample_image_pairs import PAIRS

folder, found = Path(sys.argv[2]), {}


def pair_of(name):
    path = folder / f"{name.replace(' ', '_')}.py"
    path.write_text(PAIRS[name])
    return CheckFlags(str(path)).pair()


reference, task = sweeps.record_pair(pair_of("image"), sweeps.JobFlags(), folder)
for name in sys.argv[3:]:
    own = folder / f"of {name}"
    own.mkdir()
    other = replace(task, pair=replace(task.pair, file=pair_of(name).file), output_dir=str(own / "lightning"))
    checks = climb_with(reference, other, own, 600.0, stop_early=name != "image").checks
    found[name] = [[check.id, check.status, check.detail, check.more] for check in checks]
print("\\n" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """What was found of each port: the checks by id."""
    ended = run_python("-c", CODE, ROOT / "tests", tmp_path_factory.mktemp("pairs"), "image", "one off", "drops places")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    return {name: {check[0]: check[1:] for check in of_port} for name, of_port in found.items()}


def failed(of_port):
    """Returns the ids of the checks that failed."""
    return [name for name, (status, *_) in of_port.items() if status in ("fail", "error")]


def test_an_honest_port_has_parity(checks):
    found = checks["image"]
    assert failed(found) == []
    assert len([name for name, (status, *_) in found.items() if status == "pass"]) > 20
    for name, (status, _, more) in found.items():
        if status == "pass" and "largest_ratio_to_floor" in more:
            assert more["largest_ratio_to_floor"] < 3, name
    # Keras's model augments, the port's data set does: neither is handed to the other, and it is said
    for name in ("data/train-rows", "random-layers/augmentation"):
        assert found[name][0] == "info" and "augments its rows (RandomFlip)" in found[name][1]
    compared = found["forward/layers-in-isolation"][1]
    assert "each layer alone agrees" in compared and "forward/layers-not-compared" not in found


def test_one_difference_fails_on_its_rung(checks):
    assert failed(checks["one off"])[0] == "forward/probabilities"
    # of the same rate, place by place
    assert failed(checks["drops places"]) == ["random-layers/law-of-each-layer", "random-layers/law-of-the-output"]
