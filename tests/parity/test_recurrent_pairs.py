"""What recurrent layers and attentions do beside their outputs, through the whole ladder.

Directions that are not merged, states handed on, dropout inside of a layer, an attention's scale. Keras answers
once; the honest port and one with a difference are put to it.
"""

import pytest
from climbed_ports import climb_ports, failed


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """What was found of each port: the checks by id."""
    return climb_ports(tmp_path_factory.mktemp("pairs"), "sample_recurrent_pairs", "inner", "a mask a step")


def test_an_honest_port_has_parity(checks):
    found = checks["inner"]
    assert failed(found) == []
    assert all(more.get("largest_ratio_to_floor", 0) < 3 for status, _, more in found.values() if status == "pass")
    status, detail, _ = found["experiment/rates-of-dropout"]
    assert status == "pass" and "Keras's LSTM dropout 0.3 is compared at random layers" in detail
    assert "nothing is drawn (LSTM dropout cannot be handed over)" in detail
    assert found["lockstep/batch-loss-free-run"][0] == found["random-layers/law-of-the-output"][0] == "pass"
    assert "forward/layers-in-isolation" in found and found["forward/layers-in-isolation"][0] == "pass"


def test_one_difference_fails_on_its_rung(checks):
    # of the same rate, every step by itself: no single layer shows it, the law of the output does
    assert failed(checks["a mask a step"]) == ["random-layers/law-of-the-output"]
