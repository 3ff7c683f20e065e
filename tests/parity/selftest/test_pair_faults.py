"""Faults in the examples' ports: what is drawn, and the pair files that are written."""

import pytest

from mlp_spec.support.errors import UserError
from parity.protocol import pair_file
from parity.selftest import pair_faults
from parity.selftest.pair_faults import PairFault
from parity.selftest.planted.plants import are_compatible, plants_named
from parity.selftest.sweeps import SweepFlags


def test_several_faults_in_one_port_do_not_touch_the_same():
    drawn = pair_faults.draw(0, None, 40, 10)
    assert len({fault.name for fault in drawn}) == len(drawn)
    assert all(are_compatible(plants_named(fault.example, fault.names)) for fault in drawn)
    assert {fault.example for fault in drawn if len(fault.names) > 1} == {*pair_faults.example_names()}


def test_a_seed_draws_the_same_and_another_one_others():
    first, again, other = (pair_faults.draw(seed, 5, 6, 2) for seed in (0, 0, 1))
    assert first == again != other and len(first) == 13


@pytest.mark.parametrize(
    ("name", "word"), [("mnist/clip-norm", "no example mnist"), ("diabetes/nesterov", "has no fault nesterov")]
)
def test_a_fault_that_there_is_not_is_refused(name, word):
    with pytest.raises(UserError, match=word):
        PairFault.parse(name)


def test_a_faulty_port_is_a_pair_file_of_its_own(tmp_path):
    fault = PairFault.parse("digits_cnn/clip-norm+learning-rate:tenth")
    assert fault.causes == ("clip-norm", "learning-rate")
    right = fault.right(SweepFlags())
    planted = fault.planted(right, tmp_path)
    assert right.file.endswith("digits_cnn/pair_right.py") and planted.file == str(tmp_path / "pair.py")
    assert pair_file.check(planted.file) and repr(fault.names) in (tmp_path / "pair.py").read_text()
    assert planted.experiment == right.experiment


def test_a_fault_that_is_not_without_another_one_names_both():
    assert PairFault.parse("digits_cnn/amsgrad+learning-rate").causes == (
        "amsgrad", "adam-epsilon-place", "learning-rate",
    )  # fmt: skip
