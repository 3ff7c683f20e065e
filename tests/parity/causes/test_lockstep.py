"""Causes of runs that part: another rate from an epoch on, told from the reference's snapshots; another length."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import best, make_evidence, named, sound_evidence
from sample_records import BATCH_SIZE, PIXELS, make_experiment, make_facts, order_of, train

from mlp_spec import optimizers
from parity.causes.lockstep import cut_batches, search
from parity.protocol.records import Restarts

EXPERIMENTS = [make_experiment(optimizers.SGD(0.1, 0.9)), make_experiment(optimizers.Adam(0.01))]


def evidence(experiment, losses):
    run = train(experiment)
    facts = make_facts(experiment=experiment)
    return make_evidence(Restarts(losses=run.losses), Restarts(losses=losses), facts, run)


def test_runs_that_stay_together_have_no_cause():
    assert named(search, sound_evidence("restarts")) is None


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=["sgd", "adam"])
@pytest.mark.parametrize(("epoch", "factor"), [(1, 0.1), (2, 0.9), (3, 0.0)])
def test_a_rate_that_changes_between_epochs_is_named_with_epoch_and_factor(experiment, epoch, factor):
    snapshots = train(experiment).snapshots
    run = train(experiment, rate_of=lambda at: factor if at >= epoch else 1.0, snapshots=snapshots)
    one = best(search, evidence(experiment, run.losses))
    assert one.id == "schedule-epoch" and one.explained > 0.9
    assert one.title == f"from epoch {epoch + 1} on, the learning rate is {factor:g} times Keras's"


@pytest.mark.parametrize(("steps", "epochs"), [(60, "2"), (150, "5")])
def test_another_number_of_epochs_is_named(steps, epochs):
    one = best(search, evidence(EXPERIMENTS[0], np.ones(steps)))
    assert (one.id, one.title, one.explained) == ("epochs", f"{epochs} epochs were trained", 0.99)


def test_a_run_that_ended_within_an_epoch_has_no_cause():
    assert named(search, evidence(EXPERIMENTS[0], np.ones(70))) is None


def test_losses_of_no_known_rate_have_no_cause():
    losses = train(EXPERIMENTS[0]).losses
    drawn = losses + np.random.default_rng(0).normal(0, 0.1, len(losses)).astype(np.float32)
    assert named(search, evidence(EXPERIMENTS[0], drawn)) is None


def test_without_a_free_run_nothing_is_said():
    run = train(EXPERIMENTS[0])
    assert list(search(make_evidence(Restarts(losses=run.losses), Restarts(losses=run.losses * 2)))) == []


def test_batches_are_cut_as_they_were_trained():
    kept = train(EXPERIMENTS[0]).batches[1]
    batches = cut_batches(kept, BATCH_SIZE, 30)
    assert [len(labels) for _, labels in batches] == [8] * 29 + [4]
    assert np.allclose(batches[0][0], PIXELS[order_of(1)[:8]], atol=1e-7)
    few = replace(kept, images=kept.images[:20], labels=kept.labels[:20])
    assert [len(labels) for _, labels in cut_batches(few, BATCH_SIZE, 30)] == [8, 8, 4]
