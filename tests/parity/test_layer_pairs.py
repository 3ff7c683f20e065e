"""Transposed, depthwise and separable convolutions, learned slopes, noise and preprocessing, through the whole ladder.

Keras answers once; the honest port and others with one difference each are put to it.
"""

import pytest
from climbed_ports import climb_ports, failed


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """What was found of each port: the checks by id."""
    return climb_ports(tmp_path_factory.mktemp("pairs"), "sample_image_pairs", "image", "one off", "drops places")


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
