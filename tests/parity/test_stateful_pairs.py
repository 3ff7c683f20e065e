"""States that go on from batch to batch, through the whole ladder: Keras answers once, ports are put to it."""

import pytest
from climbed_ports import climb_ports, failed

PORTS = ("stateful", "buffers", "no state", "reset each batch", "reset each epoch", "swapped", "not detached")


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """What was found of each port: the checks by id."""
    return climb_ports(tmp_path_factory.mktemp("pairs"), "sample_stateful_pairs", *PORTS)


@pytest.mark.parametrize("name", ["stateful", "buffers"])
def test_a_port_that_keeps_states_has_parity(checks, name):
    found = checks[name]
    assert failed(found) == []
    assert all(more.get("largest_ratio_to_floor", 0) < 3 for status, _, more in found.values() if status == "pass")
    for run in ("free-run", "restarted-epochs"):
        status, _, more = found[f"lockstep/batch-loss-{run}"]
        assert status == "pass" and more["judged_steps"] == 160
    assert found["architecture/states-between-batches"][0] == found["experiment/order-of-rows"][0] == "pass"
    assert found["interchange/evaluation-mode-after-training"][0] == "pass"  # states go on in predict, too


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("no state", "architecture/states-between-batches", "the port keeps nothing that is found"),
        ("reset each batch", "lockstep/batch-loss-free-run", "step 2 starts from the states that it has left"),
        ("reset each epoch", "lockstep/batch-loss-free-run", "first failing step 33"),
        ("swapped", "lockstep/batch-loss-free-run", "step 2 starts from the states that it has left"),
        ("not detached", "optimizer/lightning-could-not-answer", "backward through the graph a second time"),
    ],
)
def test_a_port_that_keeps_others_fails_where_it_differs(checks, name, check, words):
    found = checks[name]
    assert check in failed(found) and words in found[check][1], failed(found)
    assert failed(found)[0] in (check, "metrics/val_loss"), failed(found)  # no rung below shows it
