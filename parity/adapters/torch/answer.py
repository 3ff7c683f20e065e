"""Answers the ladder's parts for Lightning.

Everything is measured through Lightning's `Trainer`, with the Trainer, the module and the data module of the
training command, or with what a user puts in their places. What to answer comes from the reference's recordings.
"""

import numpy as np

from lightning_mlp import train
from lightning_mlp.history import History
from mlp_spec.runs import environment
from parity.adapters.torch.attention import unfused
from parity.adapters.torch.callbacks import answer_callbacks
from parity.adapters.torch.candidate import Candidate, load_as_they_are
from parity.adapters.torch.layers import answer_layers
from parity.adapters.torch.random_layers import answer_random_layers
from parity.adapters.torch.record import BatchRecorder, GradientInjector, GradientRecorder, WeightInjector
from parity.adapters.torch.tensors import Binding
from parity.adapters.torch.updates import EVERY
from parity.protocol import inputs
from parity.protocol.answer import stack
from parity.protocol.records import Answer, Cases, Draws, Facts, Means, Predictions, Replay, Restarts, Steps
from parity.protocol.task import read_record, recording_path


def answer_facts(candidate: Candidate) -> Facts:
    """Describes data, layers, versions."""
    data = candidate.describe_data()
    binding = candidate.bind(candidate.facts.start)
    model = binding.module
    return Facts(
        framework="lightning",
        level=candidate.task.level,
        device=candidate.device,
        environment=environment.describe(*train.PACKAGES),
        experiment=candidate.experiment.to_dict(),
        data=data,
        layers=candidate.describe_layers(model),
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        tensors=binding.table,
        start=binding.weights(),
        candidate=candidate.pair.candidate,
        candidate_datamodule=candidate.pair.candidate_datamodule,
        rates=candidate.rates,
        draws=candidate.draws,
        unsilenced=candidate.unsilenced,
        kept=candidate.kept,
        untrained=candidate.untrained,
    )


def answer_initial_weights(candidate: Candidate) -> Draws:
    """Draws weights from the module's own initialiser, as often as the reference did."""
    count = len(next(iter(candidate.task.reference("initial_weights").weights.values())))
    draws = []
    for seed in range(candidate.seed, candidate.seed + count):
        model = candidate.build(seed)
        before = [value.detach().clone() for value in model.parameters()]
        # binding finds the parameters; then the module's own start comes back
        binding = Binding(model, candidate.facts.tensors, candidate.facts.start)
        for value, own in zip(model.parameters(), before, strict=True):
            value.data.copy_(own)
        draws.append(binding.weights())
    return Draws(weights=stack(draws))


def answer_cases(candidate: Candidate) -> Cases:
    """Answers every case of the reference: probabilities, loss and gradients."""
    reference = candidate.task.reference("cases")
    cases = reference.cases
    weights = [case.weights for case in cases.values()]
    images = [candidate.input_of(case.images) for case in cases.values()]
    batches = [candidate.batch_of(case.images, case.labels) for case in cases.values()]
    binding = candidate.bind(weights[0])
    candidate.find_output(binding, reference)
    recorder = GradientRecorder(binding, unchanged=True)
    injector = WeightInjector(binding, of_batch=lambda batch: weights[batch])
    if not candidate.untrained:
        with unfused():
            candidate.fit(binding, [injector, recorder], loader=load_as_they_are(batches), limit_val_batches=0)
    losses = [np.array([loss.item()]) for loss in recorder.losses] or [np.empty(0)] * len(cases)
    answers = {
        name: Answer(
            probabilities=candidate.predict(binding, weights[number], [images[number]]),
            loss=losses[number],
            gradients=recorder.gradients[number] if recorder.gradients else {},
        )
        for number, name in enumerate(cases)
    }
    return Cases(answers=answers)


def answer_optimizer(candidate: Candidate) -> Replay:
    """Replays the reference's gradients through the module's own optimizer."""
    reference = candidate.task.reference("optimizer")
    steps = len(reference.gradients)
    binding = candidate.bind(reference.start)
    injector = GradientInjector(binding, reference.gradients)
    # every step's gradients are replaced; the last batch updates weights in any case: it must be one that does
    batches = steps + -steps % candidate.accumulation.get(*EVERY, 1)
    candidate.fit(binding, [injector], **candidate.replayed(batches), limit_val_batches=0)
    return Replay(weights=stack(injector.weights[:steps]), optimizers=injector.kinds, updates=injector.updates)


def answer_metrics(candidate: Candidate) -> Means:
    """Takes an epoch's means twice, over uneven batches, while the weights stay as they are."""
    start, samples, batch_size = candidate.task.reference("metrics").start, candidate.samples, candidate.batch_size
    binding = candidate.bind(start)
    history, recorder = History(), BatchRecorder(sums=True)
    injector = WeightInjector(binding, of_batch=lambda batch: start, of_validation=start)
    data = candidate.build_datamodule(lambda epoch: inputs.metrics_order(epoch, samples, batch_size), inputs.EVAL_BATCH)
    candidate.fit(binding, [injector, recorder, history], data=data, epochs=inputs.METRICS_EPOCHS)
    return Means(curves=curves(history), sums=np.array(recorder.sums))


def curves(history) -> dict[str, np.ndarray]:
    """Returns the curves of a training as arrays (epochs,)."""
    return {name: np.array(curve) for name, curve in history.history.items()}


def answer_lockstep(candidate: Candidate) -> Steps:
    """Trains from the common start in the prescribed order."""
    binding, history, losses = candidate.train()
    return Steps(
        losses=losses,
        curves=curves(history),
        final=binding.weights(),
        epoch_seconds=history.epoch_seconds,
        counted={name: np.array(curve) for name, curve in getattr(history, "counted", {}).items() if curve},
        path={**candidate.path(binding.module), "logged_at_steps": getattr(history, "at_steps", [])},
    )


def answer_restarts(candidate: Candidate) -> Restarts:
    """Trains once more, each epoch from the reference's weights, moments and step."""
    _, history, losses = candidate.train(candidate.task.reference("lockstep").snapshots)
    return Restarts(losses=losses, epoch_seconds=history.epoch_seconds)


def answer_interchange(candidate: Candidate) -> Predictions:
    """Predicts the test images with the reference's trained weights, and with its own."""
    weights = candidate.task.reference("interchange").weights
    images = list(candidate.validation_inputs())
    binding = candidate.bind(weights)
    candidate.find_output(binding, candidate.task.reference("cases"))
    probabilities, own = candidate.predict(binding, weights, images), None
    if recording_path(candidate.task.output_dir, "lockstep").exists():
        own = candidate.predict(binding, read_record(candidate.task.output_dir, "lockstep").final, images)
    return Predictions(probabilities=probabilities, own_probabilities=own)


ANSWERS = (
    answer_facts, answer_initial_weights, answer_cases, answer_layers, answer_random_layers, answer_callbacks,
    answer_optimizer, answer_metrics, answer_lockstep, answer_restarts, answer_interchange,
)  # fmt: skip
PARTS = {function.__name__.removeprefix("answer_"): function for function in ANSWERS}
