"""Measures of a finished run, and how their margins are chosen."""

from dataclasses import replace

import pytest

from mlp_spec.experiment import PRESETS, DataSpec
from parity.protocol.seeds import SeedResult
from parity.seeds.equivalence import Sample
from parity.seeds.measures import FIXED, MEASURES, RULE, choose_margin

VAL_ACC, VAL_LOSS, AREA = MEASURES
SMALL = PRESETS["small"]
SAMPLE = replace(SMALL, data=DataSpec("mnist-sample"))
REFERENCE = Sample(20, 0.9113, 0.0015)


def test_three_measures_of_a_run_by_hand():
    history = {"val_acc": [0.5, 0.8, 0.8], "val_loss": [0.9, 0.6, 0.4], "acc": [0, 0, 0], "loss": [1, 1, 1]}
    seed = SeedResult(0, history, [0.1] * 3, 1.0, {})
    assert (VAL_ACC.of(seed), VAL_LOSS.of(seed), AREA.of(seed)) == (0.8, 0.4, pytest.approx(0.7))
    assert [measure.subject for measure in MEASURES] == ["final-val_acc", "final-val_loss", "area-under-val_acc"]


def test_a_flag_decides_before_all_others():
    margin = choose_margin(VAL_ACC, SMALL, REFERENCE, 0.01)
    assert margin.value == 0.01 and margin.reason == "given by a flag"


def test_the_labs_models_have_margins_that_were_fixed_in_advance():
    margin = choose_margin(VAL_ACC, SMALL, REFERENCE, None)
    assert margin.value == FIXED["small"]["val_acc"] == 0.002 and "1.3 standard deviations" in margin.reason
    assert "fixed in advance: fixed;" in choose_margin(VAL_ACC, SMALL, Sample(20, 0.9, 0.0), None).reason


def test_any_other_experiment_has_the_margin_of_the_references_spread():
    for experiment in (SAMPLE, replace(SMALL, training=replace(SMALL.training, epochs=3))):
        margin = choose_margin(VAL_ACC, experiment, REFERENCE, None)
        assert margin.value == RULE * 0.0015 and margin.reason.startswith("1.5 standard deviations")
